# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What runs when, and how much at once, with a clock that is moved by hand and the real API."""

from __future__ import annotations

import logging
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.of_job import actions_of
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.states import State
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.base import ALL_OWNERS
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.query import Query
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.core import dispatch
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.core.journal import Known
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.core.runs import Run
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.core.surroundings import Limits
from ansible_collections.freezer.backup.tests.support.scheduler_world import World, job

UTC = ZoneInfo("UTC")
START = datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()


@pytest.fixture
def world(tmp_path):
    return World(tmp_path, START)


def schedule_of(world, job_id):
    return world.get("jobs", job_id)["job_schedule"]


def most_at_once(world, wanted=lambda process: True):
    """The largest number of agents that were at work together."""
    chosen = [process for process in world.started if wanted(process)]
    return max(sum(1 for two in chosen if two.started <= one.started < two.ends) for one in chosen)


def test_as_many_jobs_run_at_once_as_may_and_the_longest_due_goes_first(world):
    world.node("node", UTC, Limits(concurrent_jobs=2), poll_seconds=5)
    for number in range(6):
        world.create(
            "jobs", job(f"job{number}", "node", 1, {"schedule_date": f"2026-06-01T12:01:0{number}"}, seconds=60)
        )
    world.run_until(START + 600)
    assert most_at_once(world) == 2
    assert [process.job_id for process in world.started] == [f"job{number}" for number in range(6)]


def test_of_one_kind_of_storage_fewer_run_and_others_go_on(world):
    world.node("node", UTC, Limits(concurrent_jobs=10, per_storage={"swift": 1}), poll_seconds=5)
    for number in range(3):
        world.create("jobs", job(f"swift{number}", "node", seconds=60, storage="swift"))
        world.create("jobs", job(f"local{number}", "node", seconds=60))
    world.run_until(START + 600)
    assert most_at_once(world, lambda process: process.job_id.startswith("swift")) == 1
    assert most_at_once(world, lambda process: process.job_id.startswith("local")) == 3
    assert len(world.started) == 6


def test_a_retry_that_waits_holds_no_place(world):
    world.node("node", UTC, Limits(concurrent_jobs=1), poll_seconds=5)
    failing = job("failing", "node", 1, {"schedule_date": "2026-06-01T12:01:00"}, seconds=10, fails=1)
    failing["job_actions"][0].update(max_retries=2, max_retries_interval=100)
    world.create("jobs", failing)
    world.create("jobs", job("other", "node", 1, {"schedule_date": "2026-06-01T12:01:01"}, seconds=10))
    world.run_until(START + 600)
    times = {(one.job_id, round(one.started - START)) for one in world.started}
    assert times == {("failing", 60), ("other", 70), ("failing", 170), ("failing", 280)}
    assert schedule_of(world, "failing")["result"] == "fail"


def test_the_defaults_of_a_job_are_put_into_its_actions_once_a_run(world, monkeypatch):
    merged = []
    monkeypatch.setattr(dispatch, "actions_of", lambda document: merged.append(document) or actions_of(document))
    world.node("node", UTC, poll_seconds=5)
    failing = job("failing", "node", 2, {"schedule_date": "2026-06-01T12:01:00"}, seconds=10, fails=1)
    failing["job_actions"][0].update(max_retries=2, max_retries_interval=100)
    world.create_unchecked({**failing, "action_defaults": {"hostname": "db1"}})
    world.run_until(START + 600)
    assert len(world.started) == 3
    assert len(merged) == 1


