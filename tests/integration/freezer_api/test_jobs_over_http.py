# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Jobs over HTTP: what the server adds, events, and the action documents that jobs bring along."""

from __future__ import annotations

import time

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.grammar import TRIGGER_KEYS


def a_job(*actions, **keys):
    return {"client_id": "db1", "job_actions": list(actions), **keys}


BACKUP = {
    "freezer_action": {
        "action": "backup",
        "path_to_backup": "/etc",
        "backup_name": "etc",
        "storage": "local",
        "container": "c",
    }
}
RESTORE = {"freezer_action": {"action": "restore", "restore_abs_path": "/x", "container": "c"}}


def action_ids(tenant):
    return sorted(tenant.ids("/actions", "action_id"))


def test_a_new_job_gets_its_times_and_keeps_what_was_sent(tenant):
    before = int(time.time())
    action = {**BACKUP, "mandatory": True, "max_retries": 3, "max_retries_interval": 60, "exit_status": "success"}
    job_id = tenant.post("/jobs", a_job(action, job_schedule={"schedule_interval": "5 minutes"})).json["job_id"]
    job = tenant.get(f"/jobs/{job_id}").json
    assert before <= job["job_schedule"]["time_created"] <= int(time.time())
    assert (job["job_schedule"]["time_started"], job["job_schedule"]["time_ended"]) == (-1, -1)
    assert job["job_schedule"]["schedule_interval"] == "5 minutes"
    (stored,) = job["job_actions"]
    assert stored.pop("action_id")
    assert stored.pop("user_id") == tenant.user_id
    assert stored == action


def test_no_client_needs_to_be_registered_for_a_job(tenant):
    assert tenant.post("/jobs", a_job()).status == 201


def test_defaults_of_actions_are_expanded_and_gone(tenant):
    body = a_job(
        {
            "freezer_action": {
                "action": "backup",
                "path_to_backup": "/etc",
                "backup_name": "etc",
                "storage": "local",
                "container": None,
            }
        },
        {
            "freezer_action": {
                "action": "backup",
                "path_to_backup": "/etc",
                "backup_name": "etc",
                "storage": "local",
                "container": "own",
            }
        },
        action_defaults={"container": "common", "log_file": "/tmp/log"},
    )
    job_id = tenant.post("/jobs", body).json["job_id"]
    job = tenant.get(f"/jobs/{job_id}").json
    assert "action_defaults" not in job
    assert [action["freezer_action"] for action in job["job_actions"]] == [
        {
            "action": "backup",
            "path_to_backup": "/etc",
            "backup_name": "etc",
            "storage": "local",
            "container": "common",
            "log_file": "/tmp/log",
        },
        {
            "action": "backup",
            "path_to_backup": "/etc",
            "backup_name": "etc",
            "storage": "local",
            "container": "own",
            "log_file": "/tmp/log",
        },
    ]
    tenant.patch(f"/jobs/{job_id}", {"action_defaults": {"mode": "fs"}})
    job = tenant.get(f"/jobs/{job_id}").json
    assert [action["freezer_action"]["mode"] for action in job["job_actions"]] == ["fs", "fs"]
    assert tenant.post("/jobs", a_job(action_defaults=[])).status == 400


def test_a_change_of_the_schedule_keeps_its_other_keys(tenant):
    tenant.post("/jobs/j", a_job(BACKUP, job_schedule={"schedule_interval": "5 minutes"}))
    tenant.patch("/jobs/j", {"job_schedule": {"status": "running", "current_pid": 7}})
    tenant.patch("/jobs/j", {"description": "changed"})
    schedule = tenant.get("/jobs/j").json["job_schedule"]
    assert schedule.pop("time_created") > 0
    assert schedule == {
        "schedule_interval": "5 minutes",
        "time_started": -1,
        "time_ended": -1,
        "status": "running",
        "current_pid": 7,
    }


def test_a_change_may_bring_the_version_back_that_was_read(tenant):
    tenant.post("/jobs/j", a_job())
    assert tenant.patch("/jobs/j", {"_version": 1, "description": "d"}).json == {"job_id": "j", "version": 2}
    assert tenant.post("/jobs/j", {**tenant.get("/jobs/j").json}).status == 201


def test_a_replaced_job_forgets_its_runs_but_not_its_birth_and_its_session(tenant):
    tenant.post("/sessions/s", {"schedule": {}})
    tenant.post("/jobs/j", a_job(job_schedule={"status": "completed", "schedule_hour": "3"}))
    created = tenant.get("/jobs/j").json["job_schedule"]["time_created"]
    tenant.put("/sessions/s/jobs/j")
    tenant.post("/jobs/j", a_job(job_schedule={"schedule_minute": "4"}))
    job = tenant.get("/jobs/j").json
    assert job["job_schedule"] == {
        "time_created": created, "time_started": -1, "time_ended": -1, "schedule_minute": "4"
    }  # fmt: skip
    assert (job["session_id"], job["session_tag"]) == ("s", 0)


