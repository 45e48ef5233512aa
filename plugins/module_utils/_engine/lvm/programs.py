# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Programs that have to end: those of LVM, mount and umount, each with a limit of time."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from typing import NamedTuple

from ..system.process import environment
from .errors import SnapshotError

_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
_PACKAGES = {"lvs": "lvm2", "btrfstune": "btrfs-progs", "mount": "mount", "findfs": "util-linux"}
#: What a program that is told to end gets before it is killed: one of LVM's ends after what must not be cut in two.
_TO_END_SECONDS = 10.0
_PAUSE_SECONDS = 0.2

#: What LVM says, told not to wait, when another of its programs works on the same volume group.
_LOCKED = ("Can't get lock for", "Cannot get lock", "Failed to acquire lock", "flock failed")
_LVM = ("lvs", "vgs", "lvcreate", "lvremove", "lvchange")


class Done(NamedTuple):
    """How a program ended. The status is None if it did not end in time."""

    status: int | None
    output: str
    said: str

    @property
    def first_words(self) -> str:
        """The first line that it said, for a sentence; one that only warns if there is no other."""
        lines = [line.strip().rstrip(".") for line in self.said.splitlines() if line.strip()]
        lines.sort(key=lambda line: line.startswith("WARNING"))
        return lines[0] if lines else f"it ended with status {self.status}"


def run(argv: Sequence[str], timeout_seconds: float) -> Done:
    """Run a program to its end, which is at the latest that of the time and of what it needs to end.

    Programs of LVM never ask, and wait for their locks no longer than the time. Raises SnapshotError if there is no such
    program.
    """
    program = shutil.which(argv[0], path=f"{os.environ.get('PATH', '')}:{_PATH}")
    if program is None:
        package = _PACKAGES.get(argv[0], argv[0])
        raise SnapshotError(f"There is no program {argv[0]} on this host; install the package {package}.")
    if argv[0] not in _LVM:
        return _run([program, *argv[1:]], timeout_seconds)
    # LVM would wait for its locks for ever.
    argv = [program, *argv[1:], "--config", "global{wait_for_locks=0}"]
    end = time.monotonic() + timeout_seconds
    while True:
        done = _run(argv, timeout_seconds)
        if not done.status or not any(words in done.said for words in _LOCKED) or time.monotonic() >= end:
            return done
        time.sleep(_PAUSE_SECONDS)


def _run(argv: list[str], timeout_seconds: float) -> Done:
    pipe = subprocess.PIPE
    process = subprocess.Popen(  # pylint: disable=ansible-bad-function
        argv, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, env=_environment(), start_new_session=True
    )
    try:
        output, said = process.communicate(timeout=timeout_seconds)
        status: int | None = process.returncode
    except subprocess.TimeoutExpired:
        output, said = _end(process)
        status = None
        said += f"\nit did not end in {timeout_seconds:g} s".encode()
    except BaseException:
        _end(process)
        raise
    return Done(status, output.decode("utf-8", "surrogateescape"), said.decode("utf-8", "replace").strip())


def _end(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """End a program. One that the kernel does not let go is left behind."""
    for stop in (process.terminate, process.kill):
        stop()
        try:
            return process.communicate(timeout=_TO_END_SECONDS)
        except subprocess.TimeoutExpired:
            pass
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    return b"", b""


def _environment() -> dict[str, str]:
    # Descriptors that are not LVM's own are no news to anybody.
    return {**environment(), "LVM_SUPPRESS_FD_WARNINGS": "1"}
