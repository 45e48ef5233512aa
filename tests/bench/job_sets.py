# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What a whole list of jobs costs in one task, above what Ansible costs."""

from __future__ import annotations

import atexit
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import ansible_call
from contest import Contest, Side

from ansible_collections.freezer.backup.tests.support import api_process

JOBS = 1000
CLIENTS = 300


class JobSets:
    """One call of freezer.backup.job_set with a thousand jobs, or fewer at a smaller scale, against one of ping in the same playbook.

    The API is a process of its own on SQLite, with these jobs only. It ends with the bench.
    """

    def __init__(self, work: Path, scale: float = 1.0) -> None:
        self._work = work
        self._jobs = [_job(number) for number in range(max(1, round(JOBS * min(1.0, scale))))]
        self._api: api_process.ApiProcess | None = None

    def unchanged(self) -> Contest:
        """All of them are there already."""
        return self._contest(
            "job_set_unchanged", f"job_set, {len(self._jobs)} jobs, unchanged", self._store_all, goal="under 2 s"
        )

    def new(self) -> Contest:
        """None of them is there."""
        return self._contest(
            "job_set_new", f"job_set, {len(self._jobs)} jobs, all new", self._remove_all, goal="under 10 s"
        )

    def _contest(self, name: str, title: str, prepare: Any, goal: str) -> Contest:
        return Contest(
            name=name,
            title=title,
            peer_title="ansible.builtin.ping",
            ours=Side(self._line("job_set.yml"), prepare=prepare, environment=self._environment()),
            peer=Side(self._line("ping.yml"), environment=self._environment()),
            goal=goal,
            before=self._begin,
            check=self._end,
        )

    def _line(self, playbook: str) -> list[str]:
        command = str(Path(sys.executable).parent / "ansible-playbook")
        line = [command, "--inventory=localhost,", "--connection=local", str(self._work / playbook)]
        return [*line, "--extra-vars", f"@{self._work / 'facts.json'}"]

    def _environment(self) -> dict[str, str]:
        return ansible_call.environment(self._work)

    def _begin(self) -> None:
        shutil.rmtree(self._work, ignore_errors=True)
        self._work.mkdir(parents=True)
        self._api = api_process.start(self._work)
        # Whatever else fails.
        atexit.register(self._api.stop)
        facts = {
            "ansible_python_interpreter": sys.executable,
            "freezer_url": self._api.url,
            "wanted": self._jobs,
        }
        (self._work / "facts.json").write_text(json.dumps(facts))
        task = {"freezer.backup.job_set": {"url": "{{ freezer_url }}", "jobs": "{{ wanted }}"}}
        self._write("job_set.yml", task)
        self._write("ping.yml", {"ansible.builtin.ping": {"data": "{{ wanted | length }}"}})

    def _write(self, name: str, task: dict[str, Any]) -> None:
        play = [{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]
        (self._work / name).write_text(json.dumps(play))

    def _end(self) -> None:
        if self._api is not None:
            self._api.stop()

    def _store_all(self) -> None:
        self._batch([{"op": "replace", "job_id": job["job_id"], "document": job} for job in self._jobs])

    def _remove_all(self) -> None:
        self._batch([{"op": "delete", "job_id": job["job_id"]} for job in self._jobs])

    def _batch(self, items: list[dict[str, Any]]) -> None:
        if self._api is None or self._api.post("/v2/default/jobs:batch", {"items": items}).status != 200:
            raise RuntimeError("the API has not made ready what is to be measured")


def _job(number: int) -> dict[str, Any]:
    client_id = f"db{number % CLIENTS}.example.org"
    action = {
        "action": "backup",
        "mode": "fs",
        "path_to_backup": "/etc",
        "backup_name": f"etc-{number}",
        "storage": "local",
        "container": "/var/backups/freezer",
        "max_level": 7,
    }
    return {
        "job_id": f"nightly-{number}",
        "client_id": client_id,
        "description": f"/etc of {client_id}, every night",
        "job_actions": [{"freezer_action": action}],
        "job_schedule": {"schedule_hour": "2", "schedule_minute": str(number % 60)},
    }