@pytest.mark.parametrize(
    ("policy", "grace", "hours"),
    [
        ("latest", 7200, ["16:00", "17:00"]),
        ("all", 7200, ["15:00", "16:00", "17:00"]),
        ("none", 7200, ["17:00"]),
        ("latest", 600, ["17:00"]),
        ("all", 10**6, ["13:00", "14:00", "15:00", "16:00", "17:00"]),
    ],
)
def test_times_that_passed_while_the_node_was_down_are_made_up_for_as_the_job_says(world, policy, grace, hours):
    node = world.node("node", UTC, poll_seconds=30)
    keys = {"schedule_catch_up": policy, "schedule_misfire_grace_time": grace}
    world.create(
        "jobs", job("hourly", "node", 1, {"schedule_minute": "0", "schedule_timezone": "UTC", **keys}, seconds=5)
    )
    world.run_until(START + 600)
    node.lose_power()
    world.run_until(START + 4.5 * 3600)
    node.boot()
    world.run_until(START + 5.2 * 3600)
    assert [datetime.fromtimestamp(one.due, UTC).strftime("%H:%M") for one in world.started] == hours


def test_a_date_that_was_missed_for_too_long_is_said_to_be(world):
    schedule = {"schedule_date": "2026-06-01T10:00:00Z", "time_created": int(START) - 86400}
    world.create_unchecked(job("missed", "node", 1, schedule))
    world.node("node", UTC, poll_seconds=5)
    world.run_until(START + 60)
    assert world.started == []
    schedule = schedule_of(world, "missed")
    assert (schedule["status"], schedule["result"]) == ("completed", "fail")
    assert "it would be too late now" in schedule["reason"]


@pytest.mark.parametrize(("start", "seconds"), [("12:05:00", 300), ("10:00:00", 0)])
def test_a_job_with_nothing_but_a_start_date_runs_once_and_not_before_it(world, start, seconds):
    world.create("jobs", job("first", "node", 1, {"schedule_start_date": f"2026-06-01T{start}Z"}, seconds=10))
    world.node("node", UTC, poll_seconds=60)
    world.run_until(START + 86400)
    (run,) = world.started
    assert seconds <= run.started - START < seconds + 15
    assert schedule_of(world, "first")["status"] == "completed"


@pytest.mark.parametrize(
    "schedule",
    [
        {},
        {"schedule_start_date": "2026-05-01T12:00:00Z"},
        {"schedule_date": "2026-06-01T14:00:00", "schedule_timezone": "UTC"},
        {"schedule_interval": "1 minutes"},
    ],
    ids=str,
)
@pytest.mark.parametrize(("end", "runs"), [("12:00:00", 0), ("13:00:00", 1)])
def test_a_job_is_not_due_behind_its_end_date_whatever_its_schedule_says(world, schedule, end, runs):
    keys = {**schedule, "schedule_end_date": f"2026-06-01T{end}Z"}
    world.run_until(START + 1)
    world.create("jobs", job("ended", "node", 1, keys, seconds=1))
    world.node("node", UTC, poll_seconds=60)
    world.run_until(START + 3 * 3600)
    assert bool(world.started) == (runs and "schedule_date" not in schedule)
    found = schedule_of(world, "ended")
    assert found["status"] == "completed"
    if not world.started:
        assert found["reason"] == "Its schedule has no more due times, so nothing was run."


def test_a_job_that_waits_for_its_start_date_can_be_started_before(world):
    world.create(
        "jobs", job("first", "node", 1, {"schedule_start_date": "2026-06-01T13:00:00Z", "event": "start"}, seconds=10)
    )
    node = world.node("node", UTC, poll_seconds=5)
    world.run_until(START + 600)
    node.lose_power()
    node.boot()
    world.run_until(START + 7200)
    assert [one.started - START >= 3600 for one in world.started] == [False, True]


def test_a_schedule_that_makes_no_sense_is_said_to_once(world, caplog):
    world.create_unchecked(job("wrong", "node", 1, {"schedule_hour": "25"}))
    world.node("node", UTC, poll_seconds=5)
    world.run_until(START + 60)
    assert caplog.text.count("its values go from 0 to 23") == 1
    schedule = schedule_of(world, "wrong")
    assert (schedule["status"], schedule["result"]) == ("completed", "fail")
    assert "its values go from 0 to 23" in schedule["reason"]


