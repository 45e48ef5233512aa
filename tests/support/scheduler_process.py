# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A freezer-scheduler as its users have it: a process of its own, with real agents."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

COMMAND = str(Path(sys.executable).parent / "freezer-scheduler")
_START_SECONDS = 60


@dataclass
class Scheduler:
    """A scheduler in the foreground. ``client_id`` is also the name of its folder below ``state``."""

    client_id: str
    folder: Path
    url: str | None
    config: Mapping[str, Any] = field(default_factory=dict)
    #: Further options of ``[api]``, such as ``username``.
    login: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def state(self) -> Path:
        """Where it keeps what it must not forget."""
        return self.folder / "state" / self.client_id

    @property
    def log(self) -> str:
        """What it said."""
        return (self.folder / f"{self.client_id}.log").read_text(encoding="utf-8", errors="replace")

    def words(self, *arguments: str) -> list[str]:
        """The command line of a verb."""
        path = self.folder / f"{self.client_id}.conf"
        lines = ["[DEFAULT]", f"state_dir = {self.folder / 'state'}"]
        lines += [f"{name} = {value}" for name, value in {"interval": 1, **self.config}.items()]
        if self.url:
            lines += ["[api]", f"url = {self.url}"]
            lines += [f"{name} = {value}" for name, value in self.login.items()]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return [COMMAND, "--config-file", str(path), "-c", self.client_id, *arguments]

    def start(self, *arguments: str, **environment: str) -> Scheduler:
        """Start it and wait until it says that it runs."""
        before = len(self.log) if (self.folder / f"{self.client_id}.log").exists() else 0
        with open(self.folder / f"{self.client_id}.log", "ab") as log:
            self.process = subprocess.Popen(
                self.words("--no-daemon", *arguments, "start"),
                stdout=log,
                stderr=log,
                env=clean_environment(environment),
            )
        wait_for(lambda: " runs; it knows " in self.log[before:] or self.process.poll() is not None, _START_SECONDS)
        assert self.process.poll() is None, self.log
        return self

    def call(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a verb of the command line."""
        done = subprocess.run(
            self.words(*arguments), capture_output=True, text=True, check=False, timeout=60, env=clean_environment({})
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def end(self, number: int = signal.SIGTERM) -> int:
        """End it with a signal, and wait."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(60)


def clean_environment(more: Mapping[str, str]) -> dict[str, str]:
    """This environment without what would lead to other APIs."""
    return {**{name: text for name, text in os.environ.items() if not name.startswith("OS_")}, **more}


def wait_for(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """What the condition gives when it holds; fails if it does not in this time."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"it did not happen within {seconds:g} seconds: {condition}")
        time.sleep(0.05)


def processes_with(word: str) -> list[int]:
    """The processes that have this word in their arguments or their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "cmdline").read_bytes() + b"\0" + (folder / "environ").read_bytes()
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if word.encode() in text and state not in ("Z", "X") and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found
