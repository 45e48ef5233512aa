# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Holders of real file systems, each test with a folder of its own for them."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.file_systems import FileSystem, Unavailable

from ansible_collections.freezer.backup.plugins.module_utils._engine.quiesce import hold

MakeFileSystem = Callable[..., FileSystem]


@pytest.fixture
def make_file_system(tmp_path: Path) -> Iterator[MakeFileSystem]:
    """Makes file systems in files; all of them are thawed and taken away after the test."""
    made: list[FileSystem] = []

    def make(name: str = "data", **options: Any) -> FileSystem:
        try:
            made.append(FileSystem(tmp_path, name, **options))
        except Unavailable as reason:
            if os.environ.get("CI") == "true":
                pytest.fail(str(reason))
            pytest.skip(str(reason))
        return made[-1]

    yield make
    # What was made first may carry what was made last, and would block it.
    for system in made:
        system.thaw()
    for system in reversed(made):
        system.remove()


@pytest.fixture
def file_system(make_file_system: MakeFileSystem) -> FileSystem:
    """A file system."""
    return make_file_system()


def _open_files(process: int) -> list[str]:
    """What a process has open; none if it has ended. A file that is closed meanwhile is left out, and not the process."""
    found = []
    folder = f"/proc/{process}/fd"
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            with contextlib.suppress(OSError):
                found.append(os.readlink(f"{folder}/{name}"))
    return found


class Host:
    """Holds with a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def freeze(self, *targets: dict[str, Any], **options: Any) -> dict[str, Any]:
        return hold.freeze(list(targets), folder=str(self.folder), **options)

    def thaw(self, **options: Any) -> dict[str, Any]:
        return hold.thaw(str(self.folder), **options)

    def look(self) -> dict[str, Any]:
        return hold.look(str(self.folder))

    def log(self) -> str:
        return "".join(path.read_text() for path in sorted(self.folder.glob("*.log")))

    def processes(self) -> list[int]:
        """Holders and guards that keep their folder's lock; of a pair the holder is the first."""
        lock = self.folder / "default.lock"
        found = []
        for process in sorted(int(name) for name in os.listdir("/proc") if name.isdecimal()):
            if process != os.getpid() and str(lock) in _open_files(process):
                found.append(process)
        return found

    def kill(self, *processes: int, with_signal: int = signal.SIGKILL) -> None:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):  # ended by itself
                os.kill(process, with_signal)

    def wait_until_over(self, seconds: float = 10) -> dict[str, Any]:
        """The record of the hold when no process of it is left."""
        until = time.monotonic() + seconds
        while self.processes():
            assert time.monotonic() < until, self.log()
            time.sleep(0.05)
        return self.look()


@pytest.fixture
def host(tmp_path: Path, make_file_system: MakeFileSystem) -> Iterator[Host]:
    """A host on which things are held. No holder survives the test, nor keeps its file systems from going."""
    made = Host(tmp_path / "holds")
    yield made
    if made.folder.is_dir():
        made.kill(*made.processes())
