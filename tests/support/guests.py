# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The guests of tests/labs/guests, as tests use them."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

from . import labs

_CHECKOUT = Path(__file__).resolve().parents[2]
#: Where the collection lies in a guest: a folder for PYTHONPATH and ANSIBLE_COLLECTIONS_PATH.
COLLECTIONS = "/opt/freezer"
_COLLECTION = f"{COLLECTIONS}/ansible_collections/freezer/backup"
_AGENT = "ansible_collections.freezer.backup.roles.agent.files.freezer_agent.main"


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

    def module(self, name: str, options: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a module of the collection over ssh, with options as JSON, as an operator's ansible does."""
        ansible = [str(Path(sys.executable).parent / "ansible"), "-i", self.inventory, self.name, "-o"]
        return subprocess.run(
            [*ansible, "-m", f"freezer.backup.{name}", "-a", options, *arguments],
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    def renew(self) -> None:
        """Have the guest as it was after its first boot."""
        labs.lab("guests", "renew", self.name)


def _without_caches(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in member.name else member
