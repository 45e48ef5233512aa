# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The lock of a scheduler, one for each client, and running in the background."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import daemon

from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError

STOP_SECONDS = 30.0
_PROBE_SECONDS = 2.0
_READY = b"\0ready"


class AlreadyRuns(FreezerError):
    """A scheduler of this client runs already."""


class NotStarted(FreezerError):
    """The scheduler has ended before it was ready; the message says why."""


class Lock:
    """The lock file of a running scheduler, with its process id in it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "scheduler.pid"
        self._descriptor = -1

    def take(self) -> None:
        """Lock until this process ends. Raises AlreadyRuns, OSError."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + _PROBE_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                pid = self.holder()
                # `status` and `stop` lock it for a short time too, to see whether it is free.
                if pid or time.monotonic() > deadline:
                    os.close(descriptor)
                    raise AlreadyRuns(f"A scheduler of this client runs already (process {pid}).") from None
                time.sleep(0.01)
        self._descriptor = descriptor
        self.sign()

    def sign(self) -> None:
        """Write our process id into it."""
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def holder(self) -> int | None:
        """The process that has locked it, or None."""
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
        """End the process that has locked it and wait for it; returns its id, or None. Raises FreezerError."""
        pid = self.holder()
        if not pid:
            return None
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while self.holder() == pid:
            if time.monotonic() > deadline:
                raise FreezerError(f"The scheduler (process {pid}) does not end within {STOP_SECONDS:g} seconds.")
            time.sleep(0.05)
        return pid


def in_background(work: Callable[[Callable[[], None]], str], lock: Lock, log: Path) -> None:
    """Do the work in a daemon, and return when it is ready; its output goes to the file ``log``.

    The work returns an error as a sentence, or "". Raises NotStarted with it if the work ends before it is ready.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        _be_daemon(work, lock, log, writer)
    os.close(writer)
    with open(reader, "rb") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    if said != _READY:
        raise NotStarted(said.decode(errors="replace") or f"The scheduler ended before it was ready; see {log}.")


def _be_daemon(work: Callable[[Callable[[], None]], str], lock: Lock, log: Path, writer: int) -> NoReturn:
    status = 1
    try:
        with open(writer, "wb", buffering=0) as pipe:
            mask = os.umask(0o077)
            with (
                open(log, "ab", buffering=0) as output,
                daemon.DaemonContext(
                    detach_process=True,
                    files_preserve=_own_descriptors(),
                    stdout=output,
                    stderr=output,
                    # Agents inherit the umask of the caller.
                    umask=mask,
                    prevent_core=False,
                    signal_map={},
                ),
            ):

                def say(text: bytes) -> None:
                    if not pipe.closed:
                        # The parent may have been killed meanwhile.
                        with contextlib.suppress(BrokenPipeError):
                            pipe.write(text)
                        pipe.close()

                lock.sign()
                problem = work(lambda: say(_READY))
                say(problem.encode())
                status = 1 if problem else 0
    finally:
        os._exit(status)


def _own_descriptors() -> list[int]:
    """The descriptors that this program has opened, which their objects will close.

    Those inherited from the caller have survived an exec, so they are inheritable, and ours are not.
    """
    found = []
    for name in os.listdir("/proc/self/fd"):
        # One of them was the descriptor of this folder.
        with contextlib.suppress(OSError):
            if not os.get_inheritable(int(name)):
                found.append(int(name))
    return found
