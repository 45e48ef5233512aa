# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What every piece of the lab needs: a virtual environment, a daemon, a port, and somebody who asks over HTTP."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_INSTALL_SECONDS = 600
_STOP_SECONDS = 15


class LabError(Exception):
    """The lab cannot do what it was asked; the message is a sentence."""


def say(text: str) -> None:
    """Tell whoever waits what takes time."""
    print(f"lab openstack: {text}", file=sys.stderr, flush=True)


def run(line: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None) -> None:
    """Run a command that ends by itself; what it says goes to a log. Raises LabError."""
    with log.open("ab") as output:
        try:
            code = subprocess.run(
                [str(word) for word in line],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=_clean({**os.environ, **(environment or {})}),
                timeout=_INSTALL_SECONDS,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired as error:
            raise LabError(f"{line[0]} has not ended in {_INSTALL_SECONDS} s; its log is {log}") from error
    if code:
        last = log.read_text(errors="replace").strip().splitlines()[-1:]
        raise LabError(f"{Path(line[0]).name} failed: {''.join(last)[-300:]} (the whole log is {log})")


def _clean(environment: Mapping[str, str]) -> dict[str, str]:
    # The caller's Python may look at code that is not the lab's. It may also be told to write no bytecode, but the packages of
    # Debian are unpacked without any, and a dozen daemons would compile them anew at each start.
    unwanted = ("PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in environment.items() if name not in unwanted}


def virtual_environment(folder: Path, packages: Sequence[str], constraints: Path) -> Path:
    """The ``bin`` of a virtual environment with these packages, made anew when they or the constraints change."""
    wanted = hashlib.sha256(f"{sys.version_info[:2]} {packages} {constraints.read_text()}".encode()).hexdigest()
    stamp = folder / "made-from"
    commands = folder / "bin"
    if stamp.is_file() and stamp.read_text() == wanted and (commands / "python").exists():
        return commands
    say(f"installing {', '.join(packages)} (half a minute)")
    shutil.rmtree(folder, ignore_errors=True)
    log = folder.parent / "install.log"
    run([sys.executable, "-m", "venv", folder], log)
    run(
        [
            commands / "python",
            "-m",
            "pip",
            "install",
            "-q",
            "--disable-pip-version-check",
            "-c",
            constraints,
            *packages,
        ],
        log,
    )
    stamp.write_text(wanted)
    return commands


def usable_port(remembered: Path) -> int:
    """The port that a file remembers if nobody else listens there, else a free one."""
    with contextlib.suppress(OSError, ValueError):
        port = int(remembered.read_text())
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
    remembered.write_text(str(found))
    return found


class Daemon:
    """A process that outlives the lab's command. ``mark`` is a word of its command line that nothing else has."""

    def __init__(self, folder: Path, name: str, mark: str) -> None:
        self.log = folder / f"{name}.log"
        self._pid_file = folder / f"{name}.pid"
        self._mark = mark
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def process_id(self) -> int | None:
        """Its process id, if it runs."""
        try:
            process_id = int(self._pid_file.read_text())
            line = Path(f"/proc/{process_id}/cmdline").read_text()
        except (OSError, ValueError):
            return None
        return process_id if self._mark in line else None

    def start(self, line: Sequence[str | Path], environment: Mapping[str, str]) -> None:
        """Start it, detached."""
        with self.log.open("ab") as output:
            process = subprocess.Popen(
                [str(word) for word in line],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=_clean({**os.environ, **environment}),
                cwd=self.log.parent,
                start_new_session=True,
            )
        self._pid_file.write_text(str(process.pid))
        self._child = process

    @property
    def has_ended(self) -> bool:
        """Whether what this very command has started is gone again."""
        return self._child is not None and self._child.poll() is not None

    def stop(self) -> None:
        """Stop it and what it has started. Raises LabError if it stays."""
        process_id = self.process_id
        if process_id is None:
            return
        os.killpg(process_id, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        while self.process_id is not None and time.monotonic() < deadline:
            time.sleep(0.05)
        if self.process_id is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process_id, signal.SIGKILL)
        self._pid_file.unlink(missing_ok=True)


class Asked:
    """Answers of a REST service."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.headers: dict[str, str] = {}

    def answers(self) -> bool:
        """Whether the service answers with anything but a failure of its own."""
        try:
            with contextlib.closing(self._open("GET", "", None)):
                return True
        except urllib.error.HTTPError as error:
            return error.code < 500
        except (OSError, http.client.HTTPException):
            return False

    def ask(self, method: str, path: str, body: Any = None) -> tuple[Any, Mapping[str, str]]:
        """The JSON and the headers of an answer. Raises LabError for anything but a success."""
        try:
            with contextlib.closing(self._open(method, path, body)) as response:
                text = response.read()
                return (json.loads(text) if text else None), response.headers
        except urllib.error.HTTPError as error:
            raise LabError(f"{method} {path} was answered with {error.code}: {error.read().decode()}") from error
        except (OSError, http.client.HTTPException) as error:
            raise LabError(f"{method} {self.url}{path} was not answered: {error}") from error

    def _open(self, method: str, path: str, body: Any) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, dict(self.headers), method=method)
        request.add_header("Content-Type", "application/json")
        # Proxies of this machine have nothing to do with its loopback.
        return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30)
