# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Hosts for the playbooks of the sequence: this machine several times, each with a folder for its holder.

What they quiesce is a service that writes down when it stops and starts; a snapshot is a file.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from .ansible_command import start_playbook

#: One of each kind. A run spends its time on the modules of each host, so more are there only where their number counts.
SERVICES, COMPUTE = ("s1",), ("c1",)


class Farm:
    """Some hosts, what they do, and what they have done."""

    def __init__(self, folder: Path, services: Sequence[str] = SERVICES, compute: Sequence[str] = COMPUTE) -> None:
        self.folder = folder
        self.services, self.compute = tuple(services), tuple(compute)
        self.names = (*self.services, *self.compute)
        self.events = folder / "events.jsonl"
        self.journal = folder / "journal"
        self.hosts: dict[str, dict[str, Any]] = {host: {} for host in self.names}
        self.variables: dict[str, Any] = {"freezer_deadline_seconds": 300, "freezer_lead_seconds": 1}
        #: Of ansible-playbook.
        self.arguments: tuple[str, ...] = ()
        #: Steps with a hook. A hook costs a second or so.
        self.hooks: tuple[str, ...] = ("snapshot", "delete")
        tasks = [
            {
                "name": "Do what the test has for this step",
                "ansible.builtin.command": {
                    "argv": [str(folder / "step"), "{{ inventory_hostname }}", "{{ freezer_step }}"]
                },
                "environment": {"SNAPSHOT": "{{ freezer_run.snapshot_name }}", "RUN": "{{ freezer_run | to_json }}"},
            }
        ]
        (folder / "hook.yml").write_text(yaml.safe_dump(tasks))
        self.script("step", self.STEP)
        self.script("service", f'echo "$1 $2" >>{self.journal}\n[ ! -x {folder}/"$1-$2" ] || exec {folder}/"$1-$2"\n')

    STEP = """
echo "$1 $2" >>{folder}/journal
[ ! -x {folder}/"$1-$2" ] || {folder}/"$1-$2" || exit 1
case $2 in
snapshot) printf %s "$RUN" >{folder}/"$1.snapshot.$SNAPSHOT" ;;
delete) rm -f {folder}/"$1.snapshot.$SNAPSHOT" ;;
esac
"""

    def script(self, name: str, text: str) -> None:
        """A program of a host: `c1-snapshot` runs in that step, `s1-stop` when that service is stopped."""
        path = self.folder / name
        path.write_text("#!/bin/sh\n" + text.replace("{folder}", str(self.folder)))
        path.chmod(0o755)

    def inventory(self) -> Path:
        hook = [{"tasks": str(self.folder / "hook.yml")}]
        service = str(self.folder / "service")
        variables = {
            "ansible_connection": "local",
            "ansible_pipelining": True,
            "ansible_python_interpreter": sys.executable,
            "freezer_state_folder": f"{self.folder}/{{{{ inventory_hostname }}}}.holds",
            "freezer_record_folder": f"{self.folder}/{{{{ inventory_hostname }}}}.record",
            "freezer_event_log": str(self.events),
            "freezer_hooks": dict.fromkeys(self.hooks, hook),
            "freezer_targets": [
                {
                    "command": {
                        "prepare": [service, "{{ inventory_hostname }}", "stop"],
                        "finalize": [service, "{{ inventory_hostname }}", "start"],
                    }
                }
            ],
            **self.variables,
        }
        groups = {
            "freezer_services": {"hosts": {host: self.hosts[host] for host in self.services}},
            "freezer_compute": {"hosts": {host: self.hosts[host] for host in self.compute}},
        }
        path = self.folder / "inventory.yml"
        path.write_text(yaml.safe_dump({"all": {"vars": variables, "children": groups}}))
        return path

    def start(self, playbook: str, **variables: Any) -> subprocess.Popen[str]:
        return start_playbook(playbook, self.inventory(), variables, *self.arguments)

    def run(self, playbook: str, **variables: Any) -> tuple[bool, str]:
        with self.start(playbook, **variables) as process:
            output, _nothing = process.communicate(timeout=200)
        return process.returncode == 0, output

    def backup(self, **variables: Any) -> tuple[bool, str]:
        return self.run("backup", snapshot_name="one", **variables)

    def hosts_were_held_at_one_moment(self) -> None:
        """There is one clock for all."""
        skews = [json.loads(line) for line in self.events.read_text().splitlines() if "skew_seconds" in line]
        assert 0 <= skews[0]["skew_seconds"] < 1 + skews[0]["clock_error_seconds"]

    def history(self) -> list[str]:
        return self.journal.read_text().splitlines() if self.journal.exists() else []

    def logged(self) -> list[tuple[str, str, str]]:
        """Host, step and event of each line of the event log."""
        if not self.events.exists():
            return []
        lines = [json.loads(line) for line in self.events.read_text().splitlines()]
        return [(line["host"], line["step"], line["event"]) for line in lines]

    def snapshots(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("*.snapshot.*"))

    def held(self) -> list[str]:
        """Services that were stopped and not started again."""
        history = self.history()
        return [host for host in self.names if history.count(f"{host} stop") > history.count(f"{host} start")]

    def records(self) -> list[str]:
        return sorted(str(path) for path in self.folder.glob("*.record/*.json"))

    def nothing_is_left(self) -> None:
        """Nothing is quiesced, and no run is on record as being under way."""
        assert self.held() == []
        assert self.records() == []
        for host in self.names:
            assert not (self.folder / f"{host}.holds" / "sequence.sock").exists()
