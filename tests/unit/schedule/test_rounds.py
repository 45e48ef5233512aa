# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The rounds of a session: six ways to start, how it ends, and how jobs come and go."""

from __future__ import annotations

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.errors import NotAMember, TagTooHigh
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.rounds import (
    end,
    job_alone,
    own_schedule,
    start,
    with_job,
    without_job,
)

NOW = 1_000_000
LONG_AGO = NOW - 10_000
JUST_NOW = NOW - 5


def a_session(tag=7, time_start=LONG_AGO, jobs=("a", "b"), **keys):
    return {
        "session_id": "s",
        "session_tag": tag,
        "hold_off": 30,
        "time_start": time_start,
        "schedule": {},
        "jobs": {job: {"client_id": f"node-{job}", "status": "", "result": ""} for job in jobs},
        **keys,
    }


def test_a_tag_ahead_of_the_session_is_refused():
    with pytest.raises(TagTooHigh, match="requested tag value too high. Session Tag: 7 Job Tag: 8"):
        start(a_session(), "a", 8, NOW)


def test_the_first_after_the_hold_off_starts_a_round():
    answer = start(a_session(status="completed", result="fail"), "a", 7, NOW)
    assert (answer.result, answer.session_tag) == ("success", 8)
    assert answer.session["session_tag"] == 8
    assert answer.session["time_start"] == NOW
    assert answer.session["status"] == "running"
    assert answer.session["result"] == ""
    assert answer.session["jobs"]["a"] == {
        "client_id": "node-a",
        "status": "running",
        "result": "",
        "time_started": NOW,
    }


def test_one_who_is_behind_joins_the_round_during_the_hold_off():
    answer = start(a_session(time_start=JUST_NOW), "b", 6, NOW)
    assert (answer.result, answer.session_tag) == ("success", 7)
    assert answer.session["session_tag"] == 7
    assert answer.session["time_start"] == JUST_NOW
    assert answer.session["jobs"]["b"]["status"] == "running"


def test_any_distance_counts_as_behind():
    assert start(a_session(time_start=JUST_NOW), "b", 0, NOW).result == "success"


def test_one_who_is_in_the_round_already_has_to_hold_off():
    answer = start(a_session(time_start=JUST_NOW), "a", 7, NOW)
    assert (answer.result, answer.session_tag, answer.session) == ("hold-off", 7, None)


def test_one_who_is_behind_after_the_hold_off_is_out_of_sync():
    answer = start(a_session(), "a", 6, NOW)
    assert (answer.result, answer.session_tag, answer.session) == ("out-of-sync", 7, None)


def test_the_hold_off_lasts_to_its_last_second():
    assert start(a_session(time_start=NOW - 30), "a", 7, NOW).result == "hold-off"
    assert start(a_session(time_start=NOW - 31), "a", 7, NOW).result == "success"


def test_a_session_that_does_not_say_holds_off_for_a_minute_and_never_started():
    session = a_session(tag=0, time_start=NOW - 60)
    del session["hold_off"]
    assert start(session, "a", 0, NOW).result == "hold-off"
    del session["time_start"]
    assert start(session, "a", 0, NOW).result == "success"


@pytest.mark.parametrize(("tag", "time_start"), [(7, LONG_AGO), (6, JUST_NOW)])
def test_a_job_that_is_not_in_the_session_cannot_start(tag, time_start):
    with pytest.raises(NotAMember, match="job_id not found in session"):
        start(a_session(time_start=time_start), "stranger", tag, NOW)


def test_a_job_that_is_not_in_the_session_is_told_to_hold_off_or_that_it_is_out_of_sync_all_the_same():
    assert start(a_session(time_start=JUST_NOW), "stranger", 7, NOW).result == "hold-off"
    assert start(a_session(), "stranger", 6, NOW).result == "out-of-sync"


def test_the_document_that_is_given_stays_as_it_is():
    session = a_session()
    before = repr(session)
    start(session, "a", 7, NOW)
    end(session, "a", 7, "success", NOW)
    without_job(session, "a")
    assert repr(session) == before


def run_round(session, **results):
    """Start a round with all jobs and end them one by one; yields the session after each end."""
    tag = session["session_tag"]
    for job in results:
        session = start(session, job, tag, NOW).session
    for number, (job, result) in enumerate(results.items()):
        session = end(session, job, tag + 1, result, NOW + number).session
        yield session


def test_a_session_succeeds_when_all_its_jobs_have():
    first, second = run_round(a_session(), a="success", b="success")
    assert first["status"] == "running"
    assert "time_end" not in first
    assert (second["status"], second["result"], second["time_end"]) == ("completed", "success", NOW + 1)
    assert second["jobs"]["b"]["time_ended"] == NOW + 1


def test_a_failure_of_the_first_job_ends_the_session_while_others_run():
    first, second = run_round(a_session(), a="fail", b="success")
    assert (first["status"], first["result"]) == ("completed", "fail")
    assert (second["status"], second["result"], second["time_end"]) == ("completed", "fail", NOW)


