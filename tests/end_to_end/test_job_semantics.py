# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""The table of rules about runs, followed by playbooks/run_job.yml with real modules on real files.

tests/unit/schedule/test_job_semantics.py has the same rows for the scheduler.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
import uuid
from pathlib import Path

import pytest
from support.ansible_command import start_playbook

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.client import connect
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.base import Scope
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.sqlite.store import SqliteStore
from ansible_collections.freezer.backup.tests.support.job_semantics import (
    BROKEN,
    OK,
    PARTIAL,
    REMOVED,
    REMOVED_IN_PART,
    ROWS,
    UNUSABLE,
    Seen,
    check,
)

WITH_MODULES = [row for row in ROWS if row.with_modules]


class Made:
    """The job of a row at the API, in a project of its own, and the files that its actions are about."""

    def __init__(self, row, api, folder: Path) -> None:
        self.row, self.host, self.project_id = row, f"row{ROWS.index(row)}", f"p{uuid.uuid4().hex[:12]}"
        self.registry = connect(api.url, project_id=self.project_id)
        self._store, self._folder = SqliteStore(str(api.database)), folder / row.id
        self._data, self.container = self._folder / "data", self._folder / "container"
        self._data.mkdir(parents=True)
        (self._data / "file").write_text("text")
        self._record_old()
        elements = [
            {**keys, "freezer_action": self._action(number, set(script))}
            for number, (keys, script) in enumerate(row.actions)
        ]
        job = {"job_id": self.host, "client_id": self.host, "job_actions": elements}
        self.began = time.time()
        self.registry.jobs.create({**job, "job_schedule": row.schedule(self.began)})
        if row.stopped:
            self.registry.jobs.patch(self.host, {"job_schedule": {"status": "stop"}})
        if row.session is not None:
            self._join(*row.session)

    def _record_old(self) -> None:
        """Make the backup that an action may remove, and record it."""
        wanted = {"action": "backup", "backup_name": "action0", "path_to_backup": str(self._data), **self._place()}
        metadata = agent.backup(wanted)["metadata"] if self.row.is_about_old else {"backup_id": "old", "time_stamp": 1}
        place = {"container": str(self.container), "hostname": "h"}
        self.registry.backups.create({**place, **metadata, "backup_name": "old"})

    def _place(self) -> dict[str, object]:
        return {"storage": "local", "container": str(self.container), "mode": "fs"}

    def _action(self, number: int, script: set[str]) -> dict[str, object]:
        """An action that comes to what the row says."""
        backup = {
            "action": "backup",
            "backup_name": f"action{number}",
            "path_to_backup": str(self._data),
            **self._place(),
        }
        gone = {"storage": "local", "container": str(self._data / "file")}
        if script == {OK}:
            return backup
        if script == {BROKEN}:
            return {**backup, "path_to_backup": str(self._folder / "nowhere")}
        if script == {UNUSABLE}:
            return {**backup, "no_such_key": "x"}
        two = [{"storage": "local", "container": str(self.container)}, gone]
        if script == {PARTIAL}:
            return {**backup, "storage": None, "container": None, "storages": two}
        removal = {"action": "admin", "backup_name": "action0", "keep_last": 1}
        if script == {REMOVED}:
            return {**removal, **self._place()}
        assert script == {REMOVED_IN_PART}
        return {**removal, "storages": two}

    def _join(self, tag: int, began_ago: int, knows: int) -> None:
        self.registry.sessions.create({"session_id": "s", "schedule": {}, "hold_off": 600})
        self.registry.add_session_job("s", self.host)
        self._change("session", "s", session_tag=tag, time_start=int(self.began - began_ago), status="running")
        # The session's schedule took the place of the job's own.
        known = self.registry.jobs.get(self.host)["job_schedule"]
        self._change("job", self.host, session_tag=knows, job_schedule={**known, **self.row.schedule(self.began)})

    def _change(self, kind: str, document_id: str, **keys: object) -> None:
        stored = self._store.get(kind, document_id, Scope(project_id=self.project_id))
        self._store.replace(stored, {**stored.document, **keys})

    def seen(self, output: str) -> Seen:
        """What is stored, and what the playbook has said of attempts."""
        recorded = [backup["backup_metadata"]["backup_name"] for backup in self.registry.backups.all()]
        attempts = [output.count(f"[{self.host}] Action {number + 1} (") for number in range(len(self.row.actions))]
        session = self.registry.sessions.get("s") if self.row.session is not None else None
        return Seen(self.registry.jobs.get(self.host), recorded, attempts, session)


@pytest.fixture(scope="module")
def ran(freezer_api, tmp_path_factory):
    """All jobs, run by one ``ansible-playbook`` that has the playbook run_job once for each; and what it said."""
    folder = tmp_path_factory.mktemp("semantics")
    made = {row.id: Made(row, freezer_api, folder) for row in WITH_MODULES}
    hosts = {one.host: {"freezer_project_id": one.project_id, "freezer_run_job_id": one.host} for one in made.values()}
    inventory = folder / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": {**hosts, "spare": {}}}}))
    playbook = folder / "all.yml"
    # A host more that it is not run on: where the only host of a play has failed, no other play begins.
    playbook.write_text(json.dumps([
        {"import_playbook": "freezer.backup.run_job", "vars": {"freezer_host": f"{one.host},spare", **hosts[one.host]}}
        for one in made.values()
    ]))  # fmt: skip
    variables = {
        "freezer_url": freezer_api.url,
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
    }
    output, _errors = start_playbook(str(playbook), inventory, variables).communicate(timeout=300)
    yield made, output
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("row", WITH_MODULES, ids=lambda row: row.id)
def test_the_playbook_run_job_does_what_the_table_says(row, ran):
    made, output = ran
    one = made[row.id]
    check(row, one.seen(output), one.began, time.time(), tolerance=5)


def test_each_attempt_is_said_while_the_playbook_runs(ran):
    made, output = ran
    (one,) = (one for one in made.values() if one.row.attempts == (3,))
    assert f"[{one.host}] Action 1 (backup of action0): " in output
    assert [f"attempt {number} follows in 1 s" in output for number in (2, 3, 4)] == [True, True, False]


def test_what_is_wrong_with_an_action_is_said_by_its_name(ran):
    made, output = ran
    (one,) = (one for one in made.values() if any(UNUSABLE in script for _keys, script in one.row.actions))
    assert f"Job {one.host} failed: Action 1 (backup of action0): " in output
    assert "no_such_key" in one.registry.jobs.get(one.host)["job_schedule"]["reason"]


def test_an_action_admin_removes_the_old_backup_from_the_storages_that_can_be_reached(ran):
    removals = [one for one in ran[0].values() if one.row.is_about_old]
    assert [len(list(one.container.glob("*/*/manifest.json"))) for one in removals] == [1, 1]
