# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is special about sessions: the jobs that they hold and their rounds."""

from __future__ import annotations

import pytest

SESSION = {"session_id": "shop", "schedule": {"schedule_interval": "1 days"}}


@pytest.fixture
def jobs(api):
    """Three jobs that belong to no session."""
    ids = ["db", "web1", "web2"]
    for job_id in ids:
        api.run("job", job_id=job_id, client_id=job_id, job_actions=[], job_schedule={"schedule_interval": "9 days"})
    return ids


def session(api):
    found = api.registry.sessions.get("shop")
    assert found is not None
    return found


def interval(api, job_id):
    return api.registry.jobs.get(job_id)["job_schedule"].get("schedule_interval")


def test_a_session_holds_exactly_the_jobs_that_are_named(api, jobs):
    made = api.run_as_checked("session", **SESSION, jobs=["web1", "db"])
    assert made["diff"]["after"]["jobs"] == ["db", "web1"]
    assert sorted(made["session"]["jobs"]) == ["db", "web1"]
    assert not api.run_as_checked("session", **SESSION, jobs=["db", "web1", "db"])["changed"]

    changed = api.run_as_checked("session", **SESSION, jobs=["web2", "db"])
    assert (changed["diff"]["before"]["jobs"], changed["diff"]["after"]["jobs"]) == (["db", "web1"], ["db", "web2"])
    assert sorted(session(api)["jobs"]) == ["db", "web2"]
    assert api.registry.jobs.get("web1")["session_id"] == ""

    assert api.run_as_checked("session", **SESSION, jobs=[])["changed"]
    assert session(api)["jobs"] == {}


def test_jobs_that_are_not_mentioned_stay_what_they_are(api, jobs):
    api.run("session", **SESSION, jobs=jobs)
    assert api.run_as_checked("session", session_id="shop", description="new")["changed"]
    assert sorted(session(api)["jobs"]) == jobs


def test_the_jobs_of_a_document_mean_the_same(api, jobs):
    api.run("session", **SESSION, jobs=jobs)
    assert not api.run_as_checked("session", **session(api))["changed"]


def test_jobs_follow_a_change_of_the_schedule(api, jobs):
    api.run("session", **SESSION, jobs=["db"])
    assert interval(api, "db") == "1 days"
    api.run_as_checked("session", session_id="shop", schedule={"schedule_interval": "2 days"})
    assert (interval(api, "db"), interval(api, "web1")) == ("2 days", "9 days")
    api.run_as_checked("session", session_id="shop", schedule={"schedule_hour": "3"})
    assert interval(api, "db") is None


def test_the_state_of_the_rounds_is_kept_when_the_schedule_changes_kind(api, jobs):
    api.run("session", **SESSION, jobs=jobs)
    api.run("session_action", session_id="shop", action="start", job_id="db")
    before = session(api)
    api.run_as_checked("session", session_id="shop", schedule={"schedule_hour": "3"}, jobs=jobs[:1])
    after = session(api)
    for key in ("session_tag", "status", "time_start", "hold_off"):
        assert after[key] == before[key]


def test_a_job_of_another_session_is_not_taken_away_from_it(api, jobs):
    api.run("session", **SESSION, jobs=["db"])
    message = api.sentence("session", session_id="other", schedule={}, jobs=["db"])
    assert message == "Job db belongs to session shop; take it out there before the new session can hold it."
    assert api.registry.sessions.get("other") is None


def test_a_session_that_is_removed_lets_its_jobs_go(api, jobs):
    api.run("session", **SESSION, jobs=jobs)
    removed = api.run_as_checked("session", session_id="shop", state="absent")
    assert removed["diff"]["before"]["jobs"] == jobs
    assert {job["session_id"] for job in api.run("job_info")["jobs"]} == {""}
    assert not api.run_as_checked("session", session_id="shop", state="absent")["changed"]


def start(api, job_id, **options):
    result = api.run_as_checked("session_action", session_id="shop", action="start", job_id=job_id, **options)
    promised = api.check("session_action", session_id="shop", action="end", job_id=job_id, result="success")
    assert promised["session_tag"] == result["session_tag"]
    return result["result"], result["session_tag"], result["changed"]


def test_the_first_job_starts_a_round_and_the_others_join_it(api, jobs):
    api.run("session", **SESSION, jobs=jobs, hold_off=3600)
    assert start(api, "db") == ("success", 1, True)
    assert start(api, "web1") == ("success", 1, True)
    assert start(api, "web2", current_tag=0) == ("success", 1, True)
    assert start(api, "db", current_tag=1) == ("hold-off", 1, False)
    assert start(api, "db", current_tag=0) == ("success", 1, False), "it has joined already"


def test_a_job_that_missed_a_round_is_out_of_sync_and_that_is_no_error(api, jobs):
    api.run("session", **SESSION, jobs=jobs, hold_off=-1)
    assert start(api, "db") == ("success", 1, True)
    assert start(api, "db", current_tag=1) == ("success", 2, True)
    assert start(api, "web1", current_tag=0) == ("out-of-sync", 2, False)


def test_a_session_ends_when_its_jobs_have_ended(api, jobs):
    api.run("session", **SESSION, jobs=jobs[:2], hold_off=3600)
    for job_id in jobs[:2]:
        api.run("session_action", session_id="shop", action="start", job_id=job_id)
        api.run("job_status", job_id=job_id, session_tag=1)
    first = api.run_as_checked("session_action", session_id="shop", action="end", job_id="db", result="success")
    assert first["diff"]["after"]["jobs"] == {"db": {"status": "completed", "result": "success"}}
    assert session(api)["status"] == "running"
    again = api.run_as_checked("session_action", session_id="shop", action="end", job_id="db", result="success")
    assert not again["changed"]
    api.run("session_action", session_id="shop", action="end", job_id="web1", result="fail")
    assert (session(api)["status"], session(api)["result"]) == ("completed", "fail")


def test_the_end_of_a_round_that_is_over_changes_nothing(api, jobs):
    api.run("session", **SESSION, jobs=jobs, hold_off=-1)
    for tag in (0, 1):
        api.run("session_action", session_id="shop", action="start", job_id="db", current_tag=tag)
    late = {"session_id": "shop", "action": "end", "job_id": "db", "current_tag": 1, "result": "fail"}
    assert not api.run_as_checked("session_action", **late)["changed"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"session_id": "none", "action": "start", "job_id": "db"}, "There is no session none"),
        (
            {"session_id": "shop", "action": "start", "job_id": "web1"},
            "Job web1 is not one of the jobs of session shop.",
        ),
        ({"session_id": "shop", "action": "start", "job_id": "nobody"}, "There is no job nobody"),
        ({"session_id": "shop", "action": "end", "job_id": "db"}, "action is end but all of the following are missing"),
    ],
)
def test_what_cannot_start_or_end_is_a_sentence(api, jobs, options, sentence):
    api.run("session", **SESSION, jobs=["db"])
    assert sentence in api.sentence("session_action", **options)


def test_a_tag_from_the_future_is_refused(api, jobs):
    api.run("session", **SESSION, jobs=["db"])
    options = {"session_id": "shop", "action": "start", "job_id": "db", "current_tag": 5}
    assert "tag value too high" in api.attempt("session_action", **options)["msg"]
