# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The table of states: that the documentation has it, and that it holds whatever happens in whatever order."""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule import states
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.states import State, step
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.core.journal import Journal
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.core.surroundings import Limits
from ansible_collections.freezer.backup.tests.support.scheduler_world import Crash, World, job
from ansible_collections.freezer.backup.tests.support.soak import rounds

pytestmark = pytest.mark.rounds

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "scheduler.md"
ROUNDS = rounds(0) * 5 or 12
UTC = ZoneInfo("UTC")
INPUTS = (
    *states.EVENTS, states.FOUND, states.RESCHEDULED, states.DUE, states.BEGUN, states.ENDED, states.LAST_ENDED,
)  # fmt: skip
START = 1_795_000_000.0


def name_of(state):
    shown = state.status or "(new)"
    return f"{shown}, then {state.after}" if state.after else shown


def written_table():
    """The table of docs/scheduler.md: (state, input) to the next state."""
    text = DOCUMENT.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    first = next(number for number, line in enumerate(lines) if line.startswith("| status |"))
    inputs = [cell.strip() for cell in lines[first].strip("|").split("|")][1:]
    found = {}
    for line in lines[first + 1 :]:
        cells = [re.sub(r"[`*]", "", cell).strip() for cell in line.strip("|").split("|")]
        if len(cells) != len(inputs) + 1:
            break
        found.update({(cells[0], what): cell for what, cell in zip(inputs, cells[1:], strict=True)})
    return found


def reachable():
    """All states that inputs lead to."""
    found, new = {State()}, {State()}
    while new:
        new = {step(state, what).state for state in new for what in INPUTS} - found
        found |= new
    return found


def cell_of(state, what):
    """What the table says about a pair: the next state, and whether the job is then due at once."""
    following, do = step(state, what)
    if do == states.ARM_NOW:
        return f"{name_of(following)}, due now"
    return "" if following == state else name_of(following)


def test_the_table_in_the_documentation_is_that_of_the_program():
    table = written_table()
    assert {state for state, _what in table} == {name_of(state) for state in reachable()}
    assert {what for _state, what in table} == set(INPUTS)
    for state in reachable():
        for what in INPUTS:
            assert table[name_of(state), what] == cell_of(state, what), (state, what)


#: How a job comes into each state: what happens to it, one after the other.
WAYS = {
    "(new)": None,
    "scheduled": [],
    "queued": ["queue"],
    "running": ["run"],
    "running, then remove": ["run", "remove"],
    "running, then stop": ["run", "stop"],
    "aborting": ["run", "abort"],
    "aborting, then remove": ["run", "abort", "remove"],
    "aborting, then start": ["run", "abort", "start"],
    "aborting, then stop": ["run", "abort", "stop"],
    "completed": ["run", "end"],
    "stop": ["stop"],
    "removed": ["remove"],
}


@pytest.mark.parametrize("event", states.EVENTS)
@pytest.mark.parametrize("name", WAYS)
def test_every_event_on_every_state_is_answered_as_the_table_says(tmp_path, name, event):
    """From the API to the agent and back: what the documentation says becomes of the job and of the event."""
    schedule = {"schedule_interval": "1 hours", "schedule_start_date": "2026-11-18T11:06:42Z"}
    if name == "completed":
        schedule["schedule_end_date"] = "2026-11-18T11:30:00Z"
    world = World(tmp_path, START)
    if name == "queued":
        world.create("jobs", job("first", "node", seconds=3600))
    world.create("jobs", job("job", "node", 1, schedule, seconds=10))

    def ask(wanted):
        world.ask("PATCH", "/v2/world/jobs/job", {"job_schedule": {"event": wanted}})
        world.run_until(world.now + 0.3)

    if WAYS[name] is None:
        ask(event)
    node = world.node("node", UTC, Limits(concurrent_jobs=1 if name == "queued" else 50), poll_seconds=0.1)
    world.run_until(START + 1)
    for what in WAYS[name] or []:
        if what in states.EVENTS:
            ask(what)
        else:
            world.run_until(START + (20 if what == "end" else 2.5))
    before = 0
    if WAYS[name] is not None:
        before = len(world.started)
        # What has ended is forgotten.
        assert name in ("completed", "removed") or name_of(state_of(node)) == name
        ask(event)

    table = written_table()
    said = table[name, event] or name
    if (name, said) == ("queued", "aborting"):
        # It has no process that would have to end first.
        said = table[said, "ended"]
    found = world.get("jobs", "job")["job_schedule"]
    assert found.get("event", "") == "", found
    if said.endswith(", due now"):
        assert (len(world.started), found["status"]) == (before + 1, "running")
    else:
        told = {"queued": "scheduled"}.get(said, said.partition(",")[0])
        assert (len(world.started), found["status"]) == (before, told)
        assert said in ("completed", "removed") or name_of(state_of(node)) == said


def state_of(node):
    entry = node.core.entries.get("job")
    return entry.state if entry is not None else State()


def test_every_state_comes_to_rest():
    """Whatever was asked for, the end of a run leads to a state without one."""
    for state in reachable():
        if state.status in states.ACTIVE:
            for what in (states.ENDED, states.LAST_ENDED):
                assert step(state, what).state.status not in states.ACTIVE
                assert step(state, what).state.after == ""
        assert step(step(state, states.REMOVE).state, states.ENDED).state.status == states.REMOVED


class DyingJournal(Journal):
    """A journal whose scheduler dies at one of its writes: the fault that is injected."""

    writes_left = None

    def _do(self, statement, *values):
        if self.writes_left is not None and not statement.startswith("SELECT"):
            self.writes_left -= 1
            if self.writes_left < 0:
                raise Crash
        return super()._do(statement, *values)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_whatever_is_asked_for_and_whenever_the_scheduler_dies_every_job_ends_in_a_true_state(
    tmp_path, seed, monkeypatch
):
    monkeypatch.setattr("ansible_collections.freezer.backup.tests.support.scheduler_world.Journal", DyingJournal)
    chance = random.Random(seed)
    world = World(tmp_path, START, seed)
    world.lost_answers = 0.02
    node = world.node("node", UTC, Limits(concurrent_jobs=3), poll_seconds=20)
    kinds = [{}, {"schedule_interval": "2 minutes"}, {"schedule_interval": "continuous"}, {"schedule_minute": "*/3"},
             {"schedule_date": "2026-11-18T09:00:00"}, {"schedule_minute": "61"}]  # fmt: skip
    for number, schedule in enumerate(kinds * 2):
        wanted = job(
            f"job{number}", "node", chance.randrange(1, 3), schedule, seconds=chance.randrange(1, 200), fails=0.3
        )
        wanted["job_actions"][0].update(
            max_retries=chance.randrange(3), max_retries_interval=5, mandatory=chance.random() < 0.5
        )
        world.create_unchecked(wanted)
    alive = {f"job{number}" for number in range(len(kinds) * 2)}
    for _turn in range(60):
        what = chance.randrange(12)
        if what < 6 and alive:
            world.event(chance.choice(sorted(alive)), chance.choice(["start", "start", "stop", "abort"]))
        elif what == 6 and len(alive) > 6:
            removed = chance.choice(sorted(alive))
            alive.discard(removed)
            world.ask("DELETE", f"/v2/world/jobs/{removed}")
        elif what == 7:
            world.api_is_up = not world.api_is_up
        elif what == 8:
            node.core.journal.writes_left = chance.randrange(30)
        elif what == 9:
            node.agents.crash_at_start = True
        elif what == 10 and node.is_up:
            node.lose_power() if chance.random() < 0.5 else node.crash()
        world.run_until(world.now + chance.randrange(1, 90))
        if not node.is_up and chance.random() < 0.8:
            node.boot()

    world.api_is_up, world.lost_answers, node.agents.crash_at_start = True, 0.0, False
    if node.is_up:
        node.core.journal.writes_left = None
    else:
        node.boot()
    world.run_until(world.now + 3600)
    for job_id in sorted(alive):
        world.event(job_id, "stop")
    world.run_until(world.now + 1200)

    states_now = {entry.job_id: (entry.state, entry.job_id in alive) for entry in node.core.entries.values()}
    assert not node.agents.running, states_now
    assert not node.core.active_runs
    assert node.core.journal.waiting_count() == 0
    for job_id in sorted(alive):
        schedule = world.get("jobs", job_id)["job_schedule"]
        assert schedule.get("event", "") == "", schedule
        assert schedule["status"] in ("stop", "completed"), schedule
        if any(process.job_id == job_id for process in world.started):
            assert schedule["time_ended"] >= schedule["time_started"] > 0, schedule
    recorded = Counter(one["backup_id"] for one in world.all("backups"))
    assert not recorded or set(recorded.values()) == {1}


@pytest.mark.parametrize("after", ["crash", "power"])
def test_a_run_that_dies_with_its_node_fails_and_one_that_lives_on_is_taken_up(tmp_path, after):
    world = World(tmp_path, START)
    node = world.node("node", UTC, poll_seconds=10)
    world.create("jobs", job("long", "node", seconds=300))
    world.run_until(START + 60)
    assert world.get("jobs", "long")["job_schedule"]["status"] == "running"
    node.crash() if after == "crash" else node.lose_power()
    world.run_until(START + 90)
    node.boot()
    world.run_until(START + 120)
    if after == "crash":
        assert world.get("jobs", "long")["job_schedule"]["status"] == "running"
        world.run_until(START + 400)
    schedule = world.get("jobs", "long")["job_schedule"]
    assert (schedule["status"], schedule["result"]) == ("completed", "success" if after == "crash" else "fail")
    assert len(world.started) == 1


def test_a_run_that_is_not_remembered_is_not_running_for_ever(tmp_path):
    """The disk of the node is a new one: its job still says that it runs."""
    world = World(tmp_path, START)
    world.create("jobs", job("lost", "node", seconds=300))
    world.ask("PATCH", "/v2/world/jobs/lost", {"job_schedule": {"status": "running"}})
    world.node("node", UTC, poll_seconds=10)
    world.run_until(START + 60)
    schedule = world.get("jobs", "lost")["job_schedule"]
    assert (schedule["status"], schedule["result"]) == ("completed", "fail")
    assert "The run was lost" in schedule["reason"]
