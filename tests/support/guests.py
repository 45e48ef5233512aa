# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The guests of tests/labs/guests, as tests use them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import labs

_CHECKOUT = Path(__file__).resolve().parents[2]
#: Where the collection lies in a guest: a folder for PYTHONPATH and ANSIBLE_COLLECTIONS_PATH.
COLLECTIONS = "/opt/freezer"
_COLLECTION = f"{COLLECTIONS}/ansible_collections/freezer/backup"
_AGENT = "ansible_collections.freezer.backup.roles.agent.files.freezer_agent.main"


class EngineProblem(Exception):
    """The engine in a guest has refused; the message is its sentence."""


class Guest:
    """One guest; everything in it is done as root."""

    def __init__(self, name: str, variables: Mapping[str, str]) -> None:
        self.name = name
        self.inventory = variables["FREEZER_TEST_GUESTS_INVENTORY"]
        self._ssh = ["ssh", "-F", variables["FREEZER_TEST_GUESTS_SSH_CONFIG"]]
        # One connection for all commands of a test.
        control = Path(variables["FREEZER_TEST_GUESTS_SSH_CONFIG"]).parent / "ssh" / f"tests-{name}"
        self._ssh += ["-o", "ControlMaster=auto", "-o", "ControlPersist=60s", "-o", f"ControlPath={control}", name]

    def attempt(
        self, script: str, stdin: str | bytes | None = None, seconds: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell script in the guest, whatever comes of it."""
        data = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run(
            [*self._ssh, script],
            input=data,
            stdin=subprocess.DEVNULL if data is None else None,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    def run(self, script: str, stdin: str | bytes | None = None, seconds: float = 120) -> str:
        """What a shell script prints that has to succeed."""
        done = self.attempt(f"set -e; {script}", stdin, seconds)
        assert done.returncode == 0, (
            f"{self.name}: {script}\nended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return done.stdout

    def start(self, script: str) -> subprocess.Popen[str]:
        """A shell script that runs on in the guest; closing its standard input is for the script to notice."""
        pipe = subprocess.PIPE
        return subprocess.Popen([*self._ssh, script], stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True)

    def write(self, path: str, content: str | bytes) -> None:
        """Write a file."""
        self.run(f"cat >'{path}'", content if content else b"")

    def install_collection(self) -> None:
        """Bring what an installed collection consists of, as the checkout has it now; and the command freezer-agent."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for folder in ("meta", "plugins", "roles", "playbooks"):
                archive.add(_CHECKOUT / folder, folder, filter=_without_caches)
        self.run(f"rm -rf {COLLECTIONS}; mkdir -p {_COLLECTION}; tar -C {_COLLECTION} -x", packed.getvalue())
        command = f'#!/bin/sh\nPYTHONPATH={COLLECTIONS} exec python3 -m {_AGENT} "$@"\n'
        self.run("cat >/usr/local/bin/freezer-agent; chmod 0755 /usr/local/bin/freezer-agent", command)

    def agent(self, action: str, options: Mapping[str, Any], seconds: float = 300) -> dict[str, Any]:
        """Run freezer-agent in the guest; the result also of a failure."""
        return self.agent_with("", action, options, seconds)

    def agent_with(
        self, variables: str, action: str, options: Mapping[str, Any], seconds: float = 300
    ) -> dict[str, Any]:
        """Run freezer-agent with variables such as ``PATH=/first:$PATH``; the result also of a failure."""
        document = json.dumps({**options, "action": action})
        run = f"{variables} freezer-agent --stdin --quiet --result-fd 3"
        done = self.attempt(f"exec 3>&1 >/dev/null; {run}", document, seconds)
        assert done.stdout, done.stderr
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def info(self, place: Mapping[str, Any]) -> dict[str, Any]:
        """What backups there are, as the engine has it: the program's table needs a library that guests do not have."""
        script = (
            "import json, sys; from ansible_collections.freezer.backup.plugins.module_utils._engine import agent; "
            "print(json.dumps(agent.info(json.load(sys.stdin))))"
        )
        found: dict[str, Any] = json.loads(
            self.run(f"PYTHONPATH={COLLECTIONS} python3 -c '{script}'", json.dumps(place))
        )
        return found

    def module(self, name: str, options: Mapping[str, Any], *arguments: str) -> dict[str, Any]:
        """Run a module of the collection over ssh, as an operator's ansible does: what it returns, also of a failure."""
        ansible = [str(Path(sys.executable).parent / "ansible"), "-i", self.inventory, self.name]
        done = subprocess.run(
            [*ansible, "-m", f"freezer.backup.{name}", "-a", json.dumps(options), *arguments],
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
            env={
                **os.environ,
                "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal",
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_PIPELINING": "1",
            },
        )
        # A diff, which ansible takes out of the result, comes first.
        before, arrow, after = done.stdout.partition(f"{self.name} | ")
        assert arrow, f"{done.stdout}\n{done.stderr}"
        result: dict[str, Any] = json.JSONDecoder().raw_decode(after[after.index("{") :])[0]
        result["shown_diff"] = before
        return result

    def traces(self) -> str:
        """What there is of volumes, mounts of them, devices and temporary folders: equal when nothing was left."""
        return self.run(
            "lvs --noheadings -o vg_name,lv_name,lv_attr; grep /dev/mapper /proc/self/mountinfo | cut -d' ' -f3- || :; "
            "dmsetup info -c --noheadings -o name,suspended,open | sort; ls -d /tmp/freezer-* 2>/dev/null || :; "
            "ls /run/freezer-backup/snapshots 2>/dev/null || :"
        )

    def clear_volumes(self) -> None:
        """Remove every volume but the one that a guest has from the start, with its mounts, after a test that failed."""
        self.run(
            "for point in $(findmnt -rno TARGET,SOURCE | awk '/.dev.mapper/ && !/srv$/ {print $1}'); do umount -l $point; done; "
            "for volume in $(lvs --noheadings -o vg_name,lv_name --separator / | grep -v data/srv); do "
            "lvremove -qq -y $volume || :; done"
        )

    def renew(self) -> None:
        """Have the guest as it was after its first boot."""
        labs.lab("guests", "renew", self.name)


def _without_caches(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in member.name else member
