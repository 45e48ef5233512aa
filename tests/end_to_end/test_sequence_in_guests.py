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

    def start(self, playbook: str, **variables: Any) -> subprocess.Popen[str]:
        line = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", self.guests[0].inventory]
        line += ["-e", json.dumps({**self.variables, **variables}), f"freezer.backup.{playbook}"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "OS_"))}
        environment["ANSIBLE_CONFIG"] = str(_ROOT / "tests" / "ansible.cfg")
        environment["ANSIBLE_HOME"] = str(_ROOT / "build" / "ansible")
        environment["ANSIBLE_TIMEOUT"] = "5"
        return subprocess.Popen(
            line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=_ROOT
        )

    def __call__(self, when_frozen: Any, playbook: str = "backup", **variables: Any) -> tuple[bool, str]:
        """Whether the playbook succeeded, and what it said. `when_frozen` is called while everything is frozen."""
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
        with self.start(playbook, **variables) as process:
            output, _nothing = process.communicate(timeout=300)
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

    def logged(self, guest: Any) -> list[tuple[str, str]]:
        """Step and event of what is in the event log of a guest, without the notes of all."""
        lines = [json.loads(line) for line in (self.folder / "events").read_text().splitlines()]
        mine = [line for line in lines if line["host"] == guest.name and "skew_seconds" not in line]
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


def _snapshots(guest: Any) -> list[str]:
    return [name for name in guest.run("lvs --noheadings -o lv_name data").split() if name != "srv"]


def test_snapshots_of_lvm_are_taken_while_applications_are_held_kept_rotated_and_removed(run):
    hold = {"prepare": ["touch", "/srv/data/held"], "finalize": ["rm", "-f", "/srv/data/held"]}
    lvm = {
        "freezer_targets": [{"command": hold}],
        "freezer_lvm_snapshots": [{"path": "/srv/data", "size": "30%FREE"}],
    }
    for guest in run.guests:
        guest.run("echo first >/srv/data/file")
    try:
        succeeded, output = run(lambda: None, **lvm)
        assert succeeded, output
        for guest in run.guests:
            assert run.logged(guest) == [
                ("freeze", "start"),
                ("freeze", "done"),
                ("snapshot", "start"),
                ("snapshot", "note"),
                ("snapshot", "done"),
                ("finalize", "start"),
                ("finalize", "done"),
            ]
            assert _snapshots(guest) == ["srv-one"]
            guest.run("test ! -e /srv/data/held; echo second >/srv/data/file; mkdir -p /run/look")
            seen = guest.run(
                "mount -o ro,noload /dev/data/srv-one /run/look; cat /run/look/file; ls /run/look; umount /run/look"
            )
            assert seen.split()[0] == "first"
            assert "held" in seen.split()

        run.killed_when_frozen(**lvm, snapshot_name="two")
        # Refused before anything is held, on either guest for a reason of its own; the record of the killed run stays.
        (run.folder / "events").unlink()
        targets = "{{ [{'path': '/srv/data'}] if inventory_hostname == 'guest1' else [] }}"
        succeeded, output = run(lambda: None, **{**lvm, "freezer_targets": targets}, snapshot_name="two")
        assert not succeeded
        assert "/srv/data is on data/srv, and its file system is to be frozen around a snapshot of LVM" in output
        assert "There is a snapshot srv-two already." in output
        for guest in run.guests:
            assert run.logged(guest) == [("finalize", "start"), ("finalize", "done")]
            assert _snapshots(guest) == ["srv-one", "srv-two"]
        succeeded, output = run(lambda: None, playbook="finalize", **lvm, snapshot_name="")
        assert succeeded, output
        for guest in run.guests:
            assert _snapshots(guest) == ["srv-one"]
            guest.run("test ! -e /srv/data/held; test ! -e /var/lib/freezer-backup/run.json")

        succeeded, output = run(lambda: None, **lvm, snapshot_name="three", snapshot_rotation=1)
        assert succeeded, output
        for guest in run.guests:
            assert _snapshots(guest) == ["srv-three"]
        succeeded, output = run(lambda: None, playbook="remove_backup", **lvm, snapshot_name="three")
        assert succeeded, output
        for guest in run.guests:
            assert _snapshots(guest) == []
    finally:
        for guest in run.guests:
            guest.attempt("rm -f /srv/data/file /srv/data/held; umount /run/look")
            guest.clear_volumes()
