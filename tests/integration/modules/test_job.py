# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is special about jobs: what the server and the scheduler write, schedules, defaults, sessions, events."""

from __future__ import annotations

from typing import Any

import pytest

ETC = {"action": "backup", "path_to_backup": "/etc", "backup_name": "etc", "storage": "local", "container": "/backups"}
HOME = {**ETC, "path_to_backup": "/home", "backup_name": "home"}
JOB: dict[str, Any] = {
    "job_id": "nightly",
    "client_id": "db1",
    "job_actions": [{"freezer_action": ETC}, {"freezer_action": HOME}],
    "job_schedule": {"schedule_date": "2030-01-01T00:00:00"},
}
WRITTEN = {"status": "completed", "result": "success", "time_started": 11, "time_ended": 12, "current_pid": 13}


def stored(api) -> dict[str, Any]:
    job = api.registry.jobs.get("nightly")
    assert job is not None
    return job


@pytest.fixture
def job(api):
    """A job that has run once."""
    api.run("job", **JOB)
    api.registry.jobs.patch("nightly", {"job_schedule": WRITTEN})
    return stored(api)


def test_what_the_scheduler_wrote_is_no_drift(api, job):
    assert not api.run_as_checked("job", **JOB)["changed"]


def test_what_the_scheduler_wrote_is_kept_when_something_is_added(api, job):
    assert api.run_as_checked("job", job_id="nightly", description="new")["changed"]
    assert stored(api) == {**job, "description": "new"}


def test_what_the_scheduler_wrote_is_kept_when_something_is_taken_away(api, job):
    api.run_as_checked("job", **{**JOB, "job_schedule": {"schedule_interval": "1 days"}})
    schedule = stored(api)["job_schedule"]
    created = job["job_schedule"]["time_created"]
    # A completed job that gets another schedule is due again.
    assert schedule == {**WRITTEN, "status": "", "time_created": created, "schedule_interval": "1 days"}


def test_a_document_cannot_overwrite_what_the_scheduler_wrote(api, job):
    old = {**job, "description": "new", "job_schedule": {**job["job_schedule"], "status": "running", "result": ""}}
    assert api.run_as_checked("job", **old)["changed"]
    assert stored(api)["job_schedule"] == job["job_schedule"]


def test_an_empty_schedule_takes_the_job_off_its_schedule(api, job):
    assert api.run_as_checked("job", job_id="nightly", job_schedule={})["changed"]
    assert "schedule_date" not in stored(api)["job_schedule"]
    assert not api.run_as_checked("job", job_id="nightly", job_schedule={"schedule_date": ""})["changed"]


def test_a_key_that_an_action_does_not_name_any_more_goes_away(api):
    api.run("job", **{**JOB, "job_actions": [{"freezer_action": {**ETC, "exclude": "*.log"}}]})
    result = api.run_as_checked("job", **{**JOB, "job_actions": [{"freezer_action": ETC}]})
    assert result["changed"]
    assert stored(api)["job_actions"][0]["freezer_action"] == ETC


def test_actions_that_stay_keep_their_ids(api, job):
    api.run("job", **{**JOB, "job_actions": [*JOB["job_actions"], {"freezer_action": {**ETC, "backup_name": "third"}}]})
    ids = [action["action_id"] for action in stored(api)["job_actions"]]
    assert ids[:2] == [action["action_id"] for action in job["job_actions"]]
    assert len(set(ids)) == 3


def test_an_action_that_is_not_named_any_more_goes_away(api, job):
    result = api.run_as_checked("job", **{**JOB, "job_actions": [{"freezer_action": HOME}]})
    assert [action["freezer_action"] for action in result["diff"]["after"]["job_actions"]] == [HOME]
    assert [action["freezer_action"] for action in stored(api)["job_actions"]] == [HOME]


