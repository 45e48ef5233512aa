# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The guests of tests/labs/guests, as tests use them."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import shlex
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import labs
from .soak import SOAK

_CHECKOUT = Path(__file__).resolve().parents[2]
#: Where the collection lies in a guest: a folder for PYTHONPATH and ANSIBLE_COLLECTIONS_PATH.
COLLECTIONS = "/opt/freezer"
_COLLECTION = f"{COLLECTIONS}/ansible_collections/freezer/backup"
_AGENT = "ansible_collections.freezer.backup.roles.agent.files.freezer_agent.main"


# Runs in a guest for as long as a connection lasts. A script costs a shell then, and not a session of sshd as well.
_LOOP = """
import base64, json, subprocess, sys
for line in sys.stdin:
    script, data = json.loads(line)
    given = {"stdin": subprocess.DEVNULL} if data is None else {"input": base64.b64decode(data)}
    done = subprocess.run(["bash", "-c", script], capture_output=True, **given)
    found = [done.returncode, done.stdout.decode(), done.stderr.decode()]
    # As a shell says it, which is what comes through ssh.
    found[0] = found[0] if found[0] >= 0 else 128 - found[0]
    print(json.dumps(found), flush=True)
"""


# Runs in a guest, after lines that define `answer`.
_CALLS = """
import json, sys
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
for line in sys.stdin:
    try:
        found = answer(*json.loads(line))
    except FreezerError as problem:
        found = {"problem": str(problem)}
    print(json.dumps(found), flush=True)
"""


class EngineProblem(Exception):
    """The engine in a guest has refused; the message is its sentence."""


