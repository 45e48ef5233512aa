# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Weeks of three nodes with a clock that is moved by hand: every run that should have happened did, once.

``make soak`` lets 60 days pass, ``make test`` the days around a change of the clock. The API goes away for some hours a
day, schedulers are killed, nodes lose their power, answers get lost.
"""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.due_times import DueTimes
from ansible_collections.freezer.backup.tests.support.due_moments import up_to
from ansible_collections.freezer.backup.tests.support.scheduler_world import PROJECT, World, job
from ansible_collections.freezer.backup.tests.support.soak import SOAK

pytestmark = pytest.mark.rounds

DAYS = 60 if SOAK else 3
BERLIN = ZoneInfo("Europe/Berlin")
#: 25 October 2026 has 25 hours in Berlin. Sixty days from 1 September on have that day, and summer and winter.
START = datetime(2026, 9, 1, 12, tzinfo=BERLIN) if SOAK else datetime(2026, 10, 24, 12, tzinfo=BERLIN)
NODES = ("node0", "node1", "node2")
#: How old backups may become, in days.
KEPT_DAYS = 7 if SOAK else 1


def schedules(chance):
    """Schedules of all kinds, each at most every ten minutes."""
    hour, minute = chance.randrange(24), chance.randrange(60)
    kind = chance.randrange(7)
    if kind == 0:
        return {"schedule_interval": f"{chance.choice([20, 30, 45])} minutes", "schedule_catch_up": "all"}
    if kind == 1:
        return {"schedule_interval": f"{chance.choice([2, 3, 7])} hours"}
    if kind == 2:
        return {"schedule_hour": str(chance.choice([1, 2, 3])), "schedule_minute": str(minute)}
    if kind == 3:
        return {"schedule_minute": str(minute)}
    if kind == 4:
        return {"schedule_day_of_week": chance.choice(["mon-fri", "sun", "sat,sun"]), "schedule_hour": str(hour)}
    if kind == 5:
        return {"schedule_hour": "*/3", "schedule_timezone": "America/New_York"}
    day = datetime.fromtimestamp(START.timestamp() + chance.randrange(3600, DAYS * 86400 - 86400), BERLIN)
    return {"schedule_date": day.strftime("%Y-%m-%dT%H:%M:%S")}


def test_every_run_that_should_have_happened_did_once(tmp_path):
    start, end = START.timestamp(), START.timestamp() + DAYS * 86400
    world = World(tmp_path, start, seed=7)
    chance = random.Random(7)
    world.lost_answers = 0.002
    for name in NODES:
        world.node(name, BERLIN, poll_seconds=300)
    plain = {}
    for number in range(36):
        schedule = {**schedules(chance), "schedule_misfire_grace_time": 7200}
        job_id = f"job{number}"
        fails = chance.choice([0, 0, 0.1])
        wanted = job(job_id, NODES[number % 3], 1, schedule, seconds=chance.randrange(5, 120), fails=fails)
        if fails:
            wanted["job_actions"][0].update(max_retries=1, max_retries_interval=30)
        world.create("jobs", wanted)
        plain[job_id] = schedule
    for position, name in enumerate(NODES):
        # One for each node removes the old backups of all its other jobs.
        removals = job(f"old-{name}", name, 0, {"schedule_hour": "4", "schedule_minute": "30"})
        for number in range(position, 36, 3):
            what = {"action": "admin", "backup_name": f"job{number}", "remove_older_than": KEPT_DAYS, "seconds": 5}
            removals["job_actions"].append({"freezer_action": what})
        world.create("jobs", removals)
    world.create("jobs", job("continuous", "node0", 1, {"schedule_interval": "continuous"}, seconds=1800))
    world.ask(
        "POST",
        f"/v2/{PROJECT}/sessions/together",
        {"schedule": {"schedule_hour": "3", "schedule_minute": "10"}, "hold_off": 900},
    )
    for name in NODES:
        world.create("jobs", job(f"together-{name}", name, 1, {}, seconds=600))
        world.ask("PUT", f"/v2/{PROJECT}/sessions/together/jobs/together-{name}")

    moment = start
    while moment < end:
        # A day: the API is away for a while, each scheduler dies once, and now and then a node does.
        trouble = [(moment + chance.randrange(86400), "api")]
        trouble += [(moment + chance.randrange(86400), name) for name in NODES]
        for at, what in sorted(trouble):
            world.run_until(at)
            if what == "api":
                world.api_is_up = False
                world.run_until(at + 3 * 3600)
                world.api_is_up = True
            else:
                node = world.nodes[what]
                if node.is_up:
                    node.lose_power() if chance.random() < 0.3 else node.crash()
                world.run_until(at + chance.randrange(5, 900))
                node.boot()
        moment += 86400
        world.run_until(moment)
    for node in world.nodes.values():
        if not node.is_up:
            node.boot()
    end = world.now
    world.run_until(end + 7000)

    runs = {}
    for process in world.started:
        runs.setdefault(process.job_id, {}).setdefault(process.run_id, []).append(process)
    for job_id, schedule in plain.items():
        created = world.get("jobs", job_id)["job_schedule"]["time_created"]
        expected = list(up_to(DueTimes(schedule, BERLIN, anchor=created), created, end))
        happened = Counter(attempts[0].due for attempts in runs.get(job_id, {}).values() if attempts[0].due <= end)
        assert not [due for due, count in happened.items() if count > 1], job_id
        assert sorted(happened) == expected, (job_id, schedule)

    # One job after the other, with hardly a pause, whatever died.
    continuous = sorted(world.started, key=lambda process: process.started)
    continuous = [process for process in continuous if process.job_id == "continuous"]
    assert len(continuous) > DAYS * 86400 / 1800 * 0.8

    # All nodes of a round have its tag, and each round has one.
    session = world.get("sessions", "together")
    jobs = [world.get("jobs", f"together-{name}") for name in NODES]
    assert session["session_tag"] >= DAYS - 1 - DAYS // 4
    assert {one["session_tag"] for one in jobs} == {session["session_tag"]}
    rounds = Counter()
    for name in NODES:
        for attempts in runs.get(f"together-{name}", {}).values():
            rounds[datetime.fromtimestamp(attempts[0].started, BERLIN).date()] += 1
    assert set(rounds.values()) <= {1, 2, 3}
    assert Counter(rounds.values())[3] >= len(rounds) * 0.6

    # Nothing is lost, nothing doubled, nothing runs that does not run.
    assert all(node.core.journal.waiting_count() == 0 for node in world.nodes.values())
    recorded = Counter(one["backup_id"] for one in world.all("backups"))
    assert set(recorded.values()) == {1}
    # What is recorded is what there is: every backup, but for the old ones that were removed.
    assert set(recorded) == {backup_id for stored in world.stored.values() for backup_id in stored}
    removed = 0
    for job_id in plain:
        ages = sorted(end - at for at in world.stored.get(job_id, {}).values())
        # The newest one stays; the others go at the first removal after their time, if no node was down then.
        assert all(age < (KEPT_DAYS + 2) * 86400 for age in ages[1:]), (job_id, ages)
        removed += sum(1 for attempts in runs.get(job_id, {}).values() for _attempt in attempts) - len(ages)
    assert removed > 50
    for document in world.all("jobs"):
        status = document["job_schedule"]["status"]
        at_work = any(
            one.job_id == document["job_id"] for node in world.nodes.values() for one in node.agents.running.values()
        )
        assert (status == "running") == at_work, document
