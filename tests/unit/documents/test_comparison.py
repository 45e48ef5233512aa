# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""How wanted documents are compared with the ones that exist."""

from __future__ import annotations

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents import action, kinds
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.comparison import (
    before_and_after,
    drift,
    merged,
)


def stored_job(**changes):
    return {
        "job_id": "nightly",
        "client_id": "db1",
        "description": "every night",
        "user_id": "u1",
        "project_id": "p1",
        "session_id": "s1",
        "session_tag": 3,
        "job_actions": [
            {
                "freezer_action": {"action": "backup", "path_to_backup": "/etc", "exclude": "*.log"},
                "max_retries": 3,
                "action_id": "a1",
                "user_id": "u1",
            }
        ],
        "job_schedule": {
            "schedule_interval": "1 days",
            "time_created": 1,
            "time_started": 2,
            "time_ended": 3,
            "status": "completed",
            "result": "success",
            "event": "",
        },
        **changes,
    }


def wanted_action(**freezer_action):
    return {"freezer_action": {"action": "backup", "path_to_backup": "/etc", **freezer_action}, "max_retries": 3}


def test_what_the_server_and_the_scheduler_wrote_is_no_drift():
    wanted = {
        "job_id": "nightly",
        "client_id": "db1",
        "job_actions": [wanted_action(exclude="*.log")],
        "job_schedule": {"schedule_interval": "1 days", "status": "scheduled", "time_created": 99},
    }
    assert drift(kinds.JOB, wanted, stored_job()) == {}


def test_server_keys_are_ignored_where_the_existing_document_lacks_their_parent():
    assert drift(kinds.JOB, {"job_schedule": {"status": "stop"}}, {"job_id": "x"}) == {}


def test_a_key_that_is_none_or_not_named_is_left_alone():
    assert drift(kinds.JOB, {"description": None}, stored_job()) == {}


def test_a_changed_key_is_named_by_its_path_with_both_values():
    wanted = {"description": "hourly", "job_schedule": {"schedule_interval": "1 hours"}}
    assert drift(kinds.JOB, wanted, stored_job()) == {
        "description": ("every night", "hourly"),
        "job_schedule.schedule_interval": ("1 days", "1 hours"),
    }


def test_a_key_that_is_gone_from_a_wanted_action_counts_because_lists_are_replaced():
    assert drift(kinds.JOB, {"job_actions": [wanted_action()]}, stored_job()) == {
        "job_actions.0.freezer_action.exclude": ("*.log", None)
    }


def test_an_action_more_and_an_action_less_are_found():
    more = [wanted_action(exclude="*.log"), {"freezer_action": {"action": "info"}}]
    assert drift(kinds.JOB, {"job_actions": more}, stored_job()) == {"job_actions.1": (None, more[1])}
    assert list(drift(kinds.JOB, {"job_actions": []}, stored_job())) == ["job_actions.0"]


def test_values_that_other_servers_add_to_actions_are_no_drift():
    existing = stored_job(
        job_actions=[
            {
                "freezer_action": {"action": "backup", "path_to_backup": "/etc", "log_file": None, "mode": None},
                "max_retries": 5,
                "max_retries_interval": 6,
                "mandatory": False,
                "action_id": "a1",
            }
        ]
    )
    wanted = {"job_actions": [{"freezer_action": {"action": "backup", "path_to_backup": "/etc"}}]}
    assert drift(kinds.JOB, wanted, existing) == {}


def test_a_retry_count_that_is_wanted_is_compared_also_with_a_value_that_servers_add():
    existing = stored_job(job_actions=[{"freezer_action": {}, "max_retries": 5}])
    wanted = {"job_actions": [{"freezer_action": {}, "max_retries": 1}]}
    assert drift(kinds.JOB, wanted, existing) == {"job_actions.0.max_retries": (5, 1)}


def test_one_is_not_true():
    existing = {"freezer_action": {"overwrite": 1}}
    assert drift(action.KIND, {"freezer_action": {"overwrite": True}}, existing) == {
        "freezer_action.overwrite": (1, True)
    }


def test_a_client_and_a_backup_are_compared_below_the_key_that_wraps_them():
    stored_client = {"client": {"client_id": "db1", "description": "old", "uuid": "u"}, "user_id": "u1"}
    assert drift(kinds.CLIENT, {"client_id": "db1", "description": "new"}, stored_client) == {
        "description": ("old", "new")
    }
    stored_backup = {"backup_id": "b", "status": "available", "backup_metadata": {"level": 0, "container": "c"}}
    assert drift(kinds.BACKUP, {"level": 0, "container": "c"}, stored_backup) == {}


def test_the_state_of_a_session_is_no_drift():
    existing = {"session_id": "s", "session_tag": 7, "status": "running", "jobs": {"j": {}}, "schedule": {}}
    assert drift(kinds.SESSION, {"schedule": {}, "session_tag": 0, "jobs": {}}, existing) == {}


def test_keys_with_dots_in_them_survive_the_comparison():
    before, after = before_and_after(action.KIND, {"freezer_action": {"a.b": 2}}, {"freezer_action": {"a.b": 1}})
    assert before == {"freezer_action": {"a.b": 1}}
    assert after == {"freezer_action": {"a.b": 2}}


def test_before_and_after_show_what_will_be_without_what_the_server_writes():
    wanted = {"description": "hourly", "job_actions": [wanted_action(), {"freezer_action": {"action": "info"}}]}
    before, after = before_and_after(kinds.JOB, wanted, stored_job())
    assert "job_id" not in before
    assert before["job_schedule"] == {"schedule_interval": "1 days"}
    assert before["job_actions"][0]["freezer_action"]["exclude"] == "*.log"
    assert after["description"] == "hourly"
    assert "exclude" not in after["job_actions"][0]["freezer_action"]
    assert after["job_actions"][1] == {"freezer_action": {"action": "info"}}
    assert after["job_schedule"] == before["job_schedule"]


def test_after_has_only_the_actions_that_are_wanted():
    existing = stored_job(job_actions=[{"freezer_action": {"n": n}} for n in range(4)])
    _before, after = before_and_after(kinds.JOB, {"job_actions": [{"freezer_action": {"n": 0}}]}, existing)
    assert after["job_actions"] == [{"freezer_action": {"n": 0}}]


def test_merging_keeps_what_the_changes_do_not_name_and_replaces_lists():
    existing = {"a": {"b": 1, "c": [1, 2]}, "d": 4}
    assert merged(existing, {"a": {"c": [3]}, "e": {"f": 1}}) == {"a": {"b": 1, "c": [3]}, "d": 4, "e": {"f": 1}}
    assert existing == {"a": {"b": 1, "c": [1, 2]}, "d": 4}