def test_another_schedule_holds_from_the_next_look_on_and_makes_up_for_nothing(world):
    world.node("node", UTC, poll_seconds=5)
    world.create("jobs", job("moved", "node", 1, {"schedule_interval": "1 weeks"}, seconds=1))
    world.run_until(START + 100)
    world.ask("PATCH", "/v2/world/jobs/moved", {"job_schedule": {"schedule_interval": "60 seconds"}})
    world.run_until(START + 300)
    assert [one.due - START for one in world.started] == [120, 180, 240, 300]


@pytest.mark.parametrize(
    ("schedule", "reason"),
    [
        ({"schedule_date": "2026-06-01T10:00:00Z"}, "Its schedule has no more due times"),
        ({}, "It has no schedule any more"),
    ],
)
def test_a_job_that_gets_a_schedule_without_a_time_to_come_is_completed_and_not_run(world, schedule, reason):
    world.node("node", UTC, poll_seconds=5)
    world.create("jobs", job("moved", "node", 1, {"schedule_date": "2026-06-02T10:00:00Z"}, seconds=1))
    world.run_until(START + 30)
    assert schedule_of(world, "moved")["status"] == "scheduled"
    # As an API of upstream's does with a change: the whole schedule is replaced.
    stored = world.store.get("job", "moved", ALL_OWNERS)
    kept = {key: stored.document["job_schedule"][key] for key in ("status", "time_created")}
    world.store.replace(stored, {**stored.document, "job_schedule": {**kept, **schedule}})
    world.run_until(START + 60)
    schedule = schedule_of(world, "moved")
    assert (schedule["status"], schedule.get("result", "")) == ("completed", "")
    assert reason in schedule["reason"]
    world.event("moved", "start")
    world.run_until(START + 120)
    assert (len(world.started), schedule_of(world, "moved")["status"]) == (1, "completed")


def test_a_scheduled_job_that_is_written_anew_without_a_schedule_runs_once(world):
    world.node("node", UTC, poll_seconds=5)
    world.create("jobs", job("moved", "node", 1, {"schedule_date": "2026-06-02T10:00:00Z"}, seconds=1))
    world.run_until(START + 30)
    world.ask("POST", "/v2/world/jobs/moved", job("moved", "node", 1, {}, seconds=1))
    world.run_until(START + 60)
    assert (len(world.started), schedule_of(world, "moved")["status"]) == (1, "completed")


def test_a_start_that_waits_is_not_lost_when_the_schedule_changes(world):
    node = world.node("node", UTC, Limits(concurrent_jobs=1), poll_seconds=5)
    world.create("jobs", job("moved", "node", 1, {"schedule_date": "2026-06-02T10:00:00Z"}, seconds=1))
    world.run_until(START + 30)
    world.event("moved", "start")
    document, tag = world.get("jobs", "moved"), "a"
    node.core.saw([(document, tag)], world.now)
    document["job_schedule"] = {**document["job_schedule"], "event": "", "schedule_date": "2026-06-01T10:00:00Z"}
    node.core.saw([(document, "b")], world.now)
    world.run_until(START + 60)
    assert len(world.started) == 1


def test_a_stop_while_it_runs_takes_effect_at_the_end_and_a_start_takes_it_back(world):
    world.node("node", UTC, poll_seconds=5)
    for job_id in ("stopped", "again"):
        world.create("jobs", job(job_id, "node", 1, {"schedule_interval": "60 seconds"}, seconds=30))
    world.run_until(START + 70)
    world.event("stopped", "stop")
    world.event("again", "stop")
    world.run_until(START + 80)
    assert schedule_of(world, "stopped")["status"] == "running"
    world.event("again", "start")
    world.run_until(START + 200)
    assert (schedule_of(world, "stopped")["status"], schedule_of(world, "stopped")["result"]) == ("stop", "success")
    assert sum(1 for one in world.started if one.job_id == "stopped") == 1
    assert sum(1 for one in world.started if one.job_id == "again") == 3


