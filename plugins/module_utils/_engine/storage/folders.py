# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Files and folders by descriptors: who may write to a storage must not have its links lead this user elsewhere."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ..system.undo import on_failure
from .errors import OddObject, StorageError

#: To look names up in a folder, which takes no right to list it.
LOOK_UP = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
#: Folders in folders below one of a backup, which has none.
_DEEPEST = 100


def explain(doing: str, path: str, problem: OSError) -> StorageError:
    """The error to raise when something done to a path failed."""
    hint = ""
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "; free some space or choose another container"
    elif problem.errno in (errno.EACCES, errno.EPERM):
        hint = f"; the user with id {os.geteuid()} needs access to it"
    return StorageError(f"{doing} {path} failed: {problem.strerror or problem}{hint}.")


_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}


def _check_regular(found: os.stat_result, path: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "of an unknown kind")
        raise OddObject(f"{path} is {kind} and not a regular file, so it is nothing that a backup has written.")


def open_regular(path: str, flags: int = os.O_RDONLY, folder: int | None = None) -> int:
    """A descriptor of a regular file, which a link, a FIFO or a device in its place is refused for.

    Others may write to the folder; with its descriptor given, only the last part of the path is looked up, in there.
    Raises OddObject or OSError.
    """
    name = path if folder is None else os.path.basename(path)
    try:
        # Merely to open a device can do something, so it is looked at before.
        _check_regular(os.stat(name, dir_fd=folder, follow_symlinks=False), path)
    except FileNotFoundError:
        if not flags & os.O_CREAT:
            raise
    try:
        descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600, dir_fd=folder)
    except OSError as problem:
        if problem.errno == errno.ELOOP:
            raise OddObject(f"{path} is a symbolic link and not a regular file.") from None
        raise
    with on_failure(lambda: os.close(descriptor)):
        _check_regular(os.fstat(descriptor), path)
    return descriptor


def open_below(above: int, path: str) -> int:
    """A descriptor of the folder with this path, looked up by its last part in the folder `above`.

    Who owns the container could have a link in its place lead anywhere. Raises OddObject or OSError.
    """
    name = os.path.basename(path)
    try:
        return os.open(name, LOOK_UP | os.O_NOFOLLOW, dir_fd=above)
    except OSError as problem:
        if problem.errno not in (errno.ENOTDIR, errno.ELOOP) or not stat.S_ISLNK(
            os.stat(name, dir_fd=above, follow_symlinks=False).st_mode
        ):
            raise
    raise OddObject(
        f"{path} is a symbolic link and not a folder, so it is nothing that a backup has written. Put the folder there "
        "that it leads to, or remove it."
    )


@contextmanager
def readable(folder: int) -> Iterator[int]:
    """A descriptor of a folder that can be listed and synced, where only names are looked up with the one given."""
    descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def sync_folder(folder: int) -> None:
    """Have the names in a folder on disk. Raises OSError."""
    with readable(folder) as descriptor:
        try:
            os.fsync(descriptor)
        except OSError as problem:
            # Some network and FUSE file systems know no fsync of a folder; there is nothing else to ask them for.
            if problem.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise


def make_folder(above: int, path: str) -> None:
    """Make the folder with this path, by its last part in the folder `above`, durably. Raises StorageError."""
    try:
        os.mkdir(os.path.basename(path), 0o700, dir_fd=above)
        sync_folder(above)
    except FileExistsError:
        pass  # another run made it in the same moment
    except OSError as problem:
        raise explain("Making the folder", path, problem) from problem


def is_folder(name: str, above: int) -> bool:
    """Whether what has this name in the folder `above` is a folder, and no link to one. Raises OSError."""
    return stat.S_ISDIR(os.stat(name, dir_fd=above, follow_symlinks=False).st_mode)


def remove_tree(above: int, path: str, deepest: int = _DEEPEST) -> None:
    """Remove a folder with all in it, never through a link, also one that is put there meanwhile.

    It is the one with this path, looked up by its last part in the folder `above`. Raises OddObject or OSError.
    """
    with _listed(above, path, deepest) as (inside, names):
        for name in names:
            if is_folder(name, inside):
                remove_tree(inside, os.path.join(path, name), deepest - 1)
            else:
                os.unlink(name, dir_fd=inside)
    os.rmdir(os.path.basename(path), dir_fd=above)


def size_of_tree(above: int, path: str, deepest: int = _DEEPEST) -> int:
    """The bytes of all that is in a folder, which is looked up as by `remove_tree`. Raises OddObject or OSError."""
    total = 0
    with _listed(above, path, deepest) as (inside, names):
        for name in names:
            with suppress(FileNotFoundError):
                if is_folder(name, inside):
                    total += size_of_tree(inside, os.path.join(path, name), deepest - 1)
                else:
                    total += os.stat(name, dir_fd=inside, follow_symlinks=False).st_size
    return total


@contextmanager
def _listed(above: int, path: str, deepest: int) -> Iterator[tuple[int, list[str]]]:
    if deepest == 0:
        raise OddObject(f"{path} is deeper than anything that a backup has written. Remove it.")
    folder = open_below(above, path)
    try:
        with readable(folder) as listing:
            names = os.listdir(listing)
        yield folder, names
    finally:
        os.close(folder)