class Engine:
    """The engine in a guest, called by one process for all calls, since a new one takes seconds there.

    `code` defines `answer`, which is called there with what `call` is given here.
    """

    def __init__(self, guest: Guest, code: str) -> None:
        self._process = guest.start(f"PYTHONPATH={COLLECTIONS} exec python3 -c {shlex.quote(code + _CALLS)}")

    def call(self, *arguments: Any) -> Any:
        """What `answer` returns. Raises EngineProblem for a FreezerError."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(arguments) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        # What it says besides is a traceback.
        found = json.loads(line) if line.startswith(("{", "[")) else None
        assert found is not None, line + self._process.communicate(timeout=60)[0]
        if "problem" in found:
            assert "\n" not in found["problem"]
            raise EngineProblem(found["problem"])
        return found

    def end(self) -> None:
        """End the process."""
        self._process.communicate(timeout=60)


class Guest:
    """One guest; everything in it is done as root."""

    def __init__(self, name: str, variables: Mapping[str, str]) -> None:
        self.name = name
        self.inventory = variables["FREEZER_TEST_GUESTS_INVENTORY"]
        self._ssh = ["ssh", "-F", variables["FREEZER_TEST_GUESTS_SSH_CONFIG"]]
        # One connection for all commands of a test.
        control = Path(variables["FREEZER_TEST_GUESTS_SSH_CONFIG"]).parent / "ssh" / f"tests-{name}"
        self._ssh += ["-o", "ControlMaster=auto", "-o", "ControlPersist=60s", "-o", f"ControlPath={control}", name]

        self._idle: list[subprocess.Popen[bytes]] = []

    def attempt(
        self, script: str, stdin: str | bytes | None = None, seconds: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell script in the guest, whatever comes of it; 255 if the connection ends meanwhile, as ssh has it.

        Several may run at a time. Raises subprocess.TimeoutExpired.
        """
        data = stdin.encode() if isinstance(stdin, str) else stdin
        document = json.dumps([script, None if data is None else base64.b64encode(data).decode()])
        shell = self._connected()
        timer = threading.Timer(seconds, shell.kill)
        timer.start()
        try:
            with contextlib.suppress(BrokenPipeError):
                shell.stdin.write(document.encode() + b"\n")
                shell.stdin.flush()
            line = shell.stdout.readline()
        finally:
            late = timer.finished.is_set()
            timer.cancel()
        if not line:
            shell.kill()
            shell.communicate()
            if late:
                raise subprocess.TimeoutExpired(script, seconds)
            return subprocess.CompletedProcess(script, 255, "", "the connection has ended")
        self._idle.append(shell)
        return subprocess.CompletedProcess(script, *json.loads(line))

    def _connected(self) -> Any:
        """A connection that no other thread uses, to be put back when it is idle."""
        while self._idle:
            shell = self._idle.pop()
            if shell.poll() is None:
                return shell
            shell.communicate()
        pipe = subprocess.PIPE
        loop = f"exec python3 -c {shlex.quote(_LOOP)}"
        return subprocess.Popen([*self._ssh, loop], stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)

    def disconnect(self) -> None:
        """End the connections."""
        while self._idle:
            shell = self._idle.pop()
            shell.kill()
            shell.communicate()

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
        with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=3) as archive:
            for folder in ("meta", "plugins", "roles", "playbooks"):
                archive.add(_CHECKOUT / folder, folder, filter=_without_caches)
        self.run(f"rm -rf {COLLECTIONS}; mkdir -p {_COLLECTION}; tar -C {_COLLECTION} -xz", packed.getvalue())
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

    def module(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Run a module of the collection over ssh, as an operator's ansible does: what it returns, also of a failure."""
        return self.modules((name, options))[0]

    def modules(
        self, *calls: tuple[str, Mapping[str, Any]] | tuple[str, Mapping[str, Any], str]
    ) -> list[dict[str, Any]]:
        """Run modules one after the other in one play, those with the word "check" in check mode: what each returns."""
        tasks = [
            {
                f"freezer.backup.{name}": dict(options),
                "register": f"result_{number}",
                "ignore_errors": True,
                "diff": True,
                **({"check_mode": True} if mode else {}),
            }
            for number, (name, options, *mode) in enumerate(calls)
        ]
        with tempfile.TemporaryDirectory() as folder:
            results = ", ".join(f"result_{number}" for number in range(len(tasks)))
            content = {"content": f"{{{{ [{results}] | to_json }}}}", "dest": f"{folder}/results"}
            write = {"ansible.builtin.copy": content, "delegate_to": "localhost", "connection": "local"}
            play = {"hosts": self.name, "gather_facts": False, "tasks": [*tasks, write]}
            # What is in JSON is in YAML.
            Path(folder, "play.yml").write_text(json.dumps([play]))
            done = subprocess.run(
                [Path(sys.executable).parent / "ansible-playbook", "-i", self.inventory, f"{folder}/play.yml"],
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
                env={**os.environ, "ANSIBLE_PIPELINING": "1"},
            )
            assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
            found: list[dict[str, Any]] = json.loads(Path(folder, "results").read_text())
            return found

    def traces(self) -> str:
        """What there is of volumes, mounts of them, devices and temporary folders: equal when nothing was left."""
        return self.run(
            "lvs --noheadings -o vg_name,lv_name,lv_attr; shopt -s nullglob; echo /tmp/freezer-* /run/freezer-backup/snapshots/*; "
            "while read -r _ _ device _ point _; do case $device in 25[0-9]:*) echo $device $point ;; esac; done </proc/self/mountinfo; "
            "for device in /sys/block/dm-*/dm; do echo $(<$device/name) $(<$device/suspended); done"
        )

    def clear_volumes(self) -> None:
        """Remove every volume but the one that a guest has from the start, with its mounts, after a test that failed."""
        self.run(
            "for point in $(findmnt -rno TARGET,SOURCE | awk '/.dev.mapper/ && !/srv$/ {print $1}'); do umount -l $point; done; "
            "for volume in $(lvs --noheadings -o vg_name,lv_name --separator / | grep -v 'data/srv *$'); do "
            "lvremove -qq -y $volume || :; done"
        )

    def is_as_new(self) -> bool:
        """Whether no test has left a volume, a group of volumes or a file where tests put them."""
        found = self.run(
            "lvs --noheadings -o lv_name; vgs --noheadings -o vg_name; ls -A /srv/data; ls -A /root | grep backups || :"
        )
        return found.split() == ["srv", "data", "lost+found"]

    def renew(self) -> None:
        """Have the guest as it was after its first boot."""
        self.disconnect()
        labs.lab("guests", "renew", self.name)
        self.make_quick()

    def make_quick(self) -> None:
        """Let LVM make its device nodes itself: the programs that udev starts for each take three quarters of the time.

        In `make soak` udev makes them, as on other hosts.
        """
        if SOAK:
            return
        self.write(
            "/etc/lvm/lvmlocal.conf", "activation {\n    monitoring = 0\n    udev_rules = 0\n    udev_sync = 0\n}\n"
        )
        self.run("systemctl -q stop systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udevd.service")


def _without_caches(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in member.name else member
