# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Jobs that the playbook run_job runs, as a scheduler sees them; and runs that wait for their place."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.core.surroundings import Limits
from ansible_collections.freezer.backup.tests.support.scheduler_world import World, job

UTC = ZoneInfo("UTC")
START = datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()
HOURLY = {"schedule_minute": "0", "schedule_timezone": "UTC"}


@pytest.fixture
def world(tmp_path):
    return World(tmp_path, START)


def schedule_of(world, job_id="job"):
    return world.get("jobs", job_id)["job_schedule"]


def begin(world, after=""):
    """What run_job writes when it begins, and a look of the scheduler at it."""
    keys = {"status": "running", "result": "", "reason": "", "time_started": int(world.now), "time_ended": -1}
    progress = {"phase": "playbook", "after": after}
    world.ask("PATCH", "/v2/world/jobs/job", {"job_schedule": {**keys, "progress": progress}})
    world.run_until(world.now + 20)


def end(world, status):
    """What run_job writes at the end, and a look of the scheduler at it."""
    keys = {"status": status, "result": "success", "reason": "", "time_ended": int(world.now)}
    world.ask("PATCH", "/v2/world/jobs/job", {"job_schedule": {**keys, "progress": {"phase": "", "after": ""}}})
    world.run_until(world.now + 20)


def ask(world, event):
    world.event("job", event)
    world.run_until(world.now + 20)


@pytest.mark.parametrize("schedule", [{}, HOURLY])
@pytest.mark.parametrize("seen", ["before", "for the first time", "before and restarted"])
def test_a_run_of_a_playbook_is_left_alone_and_not_lost(world, schedule, seen):
    node = None
    world.create("jobs", job("job", "node", 1, schedule, seconds=5))
    if seen != "for the first time":
        node = world.node("node", UTC, poll_seconds=15)
    world.run_until(START + 30)
    before = len(world.started)
    begin(world)
    if node is None:
        world.node("node", UTC, poll_seconds=15)
    elif seen == "before and restarted":
        node.crash()
        node.boot()
    world.run_until(START + 2 * 3600 + 60)
    found = schedule_of(world)
    assert (found["status"], found["result"], found["reason"]) == ("running", "", "")
    assert len(world.started) == before
    end(world, "scheduled" if schedule else "completed")
    # A time that passed meanwhile is made up for, as after any run.
    found = schedule_of(world)
    assert (found["status"], found["result"], found["reason"]) == (
        "scheduled" if schedule else "completed", "success", "",
    )  # fmt: skip
    assert len(world.started) == before + (1 if schedule else 0)
    world.run_until(START + 3 * 3600 + 60)
    assert len(world.started) == before + (2 if schedule else 0)


def test_the_schedule_goes_on_whatever_the_playbook_said_of_it(world):
    world.node("node", UTC, poll_seconds=15)
    world.create("jobs", job("job", "node", 1, HOURLY, seconds=5))
    world.run_until(START + 30)
    begin(world)
    end(world, "completed")
    assert schedule_of(world)["status"] == "scheduled"
    world.run_until(START + 3600 + 60)
    assert len(world.started) == 1


@pytest.mark.parametrize("seen", ["before", "for the first time"])
@pytest.mark.parametrize("schedule", [{}, HOURLY])
def test_a_stopped_job_is_stopped_after_a_run_of_a_playbook(world, schedule, seen):
    world.create("jobs", job("job", "node", 1, schedule))
    ask(world, "stop")
    node = world.node("node", UTC, poll_seconds=15)
    world.run_until(START + 60)
    assert schedule_of(world)["status"] == "stop"
    if seen != "before":
        node.lose_power()
        begin(world, after="stop")
        world.node("node", UTC, poll_seconds=15)
    else:
        begin(world, after="stop")
    end(world, "stop")
    world.run_until(START + 2 * 3600)
    assert schedule_of(world)["status"] == "stop"
    assert world.started == []