def test_defaults_are_written_into_the_actions(api):
    defaults = {key: ETC[key] for key in ("action", "storage", "container")}
    actions = [
        {"freezer_action": {"path_to_backup": "/etc", "backup_name": "etc"}},
        {"freezer_action": {"path_to_backup": "/home", "backup_name": "home", "container": "/elsewhere"}},
    ]
    options = {"job_id": "nightly", "client_id": "db1", "job_actions": actions, "action_defaults": defaults}
    assert api.run_as_checked("job", **options)["changed"]
    assert [action["freezer_action"] for action in stored(api)["job_actions"]] == [
        ETC,
        {**HOME, "container": "/elsewhere"},
    ]
    assert not api.run_as_checked("job", **options)["changed"]


def test_numbers_as_text_are_the_same_numbers(api):
    api.run("job", **{**JOB, "job_actions": [{"freezer_action": ETC, "max_retries": 2, "mandatory": True}]})
    again = api.run("job", **{**JOB, "job_actions": [{"freezer_action": ETC, "max_retries": "2", "mandatory": "yes"}]})
    assert not again["changed"]


def test_clients_may_have_jobs_of_the_same_description(api):
    part = {"description": "every night", "job_actions": [{"freezer_action": ETC}]}
    first = api.run_as_checked("job", client_id="db1", **part)
    second = api.run_as_checked("job", client_id="db2", **part)
    assert first["job_id"] != second["job_id"]
    assert not api.run_as_checked("job", client_id="db1", **part)["changed"]
    assert api.run("job", client_id="db1", description="every night", state="absent")["job_id"] == first["job_id"]
    assert [job["job_id"] for job in api.run("job_info")["jobs"]] == [second["job_id"]]


def test_a_description_that_several_jobs_have_is_not_guessed_about(api):
    for job_id in ("one", "two"):
        api.run("job", **{**JOB, "job_id": job_id, "description": "every night"})
    message = api.sentence("job", client_id="db1", description="every night", job_actions=[])
    assert message == (
        "2 jobs have client_id 'db1' and description 'every night': one, two. Say which one with job_id."
    )


def test_a_job_of_a_session_follows_the_schedule_of_the_session(api):
    api.run("job", **JOB)
    api.run("session", session_id="shop", schedule={"schedule_interval": "5 hours"}, jobs=["nightly"])
    result = api.run_as_checked("job", **JOB)
    assert not result["changed"]
    assert any("follows the schedule of its session shop" in str(warning) for warning in result["warnings"])

    api.run("job", **{**JOB, "description": "new", "job_actions": [{"freezer_action": ETC}]})
    job = stored(api)
    assert (job["session_id"], job["job_schedule"]["schedule_interval"]) == ("shop", "5 hours")
    assert not api.run("session", session_id="shop", jobs=["nightly"])["changed"]


def test_a_job_that_is_removed_leaves_its_session(api):
    api.run("job", **JOB)
    api.run("session", session_id="shop", schedule={}, jobs=["nightly"])
    assert api.run_as_checked("job", job_id="nightly", state="absent")["changed"]
    assert api.run("session_info", session_id="shop")["sessions"][0]["jobs"] == {}


@pytest.mark.parametrize("event", ["start", "stop", "abort"])
def test_an_event_is_asked_for_once(api, job, event):
    api.run("job_status", job_id="nightly", status="scheduled")
    result = api.run_as_checked("job_event", job_id="nightly", event=event)
    assert result["changed"]
    assert result["job"]["job_schedule"]["event"] == event
    assert result["diff"] == {"before": {"event": ""}, "after": {"event": event}}
    assert not api.run_as_checked("job_event", job_id="nightly", event=event)["changed"]


def test_there_is_nothing_to_stop_or_abort_of_a_completed_job_and_a_start_opens_it(api, job):
    api.run("job_status", job_id="nightly", status="completed", result="success")
    for event in ("stop", "abort"):
        result = api.run_as_checked("job_event", job_id="nightly", event=event)
        assert not result["changed"]
        assert result["job"]["job_schedule"].get("event", "") == ""
    schedule = api.run_as_checked("job_event", job_id="nightly", event="start")["job"]["job_schedule"]
    assert (schedule["event"], schedule["status"], schedule["result"]) == ("start", "", "success")


