# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Sessions over HTTP: rounds, and which jobs belong to them."""

from __future__ import annotations

import pytest

JOB = {"client_id": "db1", "job_actions": [], "job_schedule": {"schedule_date": "2020-01-01T00:00:00"}}


@pytest.fixture
def session(tenant):
    """A session of two jobs that waits a minute between rounds."""
    body = {"schedule": {"schedule_interval": "1 days"}, "hold_off": 60, "description": "both"}
    assert tenant.post("/sessions/s", body).status == 201
    for job_id in ("a", "b"):
        tenant.post(f"/jobs/{job_id}", JOB)
        assert tenant.put(f"/sessions/s/jobs/{job_id}").status == 204
    return "/sessions/s"


def start(tenant, job_id, tag):
    return tenant.post("/sessions/s/action", {"start": {"job_id": job_id, "current_tag": tag}})


def end(tenant, job_id, tag, result):
    return tenant.post("/sessions/s/action", {"end": {"job_id": job_id, "current_tag": tag, "result": result}})


def test_a_new_session_waits_for_its_first_round(tenant):
    session_id = tenant.post("/sessions", {"schedule": {"schedule_interval": "10 minutes"}}).json["session_id"]
    session = tenant.get(f"/sessions/{session_id}").json
    session.pop("_version", None)
    assert session == {
        "session_id": session_id,
        "session_tag": 0,
        "status": "active",
        "last_start": "",
        "hold_off": 30,
        "schedule": {"schedule_interval": "10 minutes"},
        "jobs": {},
        "user_id": tenant.user_id,
        "project_id": tenant.project_id,
    }


def test_a_round_from_its_start_to_its_end(tenant, session):
    first = start(tenant, "a", 0)
    assert (first.status, first.json) == (202, {"result": "success", "session_tag": 1})
    assert start(tenant, "b", 0).json == {"result": "success", "session_tag": 1}
    assert start(tenant, "a", 1).json == {"result": "hold-off", "session_tag": 1}
    running = tenant.get(session).json
    assert (running["status"], running["session_tag"]) == ("running", 1)
    assert [running["jobs"][job]["status"] for job in "ab"] == ["running", "running"]
    assert end(tenant, "a", 1, "success").json == {"result": "success", "session_tag": 1}
    assert tenant.get(session).json["status"] == "running"
    assert end(tenant, "b", 1, "success").status == 202
    ended = tenant.get(session).json
    assert (ended["status"], ended["result"]) == ("completed", "success")
    assert ended["time_end"] >= ended["time_start"]


def test_after_the_hold_off_the_next_round_starts_and_a_latecomer_is_out_of_sync(tenant, session):
    tenant.patch(session, {"hold_off": -1})
    assert start(tenant, "a", 0).json == {"result": "success", "session_tag": 1}
    assert start(tenant, "b", 0).json == {"result": "out-of-sync", "session_tag": 1}
    assert start(tenant, "a", 1).json == {"result": "success", "session_tag": 2}


def test_a_tag_that_is_too_high_is_refused(tenant, session):
    reply = start(tenant, "a", 1)
    assert reply.status == 400
    assert reply.json["description"] == "requested tag value too high. Session Tag: 0 Job Tag: 1"


def test_a_job_of_no_session_cannot_start_or_end(tenant, session):
    for reply in (start(tenant, "stranger", 0), end(tenant, "stranger", 0, "success")):
        assert (reply.status, reply.json["description"]) == (400, "job_id not found in session")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"start": {}}, 400),
        ({"start": None}, 400),
        ({"start": []}, 400),
        ({"start": {"job_id": "a"}}, 400),
        ({"start": {"job_id": "a", "current_tag": "zero"}}, 400),
        ({"start": {"job_id": "a", "current_tag": True}}, 400),
        ({"start": {"job_id": 3, "current_tag": 0}}, 400),
        ({"end": {"job_id": "a", "current_tag": 0}}, 400),
        ({"end": {"job_id": "a", "current_tag": None, "result": "success"}}, 400),
        ({"end": {"job_id": "a", "result": 0}}, 400),
        ({"pause": {}}, 405),
        ({"start": {"job_id": "a", "current_tag": 0}, "end": {}}, 400),
    ],
    ids=str,
)
def test_an_action_that_says_too_little_is_refused(tenant, session, body, status):
    reply = tenant.post("/sessions/s/action", body)
    assert reply.status == status
    assert set(reply.json) == {"title", "description"}


def test_a_job_in_a_session_has_its_schedule_alone(tenant, session):
    job = tenant.get("/jobs/a").json
    assert (job["session_id"], job["session_tag"]) == ("s", 0)
    assert job["job_schedule"]["schedule_interval"] == "1 days"
    assert "schedule_date" not in job["job_schedule"]
    assert job["job_schedule"]["time_created"] > 0
    assert tenant.get(session).json["jobs"]["a"] == {
        "client_id": "db1",
        "status": "",
        "result": "",
        "time_started": -1,
        "time_ended": -1,
        "schedule": {"schedule_date": "2020-01-01T00:00:00"},
    }


def test_a_job_that_is_taken_out_has_its_own_schedule_again(tenant, session):
    assert tenant.delete("/sessions/s/jobs/a").status == 204
    assert list(tenant.get(session).json["jobs"]) == ["b"]
    job = tenant.get("/jobs/a").json
    assert (job["session_id"], job["session_tag"], job["job_schedule"].get("event", "")) == ("", 0, "")
    assert job["job_schedule"]["schedule_date"] == "2020-01-01T00:00:00"
    assert "schedule_interval" not in job["job_schedule"]
    assert tenant.delete("/sessions/s/jobs/a").status == 404


def test_a_job_moves_from_one_session_to_another(tenant, session):
    tenant.post("/sessions/other", {"schedule": {"schedule_hour": "3"}})
    assert tenant.put("/sessions/other/jobs/a").status == 204
    assert list(tenant.get(session).json["jobs"]) == ["b"]
    assert list(tenant.get("/sessions/other").json["jobs"]) == ["a"]
    job = tenant.get("/jobs/a").json
    assert job["session_id"] == "other"
    assert "schedule_interval" not in job["job_schedule"]


def test_a_job_that_was_deleted_can_still_be_taken_out(tenant, session):
    tenant.delete("/jobs/a")
    assert tenant.delete("/sessions/s/jobs/a").status == 204
    assert list(tenant.get(session).json["jobs"]) == ["b"]


def test_unknown_jobs_and_sessions_are_not_found(tenant, session):
    assert tenant.put("/sessions/s/jobs/unknown").status == 404
    assert tenant.put("/sessions/unknown/jobs/a").status == 404
    assert tenant.delete("/sessions/s/jobs/unknown").status == 404
    assert tenant.delete("/sessions/unknown/jobs/a").status == 404
    reply = tenant.post("/sessions/unknown/action", {"start": {"job_id": "a", "current_tag": 0}})
    assert reply.status == 404


def test_a_session_that_is_replaced_stays_in_step_with_its_jobs(tenant, session):
    start(tenant, "a", 0)
    replaced = tenant.post(session, {"schedule": {"schedule_hour": "4"}, "jobs": []})
    assert replaced.status == 201
    after = tenant.get(session).json
    assert (after["session_tag"], after["status"], list(after["jobs"])) == (1, "running", ["a", "b"])
    assert after["schedule"] == {"schedule_hour": "4"}
    assert "description" not in after
    assert start(tenant, "b", 0).json == {"result": "success", "session_tag": 1}


def test_a_deleted_session_gives_its_jobs_their_own_schedules_back_and_stops_those_without_one(tenant, session):
    tenant.post("/jobs/c", {**JOB, "job_schedule": {}})
    tenant.put("/sessions/s/jobs/c")
    assert tenant.delete(session).status == 204
    own, none = (tenant.get(f"/jobs/{job_id}").json for job_id in "ac")
    assert (own["session_id"], own["job_schedule"]["schedule_date"]) == ("", "2020-01-01T00:00:00")
    assert (none["session_id"], none["job_schedule"]["event"]) == ("", "stop")
    assert not {"schedule_interval"} & {*own["job_schedule"], *none["job_schedule"]}


def test_a_tag_may_be_sent_as_a_string_as_the_command_line_of_freezerclient_does(tenant):
    tenant.post("/sessions/s", {"schedule": {}})
    tenant.post("/jobs/j", {"client_id": "db1", "job_actions": []})
    tenant.put("/sessions/s/jobs/j")
    start = {"start": {"job_id": "j", "current_tag": "0"}}
    assert tenant.post("/sessions/s/action", start).json == {"result": "success", "session_tag": 1}
    for tag in ("", "one", "1.5", "9" * 30, True, None):
        assert tenant.post("/sessions/s/action", {"start": {"job_id": "j", "current_tag": tag}}).status == 400
