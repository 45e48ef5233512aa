# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every rule about runs, followed by the scheduler's core and by run_job, with the real API and outcomes of a script."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.client import Registry
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.runs import outcome_of
from ansible_collections.freezer.backup.plugins.plugin_utils.job_runs import (
    NotRun,
    Surroundings,
    run_job,
)
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.base import ALL_OWNERS
from ansible_collections.freezer.backup.tests.support.job_semantics import (
    BROKEN,
    OK,
    PARTIAL,
    REMOVED,
    REMOVED_IN_PART,
    ROWS,
    UNUSABLE,
    Row,
    Seen,
    check,
)
from ansible_collections.freezer.backup.tests.support.scheduler_world import PROJECT, Wire, World

UTC = ZoneInfo("UTC")
START = datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()


class Scripted:
    """The API in this process with the job of a row, and attempts that come to what the row says."""

    def __init__(self, row: Row, folder) -> None:
        self.row = row
        self.world = World(folder, START)
        self.attempts: Counter[int] = Counter()
        names = ["action0" if REMOVED in row.actions[n][1] or REMOVED_IN_PART in row.actions[n][1] else f"action{n}"
                 for n in range(len(row.actions))]  # fmt: skip
        elements = [
            {**keys, "freezer_action": {
                "action": "backup" if name == f"action{number}" else "admin", "backup_name": name, "index": number,
                "path_to_backup": "/", "storage": "local", "container": "c", "remove_older_than": 1, "seconds": 1,
            }}
            for number, (name, (keys, _outcomes)) in enumerate(zip(names, row.actions, strict=True))
        ]  # fmt: skip
        job = {"job_id": "job", "client_id": "node", "job_actions": elements, "job_schedule": row.schedule(START)}
        self.record("old", "old")
        self.world.create("jobs", job)
        if row.session is not None:
            tag, began_ago, knows = row.session
            self.world.create("sessions", {"session_id": "s", "schedule": {}, "hold_off": 60})
            self.world.ask("PUT", f"/v2/{PROJECT}/sessions/s/jobs/job")
            self.change("session", "s", session_tag=tag, time_start=int(START - began_ago), status="running")
            # The session's schedule took the place of the job's own.
            self.change(
                "job", "job", session_tag=knows, job_schedule={**row.schedule(START), "time_created": int(START)}
            )

    def change(self, kind: str, document_id: str, **keys) -> None:
        stored = self.world.store.get(kind, document_id, ALL_OWNERS)
        self.world.store.replace(stored, {**stored.document, **keys})

    def record(self, backup_id: str, name: str) -> None:
        metadata = {"backup_id": backup_id, "backup_name": name, "container": "c", "hostname": "h", "time_stamp": 1}
        self.world.create("backups", {"backup_metadata": metadata, "backup_id": backup_id, **metadata})

    def outcome(self, what):
        number = what["index"]
        self.attempts[number] += 1
        script = self.row.actions[number][1]
        token = script[min(self.attempts[number], len(script)) - 1]
        metadata = {"backup_id": f"made{number}", "backup_name": what["backup_name"], "container": "c", "hostname": "h",
                    "time_stamp": int(START)}  # fmt: skip
        return outcome_of({
            OK: {"outcome": "success", "changed": True, "metadata": metadata},
            BROKEN: {"outcome": "failed", "changed": False, "message": "It is broken."},
            UNUSABLE: {"outcome": "failed", "changed": False, "message": "It is wrong.", "exit_status": 2},
            PARTIAL: {"outcome": "partial", "changed": True, "metadata": metadata, "unreadable_count": 2},
            REMOVED: {"outcome": "success", "changed": True, "removed": [{"backup_id": "old"}], "kept": []},
            REMOVED_IN_PART: {"outcome": "partial", "changed": True, "removed": [{"backup_id": "old"}], "kept": []},
        }[token])  # fmt: skip

    def check(self) -> None:
        """Compare everything that is stored with the row."""
        recorded = [backup["backup_metadata"]["backup_name"] for backup in self.world.all("backups")]
        attempts = [self.attempts[number] for number in range(len(self.row.actions))]
        session = self.world.get("sessions", "s") if self.row.session is not None else None
        check(self.row, Seen(self.world.get("jobs", "job"), recorded, attempts, session), START, self.world.now)


@pytest.fixture(params=ROWS, ids=lambda row: row.id)
def scripted(request, tmp_path):
    return Scripted(request.param, tmp_path)


def test_a_scheduler_does_what_the_table_says(scripted):
    world = scripted.world
    world.outcome = lambda run, what: scripted.outcome(what)
    world.finish = lambda process: None
    node = world.node("node", UTC, poll_seconds=2)
    if scripted.row.schedule(START):
        world.event("job", "start")
    world.run_until(START + 0.5)
    if scripted.row.stopped:
        world.event("job", "stop")
    world.run_until(START + 30)
    assert not node.core.active_runs
    scripted.check()


def test_run_job_does_what_the_table_says(scripted):
    world, row = scripted.world, scripted.row
    if row.stopped:
        stopped = {**world.get("jobs", "job")["job_schedule"], "status": "stop"}
        scripted.change("job", "job", job_schedule=stopped)
    registry = Registry(Wire(world, None), PROJECT)

    def sleep(seconds):
        world.now += seconds

    def perform(what):
        sleep(1)
        return scripted.outcome(what)

    around = Surroundings(perform, lambda: UTC, clock=lambda: world.now, sleep=sleep)
    job = registry.jobs.get("job")
    if any(row.attempts):
        ran = run_job(registry, job, around)
        assert (ran.result, ran.status, bool(ran.failures)) == (row.result, row.status, row.result != "success")
    else:
        with pytest.raises(NotRun, match=row.reason[0]):
            run_job(registry, job, around)
    scripted.check()


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (
            {"storages": [{"outcome": "success"}, {"outcome": "failed", "message": "/mnt/b is full."}]},
            "/mnt/b is full.",
        ),
        (
            {"unreadable_count": 2, "unreadable": [{"path": "./a", "message": "Permission denied"}, {"path": "./b"}]},
            "2 paths could not be read, the first: ./a: Permission denied.",
        ),
        ({"unreadable_count": 1}, "1 path could not be read."),
        (
            {
                "not_restored_count": 1,
                "not_restored": [{"path": "x", "message": "it is in use"}],
                "unreadable_count": 0,
            },
            "1 path could not be restored whole, the first: x: it is in use.",
        ),
        ({"reason": "there is none; all of it is left out"}, "there is none; all of it is left out."),
        ({}, "a storage or a path failed."),
        ({"storages": [{"outcome": "failed", "message": "x" * 9000}]}, f"{'x' * 300}."),
    ],
)
def test_the_reason_of_a_run_that_was_done_in_part_names_the_first_problem(result, said):
    outcome = outcome_of({"outcome": "partial", **result})
    assert (outcome.message, outcome.may_retry) == (f"it was done in part only: {said}", False)