def test_a_start_of_a_scheduled_job_runs_it_now_and_its_schedule_stays(world):
    world.node("node", UTC, poll_seconds=5)
    world.create("jobs", job("daily", "node", 1, {"schedule_interval": "1 hours"}, seconds=30))
    world.run_until(START + 3700)
    assert schedule_of(world, "daily")["result"] == "success"
    world.event("daily", "start")
    asked = schedule_of(world, "daily")
    assert (asked["status"], asked["result"]) == ("scheduled", "success")
    world.run_until(START + 3800)
    assert (schedule_of(world, "daily")["status"], schedule_of(world, "daily")["event"]) == ("scheduled", "")
    world.run_until(START + 2.1 * 3600)
    first, now, second = [one.started - START for one in world.started]
    assert (first, second) == (3600, 7200)
    assert 3700 <= now <= 3710


@pytest.mark.parametrize("schedule", [{}, {"schedule_date": "2026-06-01T12:00:30"}], ids=["once", "date"])
@pytest.mark.parametrize("ask", ["event", "change", "left by another release"])
def test_a_start_of_a_completed_job_runs_it_again(world, schedule, ask):
    node = world.node("node", UTC, poll_seconds=5)
    world.create("jobs", job("done", "node", 1, schedule, seconds=10))
    world.run_until(START + 100)
    assert schedule_of(world, "done")["status"] == "completed"
    if ask == "event":
        world.event("done", "start")
    elif ask == "change":
        world.ask("PATCH", "/v2/world/jobs/done", {"job_schedule": {"event": "start"}})
    else:
        leave_event(world, "done", "start")
        node.crash()
        node.boot()
    world.run_until(START + 200)
    assert len(world.started) == 2
    found = schedule_of(world, "done")
    assert (found["status"], found["result"], found["event"]) == ("completed", "success", "")
    assert found["time_started"] >= START + 100


def leave_event(world, job_id, event):
    """An event of a completed job as an API of upstream's keeps it."""
    store_as_it_is(world, job_id, job_schedule={**schedule_of(world, job_id), "event": event})


def store_as_it_is(world, job_id, **keys):
    """Store what our API would refuse, or put into another form."""
    (stored,) = [one for one in world.store.search("job", ALL_OWNERS, Query(), 10, 0) if one.id == job_id]
    world.store.replace(stored, {**stored.document, **keys})


@pytest.mark.parametrize(("event", "status"), [("stop", "completed"), ("abort", "completed"), ("remove", "removed")])
def test_an_event_that_waits_at_a_completed_job_is_answered(world, event, status):
    world.create("jobs", job("done", "node", 1, {"status": "completed"}))
    leave_event(world, "done", event)
    world.node("node", UTC, poll_seconds=5)
    world.run_until(START + 30)
    assert world.started == []
    assert (schedule_of(world, "done")["status"], schedule_of(world, "done")["event"]) == (status, "")


def test_an_abort_ends_the_run_of_a_recurring_job_and_its_schedule_goes_on(world):
    world.node("node", UTC, poll_seconds=5)
    world.create("jobs", job("often", "node", 1, {"schedule_interval": "1 hours"}, seconds=600))
    world.run_until(START + 3700)
    world.event("often", "abort")
    world.run_until(START + 3800)
    found = schedule_of(world, "often")
    assert (found["status"], found["result"], found["event"]) == ("scheduled", "aborted", "")
    # There is no run now: nothing is ended, and nothing is left behind.
    world.event("often", "abort")
    world.run_until(START + 3 * 3600 - 1)
    found = schedule_of(world, "often")
    assert [one.started - START for one in world.started] == [3600, 7200]
    assert (found["status"], found["result"], found["event"]) == ("scheduled", "success", "")
    world.event("often", "stop")
    world.run_until(START + 5 * 3600)
    assert schedule_of(world, "often")["status"] == "stop"


def test_a_stop_that_was_requested_before_an_abort_still_counts(world):
    world.node("node", UTC, poll_seconds=5)
    world.create("jobs", job("often", "node", 1, {"schedule_interval": "1 hours"}, seconds=600))
    for moment, event in ((3700, "stop"), (3720, "abort")):
        world.run_until(START + moment)
        world.event("often", event)
    world.run_until(START + 3 * 3600)
    assert (schedule_of(world, "often")["status"], schedule_of(world, "often")["result"]) == ("stop", "aborted")
    assert len(world.started) == 1


