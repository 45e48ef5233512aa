# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Run programs of LVM, mount and umount, each with a time limit."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ..system import process
from ..system.process import Done
from .errors import SnapshotError

_PACKAGES = {"lvs": "lvm2", "btrfstune": "btrfs-progs", "mount": "mount", "findfs": "util-linux"}
#: Seconds from SIGTERM to SIGKILL: a program of LVM first completes what must not be interrupted.
_TO_END_SECONDS = 10.0
_PAUSE_SECONDS = 0.2

#: Messages of LVM, when it must not wait, about a volume group that another of its programs has locked.
_LOCKED = ("Can't get lock for", "Cannot get lock", "Failed to acquire lock", "flock failed")
_LVM = ("lvs", "vgs", "lvcreate", "lvremove", "lvchange")
#: Variables that move the configuration of LVM and device mapper.
_KEPT = (process.RUN_MARK, "LVM_", "DM_")


def run(argv: Sequence[str], timeout_seconds: float) -> Done:
    """Run a program to its end; after the timeout it is ended.

    Programs of LVM never ask questions, and wait for their locks no longer than the timeout. Raises SnapshotError if the
    program is not installed.
    """
    program = process.find(argv[0])
    if program is None:
        package = _PACKAGES.get(argv[0], argv[0])
        raise SnapshotError(f"There is no program {argv[0]} on this host; install the package {package}.")
    if argv[0] not in _LVM:
        return _run([program, *argv[1:]], timeout_seconds)
    # LVM would wait for its locks without a limit.
    argv = [program, *argv[1:], "--config", "global{wait_for_locks=0}"]
    end = time.monotonic() + timeout_seconds
    while True:
        done = _run(argv, timeout_seconds)
        if not done.status or not any(words in done.said for words in _LOCKED) or time.monotonic() >= end:
            return done
        time.sleep(_PAUSE_SECONDS)


def _run(argv: list[str], timeout_seconds: float) -> Done:
    # LVM warns of inherited descriptors.
    env = process.environment({"LVM_SUPPRESS_FD_WARNINGS": "1"}, _KEPT)
    return process.run(
        argv, timeout_seconds=timeout_seconds, patience_seconds=_TO_END_SECONDS, env=env, own_session=True
    )