def test_only_the_server_says_when_a_job_was_made(tenant):
    before = int(time.time())
    tenant.post("/jobs/j", a_job(job_schedule={"time_created": 5}))
    created = tenant.get("/jobs/j").json["job_schedule"]["time_created"]
    assert before <= created <= int(time.time())
    tenant.post("/jobs/j", a_job(job_schedule={"time_created": 5}))
    assert tenant.patch("/jobs/j", {"job_schedule": {"time_created": 5}}).status == 200
    assert tenant.get("/jobs/j").json["job_schedule"]["time_created"] == created


def test_a_run_may_be_late_by_a_year_at_most(tenant):
    assert tenant.post("/jobs/j", a_job(job_schedule={"schedule_misfire_grace_time": 31622400})).status == 201
    assert tenant.post("/jobs/k", a_job(job_schedule={"schedule_misfire_grace_time": 31622401})).status == 400


def test_an_action_of_a_job_has_a_document_that_lives_with_the_job(tenant):
    tenant.post("/jobs/j", a_job(BACKUP, RESTORE))
    first, second = (action["action_id"] for action in tenant.get("/jobs/j").json["job_actions"])
    assert action_ids(tenant) == sorted([first, second])
    document = tenant.get(f"/actions/{first}").json
    assert document["freezer_action"] == BACKUP["freezer_action"]
    assert document["job_id"] == "j"

    tenant.patch("/jobs/j", {"job_actions": [{"freezer_action": {"action": "info"}}]})
    assert [action["action_id"] for action in tenant.get("/jobs/j").json["job_actions"]] == [first]
    assert action_ids(tenant) == [first]
    assert tenant.get(f"/actions/{first}").json["freezer_action"] == {"action": "info"}

    tenant.delete("/jobs/j")
    assert action_ids(tenant) == []


def test_a_job_that_is_read_changed_and_sent_back_keeps_its_actions(tenant):
    tenant.post("/jobs/j", a_job(BACKUP, RESTORE))
    job = tenant.get("/jobs/j").json
    kept, gone = (action["action_id"] for action in reversed(job["job_actions"]))
    job["job_actions"] = [job["job_actions"][1], {"freezer_action": {"action": "info"}}]
    assert tenant.post("/jobs/j", job).status == 201
    stored = [action["action_id"] for action in tenant.get("/jobs/j").json["job_actions"]]
    assert stored[0] == kept
    assert stored[1] not in (kept, gone)
    assert action_ids(tenant) == sorted(stored)


def test_an_action_that_is_named_by_its_id_completes_the_job_and_is_left_alone(tenant):
    tenant.post("/actions/shared", {**BACKUP, "max_retries": 4})
    tenant.post(
        "/jobs/j",
        a_job({"action_id": "shared"}, {"action_id": "shared", "freezer_action": {"action": "info", "mode": "fs"}}),
    )
    actions = tenant.get("/jobs/j").json["job_actions"]
    assert actions[0]["freezer_action"] == BACKUP["freezer_action"]
    assert actions[0]["max_retries"] == 4
    assert actions[1]["freezer_action"] == {"action": "info", "mode": "fs"}
    assert tenant.get("/actions/shared").json["freezer_action"] == BACKUP["freezer_action"]
    tenant.delete("/jobs/j")
    assert tenant.get("/actions/shared").status == 200


def test_defaults_complete_an_action_that_is_named_by_its_id(tenant):
    shared = {"action": "backup", "path_to_backup": "/etc", "mode": None, "container": "own"}
    tenant.post("/actions/shared", {"freezer_action": shared, "max_retries": 4})
    defaults = {"mode": "fs", "container": "common", "backup_name": "all"}
    wanted = {**shared, "mode": "fs", "backup_name": "all"}
    job = a_job({"action_id": "shared"}, action_defaults=defaults)
    assert tenant.post("/jobs/j", job).status == 201
    assert tenant.post("/jobs/j", job).status == 201
    stored = tenant.get("/jobs/j").json
    assert "action_defaults" not in stored
    assert [(one["freezer_action"], one["max_retries"]) for one in stored["job_actions"]] == [(wanted, 4)]
    assert tenant.patch("/jobs/j", {"action_defaults": {"hostname": "db1"}}).status in (200, 201)
    (action,) = tenant.get("/jobs/j").json["job_actions"]
    assert action["freezer_action"] == {**wanted, "hostname": "db1"}
    assert tenant.get("/actions/shared").json["freezer_action"] == shared