def test_a_start_while_it_is_aborted_runs_it_again_at_once(world):
    world.node("node", UTC, poll_seconds=1)
    world.create("jobs", job("once", "node", 1, {}, seconds=600))
    world.run_until(START + 30)
    world.event("once", "abort")
    world.run_until(START + 31.5)
    assert schedule_of(world, "once")["status"] == "aborting"
    world.event("once", "start")
    world.run_until(START + 50)
    assert len(world.started) == 2
    assert schedule_of(world, "once")["status"] == "running"


def node_with_one_place_for_two(world):
    """A node that runs one job at a time, while one of its two jobs runs and the other waits."""
    node = world.node("node", UTC, Limits(concurrent_jobs=1), poll_seconds=5)
    for number in range(2):
        schedule = {"schedule_date": f"2026-06-01T12:01:0{number}"}
        world.create("jobs", job(f"job{number}", "node", 1, schedule, seconds=60))
    world.run_until(START + 70)
    return node


def test_a_job_that_waits_for_its_place_is_queued(world):
    node = node_with_one_place_for_two(world)
    passing = node.core.take_passing()
    assert (passing["job0"]["progress"]["phase"], passing["job1"]["progress"]["phase"]) == ("started", "queued")
    world.ask("PATCH", "/v2/world/jobs/job1", {"job_schedule": passing["job1"]})
    assert schedule_of(world, "job1")["progress"]["phase"] == "queued"
    # What is stopped before its place is free is not queued any more.
    world.event("job1", "abort")
    world.run_until(START + 100)
    found = schedule_of(world, "job1")
    assert (found["status"], found["result"], found["progress"]["phase"]) == ("completed", "aborted", "")


def test_a_job_that_has_ended_is_in_no_phase(world):
    node = node_with_one_place_for_two(world)
    for job_id, keys in node.core.take_passing().items():
        world.ask("PATCH", f"/v2/world/jobs/{job_id}", {"job_schedule": keys})
    world.run_until(START + 300)
    for job_id in ("job0", "job1"):
        schedule = schedule_of(world, job_id)
        assert (schedule["status"], schedule["result"], schedule["progress"]["phase"]) == ("completed", "success", "")


@pytest.mark.parametrize("job_id", ["../../../x", "a/b", "", ".", "..", None, "x" * 256, "line\n"])
def test_a_job_whose_id_could_name_another_file_is_not_run(world, job_id, caplog):
    node = world.node("node", UTC, poll_seconds=5)
    logger = logging.getLogger("freezer_scheduler")
    logger.propagate = True
    for _look in range(2):
        node.core.saw([({**job("good", "node", 1), "job_id": job_id}, None)], START)
    world.run_until(START + 30)
    assert world.started == []
    assert node.core.entries == {}
    assert sum("is no id of a job" in record.getMessage() for record in caplog.records) == 1


def test_a_journal_of_an_earlier_release_with_such_a_job_is_rid_of_it(world):
    node = world.node("node", UTC, poll_seconds=5)
    node.core.journal.keep_job(Known("../x", "{}", None, State("scheduled"), None, 0, True))
    node.core.journal.keep_run(Run("r1", "../x", START, START))
    node.crash()
    node.boot()
    assert list(node.core.journal.jobs()) == []
    assert node.core.journal.runs() == []


def test_the_old_name_of_the_interval_of_retries_holds(world):
    """An API of upstream's keeps it as it was sent."""
    failing = job("failing", "node", 1, {"schedule_date": "2026-06-01T12:01:00"}, seconds=10, fails=1)
    world.create("jobs", failing)
    action = {**failing["job_actions"][0], "max_retries": 1, "max_retry_interval": 100}
    store_as_it_is(world, "failing", job_actions=[action])
    world.node("node", UTC, poll_seconds=5)
    world.run_until(START + 300)
    assert [round(one.started - START) for one in world.started] == [60, 170]


