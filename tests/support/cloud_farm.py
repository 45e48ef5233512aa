# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Playbooks on hosts that are servers of the lab's cloud: an inventory, the event log, and what was asked of the cloud.

Ansible logs in to this machine in the place of each host; the servers are the lab's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from . import cloud_lab, labs
from .ansible_command import start_playbook
from .cloud_proxy import CloudProxy
from .cloud_world import World
from .keystone_lab import Keystone
from .phases import phases

_ROOT = Path(__file__).resolve().parents[2]


def three_servers(lab: Keystone) -> World:
    """A project with the servers db, web1 and web2, and the volume ``data`` of db. ``ids`` are the servers' by name."""
    made = World(lab, cloud_lab.new_project(lab))
    image = made.image(os.urandom(5000))
    made.ids = made.servers(image, ("db", "web1", "web2"))
    made.data = made.volume("data")
    made.attach(made.ids["db"], made.data)
    return made


class CloudFarm:
    """Hosts in the groups freezer_services and freezer_compute."""

    def __init__(self, folder: Path, world: World, proxy: CloudProxy) -> None:
        self.folder, self.world, self.proxy = folder, world, proxy
        self.events = folder / "events.jsonl"
        self.journal = folder / "journal"
        self.services: dict[str, dict[str, Any]] = {}
        self.compute: dict[str, dict[str, Any]] = {}
        self.variables: dict[str, Any] = {}
        self.seconds = 560
        #: How Ansible gets to a host; without it as an inventory says that is named in `arguments`.
        self.ways: dict[str, Any] = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "freezer_state_folder": f"{folder}/{{{{ inventory_hostname }}}}.holds",
            "freezer_record_folder": f"{folder}/{{{{ inventory_hostname }}}}.record",
        }
        self._others = labs.start("collections")
        hook = {
            "name": "Write down what was called",
            "ansible.builtin.shell": f"echo {{{{ inventory_hostname }}}} {{{{ freezer_step }}}} >>{self.journal}; "
            f"! test -e {folder}/{{{{ inventory_hostname }}}}-{{{{ freezer_step }}}}",
        }
        (folder / "hook.yml").write_text(yaml.safe_dump([hook]))

    def hooks(self, *steps: str) -> dict[str, Any]:
        """The variable freezer_hooks with the hook of the tests in these steps."""
        return {"freezer_hooks": {step: [{"tasks": str(self.folder / "hook.yml")}] for step in steps}}

    def break_hook(self, host: str, step: str) -> Path:
        """Let the hook of a host fail in a step, as long as the file is there."""
        path = self.folder / f"{host}-{step}"
        path.touch()
        return path

    def inventory(self) -> Path:
        """The file of the inventory."""
        auth = {**self.world.project.auth, "auth_url": self.proxy.auth_url, "user_domain_id": "default"}
        stop, start = (
            ["sh", "-c", f"echo {{{{ inventory_hostname }}}} {word} >>{self.journal}"] for word in ("stop", "start")
        )
        variables = {
            **self.ways,
            "freezer_event_log": str(self.events),
            "freezer_cloud": {"auth": auth},
            "held_target": [{"command": {"prepare": stop, "finalize": start}}],
            **self.variables,
        }
        local = {
            "ansible_connection": "local",
            "ansible_python_interpreter": self._others["FREEZER_TEST_OPENSTACK_PYTHON"],
        }
        inventory = {
            "vars": variables,
            "hosts": {"localhost": local},
            "children": {"freezer_services": {"hosts": self.services}, "freezer_compute": {"hosts": self.compute}},
        }
        path = self.folder / "inventory.yml"
        path.write_text(yaml.safe_dump({"all": inventory}))
        return path

    def start(self, playbook: str, *arguments: str, **variables: Any) -> subprocess.Popen[str]:
        """Begin to run a playbook; `variables` are extra variables."""
        collections = [str(_ROOT / "build/collections"), self._others["FREEZER_TEST_COLLECTIONS"]]
        settings = {"ANSIBLE_PIPELINING": "1", "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join(collections)}
        return start_playbook(playbook, self.inventory(), variables, *arguments, **settings)

    def run(self, playbook: str, *arguments: str, **variables: Any) -> tuple[bool, str]:
        """Whether a playbook succeeded within ``self.seconds``, and what it said."""
        with self.start(playbook, *arguments, **variables) as process:
            output, _nothing = process.communicate(timeout=self.seconds)
        return process.returncode == 0, output

    def history(self) -> list[str]:
        """What hooks and services of hosts have written down."""
        return self.journal.read_text().splitlines() if self.journal.exists() else []

    def logged(self) -> list[dict[str, Any]]:
        """The lines of the event log."""
        return [json.loads(line) for line in self.events.read_text().splitlines()] if self.events.exists() else []

    def phases(self) -> list[tuple[str, str, set[str]]]:
        """Steps and events in their order, without notes and the last line, which says how all of it went."""
        return phases(
            (line["host"], line["step"], line["event"]) for line in self.logged()[:-1] if line["event"] != "note"
        )


def changed(output: str) -> int:
    """How many tasks changed something, by the recap."""
    recap = output.rpartition("PLAY RECAP")[2]
    return sum(int(word.removeprefix("changed=")) for word in recap.split() if word.startswith("changed="))