def test_an_action_under_a_new_id_is_created_and_stays(tenant):
    named = {**BACKUP, "action_id": "mine"}
    tenant.post("/jobs/j", a_job(named, named))
    assert tenant.get("/actions/mine").json["freezer_action"] == BACKUP["freezer_action"]
    tenant.delete("/jobs/j")
    assert tenant.get("/actions/mine").status == 200


def test_an_action_of_the_job_that_is_named_by_its_id_alone_stays_what_it_is(tenant):
    tenant.post("/jobs/j", a_job(BACKUP))
    (action,) = tenant.get("/jobs/j").json["job_actions"]
    tenant.patch("/jobs/j", {"job_actions": [{"action_id": action["action_id"], "mandatory": True}]})
    assert tenant.get("/jobs/j").json["job_actions"] == [{**action, "mandatory": True}]
    document = tenant.get(f"/actions/{action['action_id']}").json
    assert (document["freezer_action"], document["mandatory"]) == (BACKUP["freezer_action"], True)


def test_an_action_that_says_nothing_is_refused(tenant):
    reply = tenant.post("/jobs", a_job({"mandatory": True}))
    assert reply.status == 400
    assert "freezer_action" in reply.json["description"]


def test_an_action_without_a_description_is_refused_and_nothing_is_stored(tenant):
    reply = tenant.post("/jobs/j", a_job(BACKUP, {"action_id": "nowhere"}))
    assert reply.status == 400
    assert "nowhere" in reply.json["description"]
    assert tenant.get("/jobs/j").status == 404
    assert action_ids(tenant) == []


def test_a_job_that_cannot_be_created_leaves_no_actions(tenant):
    tenant.post("/jobs/j", a_job())
    assert tenant.post("/jobs", a_job(BACKUP, job_id="j")).status == 409
    assert action_ids(tenant) == []


@pytest.mark.parametrize("event", ["start", "stop", "abort"])
def test_an_event_is_requested_once(tenant, event):
    kept = {"status": "scheduled", "result": "fail", "schedule_hour": "3"}
    tenant.post("/jobs/j", a_job(job_schedule=kept))
    reply = tenant.post("/jobs/j/event", {event: None})
    assert (reply.status, reply.json) == (202, {"result": "success"})
    schedule = tenant.get("/jobs/j").json["job_schedule"]
    assert {key: schedule[key] for key in (*kept, "event")} == {**kept, "event": event}
    etag = tenant.get("/jobs/j").headers["etag"]
    reply = tenant.post("/jobs/j/event", {event: "anything"})
    assert (reply.status, reply.json) == (202, {"result": f"{event} already requested"})
    assert tenant.get("/jobs/j").headers["etag"] == etag


def ask_by_event(tenant, event):
    tenant.post("/jobs/j/event", {event: None})


def ask_by_change(tenant, event):
    assert tenant.patch("/jobs/j", {"job_schedule": {"event": event}}).status == 200


def ask_by_batch(tenant, event):
    item = {"op": "patch", "job_id": "j", "changes": {"job_schedule": {"event": event}}}
    assert tenant.post("/jobs:batch", {"items": [item]}).status == 200


@pytest.mark.parametrize(
    ("ask", "event", "expected"),
    [
        (ask, event, expected)
        for ask in (ask_by_event, ask_by_change, ask_by_batch)
        for event, expected in {
            "start": ("", "start"),
            "stop": ("completed", ""),
            "abort": ("completed", ""),
            "remove": ("", "remove"),
        }.items()
    ],
)
def test_a_completed_job_is_open_again_for_a_start_and_keeps_no_event_that_changes_nothing(
    tenant, ask, event, expected
):
    tenant.post("/jobs/j", a_job(job_schedule={"status": "completed", "result": "fail"}))
    ask(tenant, event)
    schedule = tenant.get("/jobs/j").json["job_schedule"]
    assert (schedule["status"], schedule.get("event", "")) == expected
    # The last result stays until there is a new run.
    assert schedule["result"] == "fail"


def test_a_job_that_completes_while_something_is_asked_of_it_is_open_again_or_forgets_it(tenant):
    for event, expected in (("start", ("", "start")), ("abort", ("completed", ""))):
        tenant.post(f"/jobs/{event}", a_job(job_schedule={"status": "running"}))
        tenant.post(f"/jobs/{event}/event", {event: None})
        tenant.patch(f"/jobs/{event}", {"job_schedule": {"status": "completed"}})
        schedule = tenant.get(f"/jobs/{event}").json["job_schedule"]
        assert (schedule["status"], schedule["event"]) == expected


