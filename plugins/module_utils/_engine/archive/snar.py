# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""GNU tar's snapshot file, and the changes that it needs before the next level.

tar recognizes a moved folder by its inode and writes "rename A to B" into the archive. That saves little (only the
files directly in the folder), and it cannot always be replayed: ``tar --extract`` fails for a folder that was moved to the
path of a former file, or that changed places with its parent. So folders that are no longer at their path in the snapshot
file are removed from it: tar then sees a deleted folder and a new one, which always replays.

Folders of a file system that was mounted below the source, and has another device number now, are removed as well.

So are files that could not be read: tar would not read an unchanged file again, and now every level reads it or reports it.

The format is version 2 of the GNU tar manual, appendix D.4: a line ``GNU tar-<version>-2``, the time as seconds and
nanoseconds, then for each folder nfs flag, mtime (2 fields), device, inode, name and what it held. Fields end with NUL,
and three of them end a folder.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import BinaryIO, Callable, Protocol

from ..repository.errors import ArchiveError

_FOLDER_END = b"\0\0\0"
_READ_BYTES = 1 << 20
_NANOSECONDS = 10**9
#: File times come from a clock with up to 100 ticks a second, tar's start time from a finer one. A file that changes
#: between a tick and tar's start must count as changed after the start.
CLOCK_TICK_NANOSECONDS = 10_000_000
#: The most bytes of one folder, about five million names. One folder is in memory at a time.
_MOST_FOLDER_BYTES = 128 << 20
_LINE_BYTES = 100
_FREE_BYTES = 64 << 20
_MOST_RATIO = 200


class CannotContinue(ArchiveError):
    """An increment would not restore the present state; a full backup would."""


class Unpacked:
    """A snapshot file, decompressed from `stored_bytes`, with a limit of its size.

    It comes from a storage, which is not trusted. Names compress to a tenth, and not to a thousandth.
    """

    def __init__(self, plain: BinaryIO, stored_bytes: int) -> None:
        self._plain = plain
        self._left = _FREE_BYTES + _MOST_RATIO * stored_bytes

    def read(self, size: int) -> bytes:
        """At most so many bytes. Raises CannotContinue beyond the limit."""
        block = self._plain.read(size)
        self._left -= len(block)
        if self._left < 0:
            raise CannotContinue("the snapshot file of the last level is larger than it can be")
        return block

    def readline(self, size: int) -> bytes:
        """Up to the end of a line."""
        return self._plain.readline(size)


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...
    def readline(self, size: int, /) -> bytes: ...


def settle(
    snar: _Readable,
    settled: BinaryIO,
    top: str,
    unread: Iterable[bytes] = (),
    met: Callable[[bytes], None] = lambda _folder: None,
) -> int:
    """Copy a snapshot file without the folders below `top` that no longer exist or have another inode now.

    `met` is called with every folder of the file, also with those that no longer exist. `unread` are the names (``./...``)
    of files and folders that the last level could not read. Returns the start time of that level in nanoseconds since
    1970. Raises CannotContinue if the file has another format, or if the clock has been set back behind that time.
    """
    again: dict[bytes, set[bytes]] = {}
    for name in unread:
        folder, _slash, last = name.rpartition(b"/")
        again.setdefault(folder, set()).add(last)
    device, folder_name = os.stat(top).st_dev, os.fsencode(top)
    try:
        version, began, folders = _read(snar)
        settled.write(version + b"%d\0%d\0" % divmod(began - CLOCK_TICK_NANOSECONDS, _NANOSECONDS))
        for folder in folders:
            met(folder)
            _copy_if_in_place(folder, settled, folder_name, again, device)
    except (ValueError, IndexError):
        raise CannotContinue("the snapshot file of the last level has an unknown format") from None
    if began > time.time_ns():
        raise CannotContinue("the clock has been set back behind the time of the last level")
    return began


def _read(snar: _Readable) -> tuple[bytes, int, Iterator[bytes]]:
    """The first line, the start of the level in nanoseconds since 1970, and the folders. Raises ValueError."""
    version = snar.readline(_LINE_BYTES)
    if not (version.startswith(b"GNU tar-") and version.endswith(b"-2\n")):
        raise ValueError
    parts = _parts(snar)
    seconds, nanoseconds, first = next(parts, b"").split(b"\0", 2)
    began = _number(seconds) * _NANOSECONDS + _number(nanoseconds)
    return version, began, chain([first] if first else [], parts)


def set_moment(snar: BinaryIO, result: BinaryIO, moment_ns: int) -> None:
    """Copy a snapshot file with another start time, in nanoseconds since 1970.

    tar writes its own start time. A snapshot that it read is older: files that were changed in between have to count as
    changed for the next level. Raises ArchiveError if the file has another format.
    """
    version, head = snar.readline(), snar.read(_READ_BYTES)
    fields = head.split(b"\0", 2)
    if not version.endswith(b"-2\n") or len(fields) < 2:
        raise ArchiveError("tar has written a snapshot file of an unknown format.")
    result.write(version + b"%d\0%d\0" % divmod(moment_ns, _NANOSECONDS) + b"".join(fields[2:]))
    for block in iter(lambda: snar.read(_READ_BYTES), b""):
        result.write(block)


def _number(digits: bytes) -> int:
    if len(digits) > 20:
        raise ValueError
    return int(digits)


def _parts(snar: _Readable) -> Iterator[bytes]:
    """The parts between the ends of folders; the first one begins with the time."""
    rest = bytearray()
    while True:
        block = snar.read(_READ_BYTES)
        if not block:
            break
        # An end may be split between two blocks; searched bytes are not searched again.
        start = max(0, len(rest) - len(_FOLDER_END) + 1)
        rest += block
        if rest.find(_FOLDER_END, start) >= 0:
            *whole, rest = rest.split(_FOLDER_END)
            whole.reverse()
            while whole:
                yield bytes(whole.pop())  # one may be large, so none is kept
        elif len(rest) > _MOST_FOLDER_BYTES:
            raise CannotContinue("the snapshot file of the last level has a folder that is larger than it can be")
    if rest:
        yield bytes(rest)


def _copy_if_in_place(
    folder: bytes, settled: BinaryIO, top: bytes, again: dict[bytes, set[bytes]], device: int
) -> None:
    """Copy a folder unless it has changed; `device` is the device number of the top."""
    end = -1
    for _field in range(6):
        end = folder.find(b"\0", end + 1)
        if end < 0:
            break
    # What it held may be large, and is only looked at where something is taken out of it.
    fields = (folder if end < 0 else folder[:end]).split(b"\0")
    if len(fields) < 6:
        raise ValueError
    inode, name = fields[4], fields[5]
    if again:
        parent, _slash, last = name.rpartition(b"/")
        if last in again.get(parent, ()):
            return
    try:
        found = os.lstat(b"%b/%b" % (top, name))
    except OSError:
        return
    if not stat.S_ISDIR(found.st_mode) or found.st_ino != _number(inode):
        return
    if found.st_dev != device and _number(fields[3]) != found.st_dev:
        # Another file system may be mounted there, with the same inode numbers: its files can be older than the last
        # level, and would be overlooked. The device of the top itself changes with every snapshot.
        return
    if name in again and end >= 0:
        # Each entry is a letter and a name.
        held = [one for one in folder[end + 1 :].split(b"\0") if one[1:] not in again[name]]
        folder = b"\0".join([*fields, *held])
    settled.write(folder)
    settled.write(_FOLDER_END)
