# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""One scheduler for each client: the lock that says so, and going into the background."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError

STOP_SECONDS = 30.0


class AlreadyRuns(FreezerError):
    """There is a scheduler of this client."""


class Lock:
    """The file that a running scheduler holds, with its process id in it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "scheduler.pid"
        self._descriptor = -1

    def take(self) -> None:
        """Be the only one, until this process ends. Raises AlreadyRuns, OSError."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise AlreadyRuns(f"A scheduler of this client runs already (process {self.holder()}).") from None
        self._descriptor = descriptor
        self.sign()

    def sign(self) -> None:
        """Write our process id into it."""
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def holder(self) -> int | None:
        """The process that holds it, or None."""
        try:
            with open(self._path, "r+", encoding="ascii") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    return int(file.read().strip() or 0)
        except (OSError, ValueError):
            pass
        return None

    def end_holder(self) -> int | None:
        """Ask the holder to end and wait for it; returns its id, None if there is none. Raises FreezerError."""
        pid = self.holder()
        if not pid:
            return None
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while self.holder() == pid:
            if time.monotonic() > deadline:
                raise FreezerError(f"The scheduler (process {pid}) does not end within {STOP_SECONDS:g} seconds.")
            time.sleep(0.05)
        return pid


def in_background(work: Callable[[Callable[[], None]], int], lock: Lock, log: Path) -> int:
    """Do the work in a process of its own, and return when it says that it is ready, or ends: its exit status.

    What it says from then on goes to the file ``log``.
    """
    reader, writer = os.pipe()
    if os.fork():
        os.close(writer)
        with open(reader, "rb") as pipe:
            word = pipe.read()
        if word == b"ready":
            return 0
        return word[0] if word else 1
    os.close(reader)
    os.setsid()
    if os.fork():
        os._exit(0)
    status = 1

    def ready() -> None:
        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        null = os.open(os.devnull, os.O_RDONLY)
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(null, 0)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        os.chdir("/")
        os.write(writer, b"ready")
        os.close(writer)

    try:
        lock.sign()
        status = work(ready)
    finally:
        with contextlib.suppress(OSError):
            os.write(writer, bytes([status or 1]))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
