# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Folders of a restore target, open.

A folder in which other users can make entries may change at any time. So each one is opened below its open parent, never through a
link, is checked when it is open, and every operation in it uses its descriptor.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from ..repository.errors import ArchiveError
from ..system import trust
from ..system.file_names import shown
from .written import Placed

STAGING_PREFIX = ".freezer-restore-"
#: The most levels of a tree that can be merged: each level takes an open folder and a frame of Python's stack.
MERGED_DEPTH = 200
#: This needs no right to read: folders are entered, not listed.
ENTRY_FLAGS = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_ACL = "system.posix_acl_access"
MEANWHILE = "It was replaced during the restore"


def opened(descriptor: int) -> str:
    """A path to the object that a descriptor has open, for calls that take no descriptor."""
    return f"/proc/self/fd/{descriptor}"


def not_safe(target: str, obstacle: str) -> ArchiveError:
    """The error for a target that is refused before anything is written."""
    return ArchiveError(
        f"Nothing was restored into {shown(target)}: {obstacle}, so another user could redirect files "
        f"during the restore. {_what_is_safe()}"
    )


def _what_is_safe() -> str:
    owner = "root" if os.geteuid() == 0 else "this user"
    return f"Restore into a new folder that only {owner} may write to, and move it to its place afterwards."


@dataclass(frozen=True)
class Folder:
    """An open folder of the target."""

    descriptor: int
    #: The names from the top to this folder, and its path for messages.
    names: tuple[str, ...]
    path: str
    #: Whether other users may make entries in it, and exchange their own.
    shared: bool

    def entry(self, name: str) -> str:
        """A path to an entry, for calls that take no descriptor and follow no links."""
        return f"{opened(self.descriptor)}/{name}"

    def look(self, name: str) -> os.stat_result | None:
        """The present status of an entry."""
        try:
            return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None


class OthersMayExchange(ArchiveError):
    """A folder of the target is one in which others may exchange entries: its path, and what lets them, as a part of a sentence."""

    def __init__(self, path: str, obstacle: str) -> None:
        super().__init__(
            f"The restore stopped at {shown(path)}: {obstacle}, so another user could redirect files. "
            f"Files restored so far stay. {_what_is_safe()}"
        )
        self.path, self.obstacle = path, obstacle


@contextmanager
def enter(above: Folder, name: str, only_look: bool = False) -> Iterator[Folder]:
    """Open a folder below an open one. Raises OSError, and OthersMayExchange unless it is `only_look`ed into."""
    path = os.path.join(above.path, name)
    if len(above.names) >= MERGED_DEPTH:
        raise OSError(errno.ELOOP, "It is too deep for a restore over existing files", path)
    try:
        descriptor = os.open(name, ENTRY_FLAGS | os.O_DIRECTORY, dir_fd=above.descriptor)
    except (NotADirectoryError, FileNotFoundError):
        raise OSError(errno.EAGAIN, MEANWHILE, path) from None
    try:
        found = os.fstat(descriptor)
        obstacle = trust.others_may_exchange(path, found, opened(descriptor))
        if obstacle is not None and not only_look:
            raise OthersMayExchange(path, obstacle)
        shared = trust.others_may_change(path, found, opened(descriptor)) is not None
        yield Folder(descriptor, (*above.names, name), path, shared)
    finally:
        os.close(descriptor)


def set_attributes(
    target: int | str,
    name: str,
    present: dict[str, bytes],
    found: os.stat_result,
    wanted: dict[str, bytes],
    placed: Placed,
) -> None:
    """Copy owner, mode, attributes and time to an open folder, through its descriptor or a path to that."""
    try:
        if os.geteuid() == 0:
            os.chown(target, found.st_uid, found.st_gid)
        os.chmod(target, stat.S_IMODE(found.st_mode))
        for key in present.keys() - wanted.keys():
            os.removexattr(target, key)
        for key, value in wanted.items():
            if present.get(key) != value:
                os.setxattr(target, key, value)
        os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))
    except OSError as problem:
        if problem.errno not in (errno.EPERM, errno.EACCES, errno.ENOTSUP):
            raise
        placed.not_restored.append({"path": shown(name), "message": f"Cannot set attributes: {problem.strerror}"})


def let_owner_in(folder: str) -> None:
    """Give this user access to a folder of this user's; the path must not have a link of others."""
    mode = stat.S_IMODE(os.stat(folder).st_mode)
    if os.geteuid() != 0 and mode & stat.S_IRWXU != stat.S_IRWXU:
        try:
            os.chmod(folder, mode | stat.S_IRWXU)
        except PermissionError:
            pass  # another user's folder: later errors in it are reported


def close_to_others(
    descriptor: int, present: dict[str, bytes], wanted: os.stat_result, wanted_attributes: dict[str, bytes]
) -> None:
    """Take from others what an open folder of the target gives them and the backup does not, before anything is moved into it.

    It keeps what it has in common with the `wanted` status, so that programs that use it go on; nothing for others if groups or ACLs
    differ, which have other users in them. With an ACL the bits of the group bound it.
    """
    found = os.fstat(descriptor)
    for_others = found.st_mode & wanted.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    if present.get(_ACL) != wanted_attributes.get(_ACL) or (os.geteuid() == 0 and found.st_gid != wanted.st_gid):
        for_others = 0
    mode = stat.S_IMODE(found.st_mode) & ~(stat.S_IRWXG | stat.S_IRWXO) | for_others
    if mode != stat.S_IMODE(found.st_mode):
        try:
            os.chmod(opened(descriptor), mode)
        except PermissionError:
            pass  # root's, which all may write to, with the sticky bit: its mode stays, and that is in the result


@contextmanager
def open_folder(folder: str) -> Iterator[os.stat_result]:
    """Let the owner move entries out of a staged folder, and restore its mode and time afterwards."""
    found = os.stat(folder)
    let_owner_in(folder)
    yield found
    os.chmod(folder, stat.S_IMODE(found.st_mode))
    os.utime(folder, ns=(found.st_atime_ns, found.st_mtime_ns))


@contextmanager
def open_below(top: int, path: bytes) -> Iterator[int]:
    """A folder of a staged tree, below its open top, so that entries can be removed: modes and times stay as they are.

    The path may be longer than any that a call takes. Raises OSError.
    """
    with ExitStack() as changed:
        descriptor = os.dup(top)
        try:
            for name in filter(None, path.split(b"/")):
                deeper = os.open(name, ENTRY_FLAGS | os.O_DIRECTORY, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = deeper
                if os.geteuid() != 0 and os.fstat(descriptor).st_mode & stat.S_IRWXU != stat.S_IRWXU:
                    kept = os.dup(descriptor)
                    changed.callback(os.close, kept)
                    changed.enter_context(open_folder(opened(kept)))
            with open_folder(opened(descriptor)):
                yield descriptor
        finally:
            os.close(descriptor)
