# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""The playbook backup over ssh, on guests with file systems of their own that really are frozen; and what cuts the way there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

_ROOT = Path(__file__).resolve().parents[2]
# A file system that is written to within three seconds is not frozen.
_WRITES = "timeout 3 sh -c 'echo now >/srv/data/written; sync -f /srv/data'"


class Run:
    """The playbook, with a hook that calls back when every guest is frozen."""

    def __init__(self, folder: Path, guests: list[Any]) -> None:
        self.guests = guests
        self.folder = folder
        self.frozen, self.go_on = folder / "frozen", folder / "go_on"
        wait = (
            f"touch {self.frozen}; n=0; while [ ! -e {self.go_on} ] && [ $n -lt 600 ]; do sleep 0.1; n=$((n+1)); done"
        )
        hook = {
            "name": "Wait for the test",
            "ansible.builtin.command": {"argv": ["sh", "-c", wait]},
            "delegate_to": "localhost",
            "connection": "local",
            "run_once": True,
        }
        (folder / "hook.yml").write_text(yaml.safe_dump([hook]))
        self.variables = {
            "snapshot_name": "one",
            "freezer_targets": [{"path": "/srv/data"}],
            "freezer_deadline_seconds": 60,
            "freezer_hooks": {"snapshot": [{"tasks": str(folder / "hook.yml")}]},
            "freezer_event_log": str(folder / "events"),
        }

    def __call__(self, when_frozen: Any, playbook: str = "backup", **variables: Any) -> tuple[bool, str]:
        """Whether the playbook succeeded, and what it said. `when_frozen` is called while everything is frozen."""
        line = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", self.guests[0].inventory]
        line += ["-e", json.dumps({**self.variables, **variables}), f"freezer.backup.{playbook}"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "OS_"))}
        environment["ANSIBLE_CONFIG"] = str(_ROOT / "tests" / "ansible.cfg")
        environment["ANSIBLE_HOME"] = str(_ROOT / "build" / "ansible")
        environment["ANSIBLE_TIMEOUT"] = "5"
        problems: list[BaseException] = []

        def watch() -> None:
            until = time.monotonic() + (120 if playbook == "backup" else 0)
            while not self.frozen.exists() and time.monotonic() < until:
                time.sleep(0.1)
            try:
                when_frozen()
            except BaseException as problem:  # noqa: BLE001 - for the test's own thread
                problems.append(problem)
            finally:
                self.go_on.touch()

        watcher = threading.Thread(target=watch)
        watcher.start()
        done = subprocess.run(
            line, capture_output=True, text=True, env=environment, cwd=_ROOT, timeout=300, check=False
        )
        watcher.join()
        assert problems == [], done.stdout
        return done.returncode == 0, done.stdout + done.stderr

    def cannot_be_written(self) -> None:
        for guest in self.guests:
            # The writer stays behind in the guest until the file system is thawed.
            late = "rm -f /run/late; sh -c 'echo now >/srv/data/late; touch /run/late' >/dev/null 2>&1 & sleep 1; test ! -e /run/late"
            assert guest.attempt(late).returncode == 0, guest.name

    def released_by(self, guest: Any) -> str:
        return str(json.loads(guest.run("cat /run/freezer-backup/sequence.json"))["released_by"])


@pytest.fixture
def run(tmp_path, guests):
    made = Run(tmp_path, guests)
    yield made
    for guest in guests:
        guest.attempt("rm -rf /srv/data/late /srv/data/written /run/freezer-backup /var/lib/freezer-backup")


def test_file_systems_of_all_guests_are_frozen_together_and_writable_afterwards(run):
    succeeded, output = run(run.cannot_be_written)
    assert succeeded, output
    for guest in run.guests:
        guest.run(_WRITES)
        assert run.released_by(guest) == "request"
        assert guest.run("ls -A /var/lib/freezer-backup").split() == []
    skew = [json.loads(line) for line in (run.folder / "events").read_text().splitlines() if "skew_seconds" in line]
    assert 0 <= skew[0]["skew_seconds"] < 20


def test_a_hold_outlives_the_ssh_connections_that_made_it(run):
    def cut() -> None:
        for guest in run.guests:
            guest.attempt("for p in $(pgrep -f 'sshd: root'); do kill -9 $p; done", seconds=20)

    succeeded, output = run(cut)
    assert succeeded, output
    for guest in run.guests:
        guest.run(_WRITES)
        assert run.released_by(guest) == "request"
