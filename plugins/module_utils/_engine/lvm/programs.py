# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Programs that have to end: those of LVM, mount and umount, each with a limit of time."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ..system import process
from ..system.process import Done
from .errors import SnapshotError

_PACKAGES = {"lvs": "lvm2", "btrfstune": "btrfs-progs", "mount": "mount", "findfs": "util-linux"}
#: What a program that is told to end gets before it is killed: one of LVM's ends after what must not be cut in two.
_TO_END_SECONDS = 10.0
_PAUSE_SECONDS = 0.2

#: What LVM says, told not to wait, when another of its programs works on the same volume group.
_LOCKED = ("Can't get lock for", "Cannot get lock", "Failed to acquire lock", "flock failed")
_LVM = ("lvs", "vgs", "lvcreate", "lvremove", "lvchange")
#: Where LVM and device mapper have their configuration, on hosts where that is not the usual place.
_KEPT = (process.RUN_MARK, "LVM_", "DM_")


def run(argv: Sequence[str], timeout_seconds: float) -> Done:
    """Run a program to its end, which is at the latest that of the time and of what it needs to end.

    Programs of LVM never ask, and wait for their locks no longer than the time. Raises SnapshotError if there is no such
    program.
    """
    program = process.find(argv[0])
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
    # LVM warns of descriptors that it has not opened itself.
    env = process.environment({"LVM_SUPPRESS_FD_WARNINGS": "1"}, _KEPT)
    return process.run(
        argv, timeout_seconds=timeout_seconds, patience_seconds=_TO_END_SECONDS, env=env, own_session=True
    )