@pytest.mark.parametrize(
    ("module", "options"), [("job_event", {"event": "start"}), ("job_status", {"status": "running"})]
)
def test_a_job_that_does_not_exist_is_a_sentence(api, module, options):
    assert api.sentence(module, job_id="nobody", **options).startswith("There is no job nobody at http")


def test_the_status_of_a_run_is_written_and_nothing_else(api, job):
    result = api.run_as_checked("job_status", job_id="nightly", status="running", result="", time_started=99)
    assert result["changed"]
    assert stored(api) == {
        **job,
        "job_schedule": {**job["job_schedule"], "status": "running", "result": "", "time_started": 99},
    }
    again = api.run_as_checked("job_status", job_id="nightly", status="running", result="", time_started=99)
    assert not again["changed"]


def test_the_progress_of_a_run_is_written_beside_what_is_known_of_it(api, job):
    api.run("job_status", job_id="nightly", progress={"phase": "started", "done_bytes": 5})
    options = {"job_id": "nightly", "reason": "Late.", "progress": {"phase": "playbook"}}
    assert api.run_as_checked("job_status", **options)["changed"]
    assert stored(api)["job_schedule"]["progress"] == {"phase": "playbook", "done_bytes": 5}
    assert stored(api)["job_schedule"]["reason"] == "Late."
    assert not api.run_as_checked("job_status", **options)["changed"]


def test_the_round_of_a_session_is_written_beside_the_schedule(api, job):
    result = api.run_as_checked("job_status", job_id="nightly", session_tag=7)
    assert result["diff"]["after"] == {"job_schedule": {}, "session_tag": 7}
    assert stored(api) == {**job, "session_tag": 7}


def test_a_status_of_nothing_is_a_sentence(api, job):
    assert "one of the following is required" in api.sentence("job_status", job_id="nightly")


def test_what_the_agent_will_not_do_and_a_client_that_is_not_there_are_warned_of(api):
    odd = {**ETC, "path_to_bakup": "/x", "storage": "s3"}
    result = api.run("job", **{**JOB, "job_actions": [{"freezer_action": odd}]})
    place = "job_actions.0.freezer_action"
    warnings = str(result["warnings"])
    for sentence in (
        f"No client db1 is registered at {api.registry.url}; the job is run when one is.",
        f"The agent of this release has no storage s3, agents of Freezer do (in {place}.storage).",
        f"not known to this release (in {place}). Did you mean path_to_backup?",
    ):
        assert sentence in warnings
    api.run("client", client_id="db1")
    result = api.run("job_set", jobs=[{**JOB, "job_id": "other"}])
    assert not result.get("warnings")
    result = api.run("job_set", jobs=[{**JOB, "job_id": "third", "client_id": "db9"}])
    assert len(result["warnings"]) == 1
    assert "No client db9 is registered" in str(result["warnings"])


@pytest.mark.parametrize("module", ["job", "job_set", "action"])
def test_what_no_agent_could_do_is_refused_before_anything_is_sent(api, module):
    six = {**ETC, "max_level": "six"}
    options = {**JOB, "job_actions": [{"freezer_action": six}]}
    if module == "job_set":
        options = {"jobs": [options]}
    elif module == "action":
        options = {"action_id": "etc", "freezer_action": six}
    assert "max_level has to be a whole number, and is 'six' (in " in api.sentence(module, **options)


def test_a_bare_action_is_refused_unless_the_defaults_complete_it(api):
    bare = {**JOB, "job_actions": [{"freezer_action": {"action": "backup"}}]}
    assert "path_to_backup is missing" in api.sentence("job", **bare)
    assert api.run("job", **{**bare, "action_defaults": ETC})["changed"]
