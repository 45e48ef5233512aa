# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A folder as it is now, in the form and the order of a catalogue."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Callable

from .plan import Planned
from .records import Member

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_KINDS = {
    stat.S_IFREG: b"-",
    stat.S_IFDIR: b"d",
    stat.S_IFLNK: b"l",
    stat.S_IFIFO: b"p",
    stat.S_IFBLK: b"b",
    stat.S_IFCHR: b"c",
}
_NANOSECONDS = 10**9


@dataclass
class _Folder:
    """An open folder, with the names in it that are still to come, the next one at the end."""

    descriptor: int
    prefix: bytes
    names: list[bytes]


def _entered(descriptor: int, prefix: bytes) -> _Folder:
    """A folder with its names. Raises OSError, and closes the descriptor then."""
    try:
        return _Folder(descriptor, prefix, sorted(map(os.fsencode, os.listdir(descriptor)), reverse=True))
    except OSError:
        os.close(descriptor)
        raise


def state_of_folder(
    top: int,
    unreadable: Callable[[bytes, OSError], None],
    one_file_system: bool = True,
    excluded: Callable[[bytes], bool] = lambda _name: False,
    linked: Callable[[bytes], None] = lambda _name: None,
) -> Iterator[Planned]:
    """What is in an open folder, of the level 0. Sockets and what is `excluded` (by its relative name) are left out.

    Hard links are files by themselves, and owners have numbers only; `linked` is called with the name of a file with several links
    before it is yielded. A folder is opened below its open parent, never through a
    link, and one of another file system is not entered. `unreadable` is called with what could not be looked at or entered. Every
    folder above the current path is open: a tree that is deeper than a process may open files is unreadable from there on.
    Raises OSError if the top cannot be listed.
    """
    found = os.fstat(top)
    device = found.st_dev
    yield Planned(_member(b"", found, b""), 0)
    above: list[_Folder] = []
    with ExitStack() as stack:
        stack.callback(_close, above)
        above.append(_entered(os.dup(top), b""))
        while above:
            folder = above[-1]
            if not folder.names:
                os.close(above.pop().descriptor)
                continue
            last = folder.names.pop()
            name = folder.prefix + last
            if excluded(name):
                continue
            try:
                found = os.stat(last, dir_fd=folder.descriptor, follow_symlinks=False)
                if stat.S_ISSOCK(found.st_mode):
                    continue
                link = os.readlink(last, dir_fd=folder.descriptor) if stat.S_ISLNK(found.st_mode) else b""
            except OSError as problem:
                unreadable(name, problem)
                continue
            if found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
                linked(name)
            yield Planned(_member(name, found, link), 0)
            if stat.S_ISDIR(found.st_mode) and not (one_file_system and found.st_dev != device):
                try:
                    above.append(_entered(os.open(last, _FLAGS, dir_fd=folder.descriptor), name + b"/"))
                except OSError as problem:
                    unreadable(name, problem)


def _close(folders: list[_Folder]) -> None:
    for one in folders:
        os.close(one.descriptor)


def _member(name: bytes, found: os.stat_result, link: bytes) -> Member:
    kind = _KINDS[stat.S_IFMT(found.st_mode)]
    if kind in (b"b", b"c"):
        size = b"%d,%d" % (os.major(found.st_rdev), os.minor(found.st_rdev))
    else:
        size = b"%d" % (found.st_size if kind == b"-" else 0)
    return Member(
        kind=kind,
        mode=b"%04o" % stat.S_IMODE(found.st_mode),
        uid=b"%d" % found.st_uid,
        gid=b"%d" % found.st_gid,
        owner=b"",
        group=b"",
        size=size,
        mtime=_time(found.st_mtime_ns),
        offset=b"0",
        length=b"0",
        map=b"",
        name=name,
        link=link,
    )


def _time(nanoseconds: int) -> bytes:
    """A time as tar writes it: without zeros at the end of its fraction."""
    whole, fraction = divmod(abs(nanoseconds), _NANOSECONDS)
    digits = b".%09d" % fraction if fraction else b""
    return b"%b%d%b" % (b"-" if nanoseconds < 0 else b"", whole, digits.rstrip(b"0"))
