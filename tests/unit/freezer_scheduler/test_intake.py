# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""No single job ends the scheduler, whatever an API or a folder has in its place, and whatever goes wrong with it."""

from __future__ import annotations

import json
import logging
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.states import State
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.core import intake
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.core.entries import Entry
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.core.folder import JobFolder
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.core.journal import Known
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.core.runs import Run
from ansible_collections.freezer.backup.tests.support.scheduler_world import World, job

UTC = ZoneInfo("UTC")
START = datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()
EVERY_MINUTE = {"schedule_interval": "60 seconds"}


def deep(levels):
    return {"a": deep(levels - 1)} if levels else {}


#: What stands in place of a part of a job.
BROKEN = [
    {"description": "\ud800"},
    {"\udfff": 1},
    {"job_schedule": ["a"]},
    {"job_schedule": {"status": ["running"]}},
    {"job_schedule": {"event": {"start": None}}},
    {"job_schedule": {"time_created": 10**18, **EVERY_MINUTE}},
    {"session_tag": 10**30},
    {"session_tag": float("nan")},
    {"job_actions": "backup"},
    {"job_actions": ["backup"]},
    {"job_actions": [{"freezer_action": ["backup"]}]},
    {"job_actions": [{}] * 1001},
    {"action_defaults": [1]},
    {"description": deep(70)},
]


@pytest.fixture
def log(caplog):
    logging.getLogger("freezer_scheduler").propagate = True
    return caplog


@pytest.fixture
def world(tmp_path):
    found = World(tmp_path, START)
    found.create("jobs", job("good", "node", 1, EVERY_MINUTE, seconds=1))
    return found


def among_the_jobs(world, monkeypatch, broken):
    """Let the API say that this is one of the jobs."""
    honest = world.ask

    def hostile(method, path, *rest):
        answer = honest(method, path, *rest)
        if method == "GET" and "/jobs?" in path:
            listed = {"jobs": [broken, *answer.document["jobs"]], "etags": ["x"]}
            answer = answer._replace(document=listed, headers={})
        return answer

    monkeypatch.setattr(world, "ask", hostile)


@pytest.mark.parametrize("part", BROKEN, ids=range(len(BROKEN)))
def test_a_job_that_cannot_be_kept_is_left_out_and_the_others_run(world, monkeypatch, log, part):
    among_the_jobs(world, monkeypatch, {**job("bad", "node"), **part})
    node = world.node("node", UTC, poll_seconds=5)
    world.run_until(START + 150)
    assert [one.job_id for one in world.started] == ["good", "good"]
    assert set(node.core.entries) == {"good"}
    assert sum("Job bad is left out" in record.getMessage() for record in log.records) == 1


@pytest.mark.parametrize("broken", ["x", None, 1, [], {"job_id": ["a"]}, {}])
def test_what_is_no_job_hides_no_other(world, monkeypatch, log, broken):
    among_the_jobs(world, monkeypatch, broken)
    world.node("node", UTC, poll_seconds=5)
    world.run_until(START + 100)
    assert [one.job_id for one in world.started] == ["good"]
    assert sum("left out" in record.getMessage() for record in log.records) == 1


def test_a_known_job_that_is_broken_later_runs_as_it_was_last_seen(world, log):
    node = world.node("node", UTC, poll_seconds=10**6)
    world.run_until(START + 10)
    node.core.saw([({**job("good", "node"), "job_schedule": ["a"]}, None)], world.now)
    world.run_until(START + 100)
    assert [one.job_id for one in world.started] == ["good"]
    assert "it is run as it was last seen" in log.text


@pytest.mark.parametrize(("owner", "method"), [(Entry, "read"), (Entry, "arm"), (Entry, "take_due"), (Run, "ended")])
def test_a_fault_with_one_job_is_no_fault_of_the_others(world, monkeypatch, log, owner, method):
    right = getattr(owner, method)

    def wrong(self, *rest):
        if self.job_id == "bad":
            raise TypeError("this one")
        return right(self, *rest)

    monkeypatch.setattr(owner, method, wrong)
    world.create("jobs", job("bad", "node", 1, EVERY_MINUTE, seconds=1))
    world.node("node", UTC, poll_seconds=5)
    world.run_until(START + 150)
    assert [one.job_id for one in world.started if one.job_id == "good"] == ["good", "good"]
    assert "a fault of the program" in log.text
    if owner is Run:
        assert "A fault of the scheduler ended the run" in world.get("jobs", "bad")["job_schedule"]["reason"]


def test_a_job_that_an_earlier_release_kept_broken_is_forgotten(world):
    node = world.node("node", UTC, poll_seconds=5)
    document = json.dumps({**job("bad", "node"), "job_schedule": ["a"]})
    node.core.journal.keep_job(Known("bad", document, None, State("scheduled"), None, 0, False))
    node.crash()
    node.boot()
    assert "bad" not in node.core.entries


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '"x"', "null", *(json.dumps({"job_actions": [], **part}) for part in BROKEN)]
)
def test_a_broken_job_file_is_a_sentence_and_the_others_are_used(tmp_path, text):
    for name, content in (("bad.json", text), ("good.json", '{"job_actions": []}')):
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o600)
    folder = JobFolder(tmp_path)
    found = folder.read()
    if "bad.json" not in folder.problems:
        # What runs have written is not taken from files.
        assert all(intake.job_problem(one) == "" for one, _tag in found)
    assert "good" in [one["job_id"] for one, _tag in found]


@pytest.mark.parametrize("session", ["x", {"session_id": "s", "session_tag": 10**30}, {"description": "\ud800"}])
def test_a_session_that_cannot_be_kept_is_none(session):
    assert intake.session_problem(session)