def test_a_stop_of_a_completed_job_is_answered_with_the_reason_why_nothing_is_done(tenant):
    tenant.post("/jobs/j", a_job(job_schedule={"status": "completed"}))
    etag = tenant.get("/jobs/j").headers["etag"]
    reply = tenant.post("/jobs/j/event", {"stop": None})
    assert (reply.status, reply.json) == (202, {"result": "nothing to stop: the job is completed"})
    assert tenant.get("/jobs/j").headers["etag"] == etag


def test_a_started_job_is_found_again_by_its_scheduler(tenant):
    tenant.post("/jobs/j", a_job(job_schedule={"status": "completed"}))
    poll = {"match": [{"client_id": "db1"}], "match_not": [{"status": "completed"}]}
    assert tenant.get("/jobs", poll).json == {"jobs": []}
    tenant.post("/jobs/j/event", {"start": None})
    assert [job["job_id"] for job in tenant.get("/jobs", poll).json["jobs"]] == ["j"]


@pytest.mark.parametrize(
    ("body", "title"),
    [
        ({"explode": None}, "Bad Action Method"),
        ({}, "Bad request format"),
        ({"start": None, "stop": None}, "Bad request format"),
    ],
)
def test_an_unknown_event_is_refused(tenant, body, title):
    tenant.post("/jobs/j", a_job())
    reply = tenant.post("/jobs/j/event", body)
    assert (reply.status, reply.json["title"]) == (400, title)


def test_an_event_for_an_unknown_job_is_not_found(tenant):
    assert tenant.post("/jobs/unknown/event", {"start": None}).status == 404


def test_jobs_are_found_by_what_is_in_their_actions(tenant):
    tenant.post("/jobs/a", a_job(BACKUP, {"freezer_action": {"action": "info", "container": "other"}}))
    tenant.post("/jobs/b", a_job(BACKUP))
    assert tenant.ids("/jobs", "job_id") == ["a", "b"]
    found = tenant.get("/jobs", {"match": [{"container": "other"}]}).json["jobs"]
    assert [job["job_id"] for job in found] == ["a"]
    found = tenant.get("/jobs", {"match": [{"job_actions.freezer_action.container": "c"}]}).json["jobs"]
    assert [job["job_id"] for job in found] == ["a", "b"]


def test_a_key_of_a_schedule_is_taken_away_by_null(tenant):
    keys = dict.fromkeys(TRIGGER_KEYS)
    schedule = {
        "schedule_interval": "9 minutes",
        "schedule_end_date": "2030-01-01T00:00:00",
        "schedule_catch_up": "all",
    }
    body = {"client_id": "n", "job_actions": [], "job_schedule": {**keys, **schedule}}
    assert tenant.post("/jobs/nulls", body).status == 201
    tenant.post("/sessions/nulls", {"schedule": {**keys, **schedule}})
    for path, where in (("/jobs/nulls", "job_schedule"), ("/sessions/nulls", "schedule")):
        stored = tenant.get(path).json[where]
        assert {key: stored[key] for key in stored if key in keys} == schedule
        assert tenant.patch(path, {where: {"schedule_end_date": None, "schedule_catch_up": None}}).status == 200
        stored = tenant.get(path).json[where]
        assert {key: stored[key] for key in stored if key in keys} == {"schedule_interval": "9 minutes"}


def test_null_is_called_so_where_it_is_refused(tenant):
    body = {"client_id": "n", "job_actions": [{"freezer_action": {"action": None}}], "job_schedule": {"event": None}}
    said = tenant.post("/jobs", body).json["description"]
    assert "None" not in said
    assert "null is not of type 'string' (in job_schedule.event)" in said
    assert "(in job_actions.0.freezer_action.action)" in said
    body = {"client_id": "n", "job_actions": [], "job_schedule": {"schedule_catch_up": "sometimes"}}
    said = tenant.post("/jobs", body).json["description"]
    assert said == "'sometimes' is not one of ['latest', 'all', 'none'] (in job_schedule.schedule_catch_up)"


def test_what_is_wrong_with_a_document_is_said_in_its_own_words_and_all_at_once(tenant):
    body = {
        "client_id": "n",
        "job_actions": [],
        "job_schedle": {},
        "job_schedule": {"schedule_interval": "9 minuts", "schedule_datum": "x", "schedule_end_date": "tomorrow"},
    }
    refused = tenant.post("/jobs", body)
    assert refused.status == 400
    said = refused.json["description"]
    for words in (
        "'job_schedle' is no key here, did you mean job_schedule?",
        "or seconds, such as 9 minutes, and is '9 minuts' (in job_schedule.schedule_interval)",
        "'schedule_datum' is no key here, did you mean schedule_date? (in job_schedule)",
        "schedule_end_date has to be a date such as 2026-11-22T08:30:00",
    ):
        assert words in said, said