@pytest.mark.parametrize("inner", [{"freezer_action": {"action": "exec", "command": ["id"]}}, {"job_actions": []}])
def test_an_action_within_an_action_is_not_run(world, inner):
    world.create("jobs", job("nested", "node", 1))
    action = {"freezer_action": {"action": "backup", **inner}, "max_retries": 3}
    store_as_it_is(world, "nested", job_actions=[action])
    world.node("node", UTC, poll_seconds=5)
    world.run_until(START + 30)
    assert world.started == []
    found = schedule_of(world, "nested")
    assert (found["status"], found["result"]) == ("completed", "fail")
    assert "give the bare action" in found["reason"]


def test_what_a_known_client_says_of_itself_is_not_written_again(world):
    node = world.node("node", UTC, poll_seconds=5)
    node.conversation.register()
    assert world.get("clients", "node")["client"]["hostname"] == "node"
    described = {"hostname": "db.example.org", "description": "The database"}
    world.ask("PATCH", "/v2/world/clients/node", described)
    node.conversation.register()
    client = world.get("clients", "node")["client"]
    assert {key: client[key] for key in described} == described


def test_a_job_of_another_client_now_is_dropped_here_and_taken_over_there(world):
    world.node("one", UTC, poll_seconds=5)
    world.node("two", UTC, poll_seconds=5)
    world.create("jobs", job("moving", "one", 1, {"schedule_interval": "60 seconds"}, seconds=1))
    world.run_until(START + 70)
    world.ask("PATCH", "/v2/world/jobs/moving", {"client_id": "two"})
    world.run_until(START + 200)
    assert "moving" not in world.nodes["one"].core.entries
    assert [round(one.started - START) for one in world.started] == [60, 120, 180]


def together(world, hold_off=60):
    """A session of a job on each of three nodes, every ten minutes."""
    schedule = {"schedule_interval": "10 minutes", "schedule_start_date": "2026-06-01T12:10:00Z"}
    world.ask("POST", "/v2/world/sessions/s", {"schedule": schedule, "hold_off": hold_off})
    for name in ("one", "two", "three"):
        world.node(name, UTC, poll_seconds=10)
        world.create("jobs", job(f"j-{name}", name, 1, {"schedule_date": "2099-01-01T00:00:00"}, seconds=20))
        world.ask("PUT", f"/v2/world/sessions/s/jobs/j-{name}")


def test_a_clock_that_is_behind_does_not_split_a_round(world):
    together(world)
    world.nodes["two"].skew = -45
    world.nodes["three"].skew = 20
    world.run_until(START + 3600)
    # The node whose clock is ahead begins; the others come as soon as they see it.
    session = world.get("sessions", "s")
    assert session["session_tag"] == 6 or session["session_tag"] == 5
    for round_number in range(5):
        first = START + 600 * (round_number + 1) - 20
        starts = [one.started - world.nodes[one.job_id[2:]].skew for one in world.started]
        assert sum(1 for at in starts if first - 1 <= at <= first + 12) == 3


def test_a_job_that_comes_too_late_is_not_run_and_takes_part_in_the_next_round(world):
    together(world)
    world.run_until(START + 560)
    world.nodes["two"].crash()
    world.run_until(START + 720)
    world.nodes["two"].boot()
    world.run_until(START + 780)
    schedule = schedule_of(world, "j-two")
    assert (schedule["status"], schedule["result"]) == ("scheduled", "fail")
    assert "it came too late for round 1" in schedule["reason"]
    assert not [one for one in world.started if one.job_id == "j-two"]
    world.run_until(START + 1260)
    assert schedule_of(world, "j-two")["result"] == "success"
    assert world.get("sessions", "s")["result"] == "success"
    assert world.get("sessions", "s")["session_tag"] == 2


def test_a_job_that_cannot_ask_its_session_is_not_run_and_says_so(world):
    together(world)
    world.run_until(START + 590)
    world.nodes["two"].is_cut_off = True
    world.run_until(START + 700)
    world.nodes["two"].is_cut_off = False
    world.run_until(START + 760)
    schedule = schedule_of(world, "j-two")
    assert schedule["result"] == "fail"
    assert "could not join its session s and was not run" in schedule["reason"]
    assert {one.job_id for one in world.started} == {"j-one", "j-three"}


