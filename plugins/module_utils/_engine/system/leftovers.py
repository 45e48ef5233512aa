# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Scratch folders that kill -9 has left in the temporary folder of the host."""

from __future__ import annotations

import fcntl
import os
import re
import stat

from . import removal, trust
from .scratch import PREFIX, temporary_folder

_NAME = re.compile(re.escape(PREFIX) + "[a-z0-9_]{8}")


def leftovers(min_age: float, now: float) -> list[str]:
    """Scratch folders of this user that no process uses any more, and that are at least so old, in seconds."""
    folder = temporary_folder()
    found: list[str] = []
    if trust.own_way(os.path.join(folder, PREFIX))[1] is not None:
        return found  # what is looked at here could be something else when it is removed
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if _NAME.fullmatch(name) and _is_ours(path) and max(0.0, now - os.lstat(path).st_mtime) >= min_age:
            lock = _lock(path)
            if lock is not None:
                os.close(lock)
                found.append(path)
    return found


def remove_leftover(path: str) -> bool:
    """Remove such a folder, unless a process uses it now; whether it is gone. Raises HostError."""
    lock = _lock(path)
    if lock is None:
        return False
    try:
        removal.remove_tree(path)
    finally:
        os.close(lock)
    return True


def size_of(path: str) -> int:
    """The bytes that all files below a folder take."""
    total, pending = 0, [path]
    # A loop, because trees are deeper than stacks.
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
        except OSError:
            continue  # gone in the meantime, or nothing that can be looked into
    return total


def _is_ours(path: str) -> bool:
    try:
        found = os.lstat(path)
    except OSError:
        return False
    # Of others not even root removes anything: what lies in them could be a trap.
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def _lock(path: str) -> int | None:
    """The lock of an unused folder, for the caller to close; None if a process uses it."""
    try:
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock
