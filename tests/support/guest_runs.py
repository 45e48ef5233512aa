# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Playbooks of the collection, run over ssh on the guests of tests/labs/guests by an ansible-playbook of its own."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from .ansible_command import start_playbook
from .guests import Guest

#: A file system that is written to within three seconds is not frozen.
WRITES = "timeout 3 sh -c 'echo now >/srv/data/written; sync -f /srv/data'"

#: No run is on record as being under way.
NO_RECORD = "test -z \"$(find /var/lib/freezer-backup -name '*.json' 2>/dev/null)\""


class GuestRuns:
    """The playbook, with a hook that calls back when every guest is frozen."""

    def __init__(self, folder: Path, guests: list[Guest]) -> None:
        self.guests = guests
        self.folder = folder
        self.frozen, self.go_on = folder / "frozen", folder / "go_on"
        #: One way to the guest for a module instead of five, which take the most time here; not what Ansible does by itself.
        self.pipelining = True
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
            "freezer_deadline_seconds": 200,
            "freezer_lead_seconds": 2,
            "freezer_hooks": {"snapshot": [{"tasks": str(folder / "hook.yml")}], "delete": []},
            "freezer_event_log": str(folder / "events"),
        }

    def start(self, playbook: str, **variables: Any) -> subprocess.Popen[str]:
        settings = {"ANSIBLE_TIMEOUT": "5", "ANSIBLE_PIPELINING": str(self.pipelining)}
        return start_playbook(playbook, self.guests[0].inventory, {**self.variables, **variables}, **settings)

    def __call__(
        self, when_frozen: Callable[[], object] = lambda: None, playbook: str = "backup", **variables: Any
    ) -> tuple[bool, str]:
        """Whether the playbook succeeded, and what it said. `when_frozen` is called while everything is frozen, if it is."""
        self.frozen.unlink(missing_ok=True)
        self.go_on.unlink(missing_ok=True)
        problems: list[BaseException] = []

        def watch() -> None:
            while not self.frozen.exists() and not ended.is_set():
                time.sleep(0.1)
            if not self.frozen.exists():
                return
            try:
                when_frozen()
            except BaseException as problem:  # noqa: BLE001 - for the test's own thread
                problems.append(problem)
            finally:
                self.go_on.touch()

        ended = threading.Event()
        watcher = threading.Thread(target=watch)
        watcher.start()
        with self.start(playbook, **variables) as process:
            output, _nothing = process.communicate(timeout=300)
        ended.set()
        watcher.join()
        assert problems == [], output
        return process.returncode == 0, output

    def killed_when_frozen(self, **variables: Any) -> None:
        """The playbook backup, of which nobody does anything any more once the snapshots are there."""
        self.frozen.unlink(missing_ok=True)
        self.go_on.unlink(missing_ok=True)
        process = self.start("backup", **variables)
        until = time.monotonic() + 120
        while not self.frozen.exists():
            assert time.monotonic() < until
            time.sleep(0.1)
        process.kill()
        self.go_on.touch()
        process.communicate(timeout=60)

    def logged(self, guest: Guest) -> list[tuple[str, str]]:
        """Step and event of what is in the event log of a guest, without the notes of all."""
        lines = [json.loads(line) for line in (self.folder / "events").read_text().splitlines()]
        mine = [line for line in lines if line["host"] == guest.name and "clock_error_seconds" not in line]
        return [
            (line["step"], line["event"])
            for line in mine
            if line["step"] != line["workflow"] or line["step"] == "finalize"
        ]

    def cannot_be_written(self) -> None:
        for guest in self.guests:
            # The writer stays behind in the guest until the file system is thawed.
            late = "rm -f /run/late; sh -c 'echo now >/srv/data/late; touch /run/late' >/dev/null 2>&1 & sleep 1; test ! -e /run/late"
            assert guest.attempt(late).returncode == 0, guest.name

    def record(self, guest: Guest) -> dict[str, Any]:
        """What the holder of a guest has written down of the last hold."""
        found: dict[str, Any] = json.loads(guest.run("cat /run/freezer-backup/sequence.json"))
        return found

    def released_by(self, guest: Guest) -> str:
        """Who ended the last hold of a guest."""
        return str(self.record(guest)["released_by"])

    def notes(self, key: str) -> list[dict[str, Any]]:
        """The lines of the event log that say something of a kind, such as ``skew_seconds``."""
        lines = [json.loads(line) for line in (self.folder / "events").read_text().splitlines()]
        return [line for line in lines if key in line]


def snapshots_of(guest: Guest) -> list[str]:
    """The volumes of the group ``data`` beside the one that it has from the start."""
    return [name for name in guest.run("lvs --noheadings -o lv_name data").split() if name != "srv"]