def test_a_node_that_dies_in_a_round_does_not_block_the_next(world):
    together(world)
    world.run_until(START + 605)
    world.nodes["two"].lose_power()
    world.run_until(START + 1300)
    session = world.get("sessions", "s")
    assert session["session_tag"] == 2
    assert {job_id: entry["result"] for job_id, entry in session["jobs"].items()} == {
        "j-one": "success", "j-two": "", "j-three": "success",
    }  # fmt: skip
    world.nodes["two"].boot()
    world.run_until(START + 1900)
    assert world.get("sessions", "s")["result"] == "success"


def change_schedule(world, job_id, **keys):
    world.ask("PATCH", f"/v2/world/jobs/{job_id}", {"job_schedule": keys})


def test_a_completed_job_that_gets_a_schedule_is_due_by_it_and_what_passed_is_not_made_up_for(world):
    world.node("node", UTC, poll_seconds=5)
    world.create("jobs", job("once", "node", seconds=1))
    world.run_until(START + 1000)
    assert schedule_of(world, "once")["status"] == "completed"
    change_schedule(world, "once", schedule_interval="300 seconds")
    world.run_until(START + 2000)
    assert [one.due - START for one in world.started[1:]] == [1200, 1500, 1800]
    assert schedule_of(world, "once")["status"] == "scheduled"


def test_a_completed_job_whose_schedule_stays_or_says_no_time_does_not_run_again(world):
    world.node("node", UTC, poll_seconds=5)
    world.create("jobs", job("once", "node", seconds=1))
    world.create("jobs", job("dated", "node", 1, {"schedule_date": "2026-06-01T12:00:10Z"}, seconds=1))
    world.run_until(START + 60)
    for job_id in ("once", "dated"):
        world.ask("PATCH", f"/v2/world/jobs/{job_id}", {"description": "another one"})
    world.ask("POST", "/v2/world/jobs/dated", world.get("jobs", "dated"))
    change_schedule(world, "once", schedule_catch_up="none")
    world.run_until(START + 200)
    change_schedule(world, "dated", schedule_date="2026-06-01T12:01:00Z")
    world.run_until(START + 300)
    assert sorted(one.job_id for one in world.started) == ["dated", "once"]
    assert {schedule_of(world, job_id)["status"] for job_id in ("once", "dated")} == {"completed"}


def test_a_job_that_was_stopped_stays_stopped_with_another_schedule(world):
    world.node("node", UTC, poll_seconds=5)
    world.create("jobs", job("stopped", "node", 1, {"schedule_interval": "1 weeks"}, seconds=1))
    world.run_until(START + 20)
    world.event("stopped", "stop")
    world.run_until(START + 40)
    change_schedule(world, "stopped", schedule_interval="10 seconds")
    world.run_until(START + 200)
    assert (schedule_of(world, "stopped")["status"], world.started) == ("stop", [])


def test_a_schedule_that_comes_during_the_last_run_is_not_lost(world):
    """The API hears that the job is completed before the scheduler hears of the schedule."""
    world.node("node", UTC, poll_seconds=60)
    world.create("jobs", job("once", "node", seconds=10))
    world.run_until(START + 5)
    change_schedule(world, "once", schedule_interval="60 seconds")
    world.run_until(START + 600)
    assert len(world.started) > 5


def test_a_completed_job_that_joins_a_session_runs_in_its_rounds(world):
    world.node("node", UTC, poll_seconds=5)
    world.create("jobs", job("once", "node", seconds=1))
    world.run_until(START + 60)
    world.create("sessions", {"session_id": "s", "schedule": {"schedule_interval": "120 seconds"}, "hold_off": 30})
    world.ask("PUT", "/v2/world/sessions/s/jobs/once")
    world.run_until(START + 300)
    session = world.get("sessions", "s")
    assert (len(world.started), session["session_tag"], session["result"]) == (3, 2, "success")