def test_a_start_while_a_playbook_runs_a_stopped_job_takes_the_stop_back(world):
    world.create("jobs", job("job", "node", 1, HOURLY))
    ask(world, "stop")
    world.node("node", UTC, poll_seconds=15)
    world.run_until(START + 60)
    begin(world, after="stop")
    ask(world, "start")
    assert (schedule_of(world)["event"], world.started) == ("", [])
    end(world, "stop")
    assert schedule_of(world)["status"] == "scheduled"


def test_a_stop_and_a_removal_take_effect_when_the_playbook_has_ended(world):
    world.node("node", UTC, poll_seconds=15)
    world.create("jobs", job("job", "node", 1, HOURLY))
    world.run_until(START + 30)
    for event, status in (("stop", "stop"), ("remove", "removed")):
        begin(world)
        ask(world, event)
        assert (schedule_of(world)["status"], schedule_of(world)["event"]) == ("running", "")
        end(world, "scheduled")
        assert schedule_of(world)["status"] == status


def test_an_abort_frees_a_job_whose_playbook_is_gone(world):
    world.node("node", UTC, poll_seconds=15)
    world.create("jobs", job("job", "node", 1, HOURLY, seconds=5))
    world.run_until(START + 30)
    begin(world)
    ask(world, "abort")
    found = schedule_of(world)
    assert (found["status"], found["result"], found["event"]) == ("scheduled", "aborted", "")
    assert "while a playbook ran it" in found["reason"]
    world.run_until(START + 3600 + 60)
    assert schedule_of(world)["result"] == "success"


def test_a_job_that_is_deleted_while_a_playbook_runs_it_is_forgotten(world):
    node = world.node("node", UTC, poll_seconds=15)
    world.create("jobs", job("job", "node", 1, HOURLY))
    world.run_until(START + 30)
    begin(world)
    world.ask("DELETE", "/v2/world/jobs/job")
    world.run_until(world.now + 30)
    assert node.core.entries == {}


def test_a_queued_run_is_taken_back_when_a_playbook_runs_the_job(world):
    world.node("node", UTC, Limits(concurrent_jobs=1), poll_seconds=15)
    world.create("jobs", job("first", "node", seconds=100))
    world.run_until(START + 10)
    world.create("jobs", job("job", "node", seconds=5))
    world.run_until(START + 30)
    begin(world)
    world.run_until(START + 300)
    assert schedule_of(world)["status"] == "running"
    end(world, "completed")
    assert [one.job_id for one in world.started] == ["first"]


@pytest.mark.parametrize(
    "schedule", [{}, {"schedule_interval": "1 hours", "schedule_start_date": "2026-06-01T12:00:20Z"}]
)
def test_a_queued_job_that_is_stopped_is_stopped_at_once_and_does_not_run(world, schedule):
    node = world.node("node", UTC, Limits(concurrent_jobs=1), poll_seconds=15)
    world.create("jobs", job("first", "node", seconds=100))
    world.run_until(START + 10)
    world.create("jobs", job("job", "node", 1, schedule, seconds=5))
    world.run_until(START + 40)
    assert node.core.entries["job"].state.status == "queued"
    assert schedule_of(world)["status"] == "scheduled"
    ask(world, "stop")
    found = schedule_of(world)
    assert (found["status"], found["event"], found["progress"]["phase"]) == ("stop", "", "")
    world.run_until(START + 300)
    assert [one.job_id for one in world.started] == ["first"]
    ask(world, "start")
    world.run_until(world.now + 3600)
    assert "job" in [one.job_id for one in world.started]


def test_a_queued_job_of_a_session_that_is_stopped_does_not_keep_the_round_open(world):
    world.node("node", UTC, Limits(concurrent_jobs=1), poll_seconds=15)
    world.create("jobs", job("first", "node", seconds=1000))
    world.run_until(START + 10)
    world.create("jobs", job("job", "node", seconds=5))
    world.create(
        "sessions", {"session_id": "shop", "schedule": {"schedule_date": "2026-06-01T12:01:00"}, "hold_off": 60}
    )
    world.ask("PUT", "/v2/world/sessions/shop/jobs/job")
    world.run_until(START + 90)
    assert world.get("sessions", "shop")["status"] == "running"
    ask(world, "stop")
    found = world.get("sessions", "shop")
    assert (found["status"], found["result"]) == ("completed", "fail")
