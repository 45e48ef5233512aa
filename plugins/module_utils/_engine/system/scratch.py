# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Scratch folders in the temporary folder of the host.

The process that uses one locks it, and the kernel unlocks it however the process ends: an unlocked folder is a
leftover (`leftovers`).
"""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from . import removal, trust
from .errors import HostError
from .file_names import shown

PREFIX = "freezer-scratch-"


@contextmanager
def scratch_folder() -> Iterator[str]:
    """A new folder that only this user may look into; it is removed afterwards. Raises OSError, HostError.

    As root a backup is read back into it: where others could exchange it, that would be a restore to anywhere.
    """
    path, lock = _make()
    try:
        _refuse_of_others(path)
        yield path
    finally:
        try:
            removal.remove_tree(path)
        except (HostError, OSError):
            pass  # the work is done, or has failed with more to tell; prune finds what stays
        os.close(lock)


def _make() -> tuple[str, int]:
    while True:
        path = tempfile.mkdtemp(prefix=PREFIX, dir=temporary_folder())
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            # Whoever collects may have been faster than the lock.
            if os.path.samestat(os.stat(path), os.fstat(lock)):
                return path, lock
        except FileNotFoundError:
            pass
        os.close(lock)


def _refuse_of_others(path: str) -> None:
    _real, obstacle = trust.own_way(path)
    if obstacle is not None:
        owner = "root" if os.geteuid() == 0 else "this user"
        raise HostError(
            f"The temporary folder {shown(os.path.dirname(path))} cannot be used: {obstacle}. Name one that only {owner} may "
            "write to, or one like /tmp with the sticky bit, in the environment variable TMPDIR."
        )


def temporary_folder() -> str:
    """The folder for temporary files. Raises HostError if there is none."""
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:
        raise HostError(
            "There is no folder for temporary files in which this user can write, or it is full; name one in the environment "
            "variable TMPDIR."
        ) from None


def is_full(problem: OSError) -> bool:
    """Whether an error says that there is no room where something was to be written."""
    return problem.errno in (errno.ENOSPC, errno.EDQUOT)


def is_in_temporary_folder(problem: OSError) -> bool:
    """Whether an error is about files there. Those that have no name fail without one, and no other files of ours do."""
    name, folder = problem.filename, temporary_folder()
    if not isinstance(name, str):
        return name is None
    return folder in (name, os.path.dirname(name)) or name.startswith(os.path.join(folder, PREFIX))


def no_room(problem: OSError) -> str:
    """What to say of a full temporary folder."""
    return (
        f"the temporary folder {shown(temporary_folder())} has no room left ({problem.strerror}). Make room in it, or name "
        "another folder in the environment variable TMPDIR."
    )


def need_room(bytes_needed: int, why: str) -> None:
    """Raise HostError if the temporary folder certainly cannot hold so much."""
    folder = temporary_folder()
    found = os.statvfs(folder)
    free = found.f_frsize * (found.f_bfree if os.geteuid() == 0 else found.f_bavail)
    if free < bytes_needed:
        raise HostError(
            f"The temporary folder {shown(folder)} has room for {free} bytes, and {why} needs at least {bytes_needed}. "
            "Make room in it, or name another folder in the environment variable TMPDIR. Nothing was begun."
        )