def test_a_failure_of_a_later_job_waits_for_the_jobs_before_it():
    session = start(a_session(), "b", 7, NOW).session
    session = end(session, "b", 8, "fail", NOW).session
    assert session["status"] == "running"
    session = start(session, "a", 7, NOW).session
    session = end(session, "a", 8, "success", NOW).session
    assert (session["status"], session["result"]) == ("completed", "fail")


def test_an_aborted_job_fails_the_session():
    *_earlier, last = run_round(a_session(), a="success", b="aborted")
    assert last["result"] == "fail"


def test_what_jobs_did_in_the_last_round_does_not_end_this_one():
    *_earlier, done = run_round(a_session(), a="success", b="success")
    session = start(done, "a", 8, NOW + 1000).session
    assert session["jobs"]["b"]["status"] == ""
    session = end(session, "a", 9, "success", NOW + 1001).session
    assert (session["session_tag"], session["status"], session["result"]) == (9, "running", "")


def test_a_late_end_of_an_earlier_round_changes_nothing():
    session = start(a_session(), "a", 7, NOW).session
    session = start(session, "b", 7, NOW).session
    session = end(session, "a", 8, "success", NOW).session
    session = start(session, "a", 8, NOW + 1000).session
    answer = end(session, "b", 8, "success", NOW + 1001)
    assert (answer.result, answer.session_tag, answer.session) == ("success", 9, None)


@pytest.mark.parametrize("tag", [7, 8, None])
def test_an_end_of_this_round_counts_also_without_a_tag(tag):
    assert end(a_session(), "a", tag, "success", NOW).session["jobs"]["a"]["status"] == "completed"


def test_a_job_that_is_not_in_the_session_cannot_end():
    with pytest.raises(NotAMember, match="job_id not found in session"):
        end(a_session(), "stranger", 7, "success", NOW)


def a_job(**schedule):
    return {
        "job_id": "c",
        "client_id": "node-c",
        "description": "d",
        "job_schedule": {"time_created": 1, "time_started": 2, "time_ended": 3, "status": "scheduled", **schedule},
    }


def test_a_job_that_joins_gets_the_schedule_and_the_tag_of_the_session():
    schedule = {"schedule_interval": "1 days", "schedule_start_date": "2026-01-01T00:00:00", "status": "odd"}
    session, job = with_job(a_session(schedule=schedule), a_job(schedule_date="2020-01-01T00:00:00", result="success"))
    assert session["jobs"]["c"] == {
        "client_id": "node-c",
        "status": "scheduled",
        "result": "success",
        "time_started": 2,
        "time_ended": 3,
        "schedule": {"schedule_date": "2020-01-01T00:00:00"},
    }
    assert list(session["jobs"]) == ["a", "b", "c"]
    assert (job["session_id"], job["session_tag"], job["description"]) == ("s", 7, "d")
    assert job["job_schedule"] == {
        "time_created": 1,
        "time_started": 2,
        "time_ended": 3,
        "status": "scheduled",
        "result": "success",
        "schedule_interval": "1 days",
        "schedule_start_date": "2026-01-01T00:00:00",
    }


def test_a_run_that_began_before_its_job_joined_is_none_of_the_session():
    session, _job = with_job(a_session(), a_job(status="running", time_ended=-1))
    entry = session["jobs"]["c"]
    assert (entry["status"], entry["time_started"], entry["time_ended"]) == ("", -1, -1)


def test_a_job_that_joins_its_session_again_stays_in_the_round_and_keeps_its_own_schedule():
    session, job = with_job(a_session(schedule={"schedule_hour": "1"}), a_job(schedule_hour="5"))
    session = start(session, "c", 7, NOW).session
    again, job = with_job({**session, "schedule": {"schedule_hour": "2"}}, job, session)
    assert again["jobs"]["c"] == session["jobs"]["c"]
    assert job["job_schedule"]["schedule_hour"] == "2"
    other, job = with_job({**a_session(), "session_id": "other"}, job, again)
    assert own_schedule(other, "c") == {"schedule_hour": "5"}


def test_a_job_that_leaves_goes_on_with_its_own_schedule():
    session, job = with_job(a_session(schedule={"schedule_hour": "1"}), a_job(schedule_minute="5", status="completed"))
    assert job["job_schedule"]["status"] == ""
    alone = job_alone(
        {**job, "job_schedule": {**job["job_schedule"], "status": "completed"}}, own_schedule(session, "c")
    )
    assert (alone["session_id"], alone["job_schedule"]["schedule_minute"]) == ("", "5")
    assert "schedule_hour" not in alone["job_schedule"]
    assert (alone["job_schedule"].get("event", ""), alone["job_schedule"]["status"]) == ("", "")


def test_a_job_that_leaves_is_stopped_where_no_schedule_of_its_own_is_known():
    session, job = with_job(a_session(), a_job())
    assert "c" not in without_job(session, "c")["jobs"]
    alone = job_alone(job)
    assert (alone["session_id"], alone["session_tag"], alone["job_schedule"]["event"]) == ("", 0, "stop")
    assert alone["job_schedule"]["time_created"] == 1


def test_a_job_that_is_not_in_the_session_cannot_leave():
    with pytest.raises(NotAMember, match="has no job c"):
        without_job(a_session(), "c")
