# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Puts the blocks of large files into the holes that tar has made of them."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, tee
from typing import NamedTuple

from ..repository.errors import DamagedArchive
from ..system.file_names import shown
from .block_maps import BLOCK_BYTES, IN_BLOCKS, IN_MEMBER, ZEROS, Entry, digest_of, size_of_block
from .external_sort import ExternalSort
from .records import Member
from .streams import Stream
from .target_folder import opened

_CAPABILITY = "security.capability"
_PLACE = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_WRONLY | os.O_CLOEXEC | os.O_NONBLOCK

#: Of a level of the chain, and whether the stream of blocks is meant, the stream.
StreamOf = Callable[[int, bool], Stream]

#: Level, place and offset of a block, by which they sort; its number in the file, and its hash.
_WANTED = struct.Struct(">HBQQ32s")


class _Wanted(NamedTuple):
    level: int
    place: int
    offset: int
    number: int
    digest: bytes


def needs_blocks(entries: Iterator[Entry], level: int) -> bool:
    """Whether a file is a hole in the tar stream of its level, and its content has to be put together."""
    return any(one.place == IN_BLOCKS or (one.place != ZEROS and one.level != level) for one in entries)


def put_blocks(
    folder: int,
    member: Member,
    level: int,
    entries: Iterable[Entry],
    stream_of: StreamOf,
    scratch: str,
    advance: Callable[[int], None],
) -> None:
    """Write the content of a file below an open folder that only this user can enter.

    Its mode, capabilities and time stay. `scratch` is a folder of this user only, `advance` is told of bytes. Raises DamagedArchive, StorageError or OSError.
    """
    place = os.open(member.name, _PLACE, dir_fd=folder)
    try:
        found = os.fstat(place)
        if os.geteuid() != 0 and stat.S_ISREG(found.st_mode):
            os.chmod(opened(place), stat.S_IMODE(found.st_mode) | stat.S_IRUSR | stat.S_IWUSR)
        descriptor = os.open(opened(place), _FILE)
    finally:
        os.close(place)
    try:
        if not stat.S_ISREG(found.st_mode) or found.st_size != member.size_bytes:
            raise _damage(member, "is not the hole that it should be")
        capability = _capability(descriptor)
        with ExternalSort(scratch) as sort:
            for (of_level, in_blocks), group in groupby(_sorted(entries, level, member, sort), _source):
                _write(descriptor, member, stream_of(of_level, in_blocks), group, advance)
        # Writing takes rights of a program away.
        os.fchmod(descriptor, stat.S_IMODE(found.st_mode))
        if capability is not None:
            os.setxattr(descriptor, _CAPABILITY, capability)
        os.utime(descriptor, ns=(found.st_atime_ns, member.mtime_ns))
    finally:
        os.close(descriptor)


def _capability(descriptor: int) -> bytes | None:
    try:
        return os.getxattr(descriptor, _CAPABILITY)
    except OSError:
        return None


def _sorted(entries: Iterable[Entry], level: int, member: Member, sort: ExternalSort) -> Iterator[_Wanted]:
    """What is to be written, in the order of levels and streams, so that each is read once. A map may have millions of entries."""
    for number, (place, of_level, offset, digest) in enumerate(entries):
        if place == IN_MEMBER:
            raise _damage(member, f"has a block in its member of level {level}, which is a hole")
        if place != ZEROS:
            sort.add(_WANTED.pack(of_level, place, offset, number, digest))
    return (_Wanted(*_WANTED.unpack(item)) for item in sort.sorted())


def _source(one: _Wanted) -> tuple[int, bool]:
    return one.level, one.place == IN_BLOCKS


def _write(
    descriptor: int, member: Member, stream: Stream, blocks: Iterable[_Wanted], advance: Callable[[int], None]
) -> None:
    # What is read ahead of the blocks that are written is a few MiB.
    ahead, blocks = tee(blocks)
    ranges = ((one.offset, one.offset + size_of_block(one.number, member.size_bytes)) for one in ahead)
    with stream.read(ranges) as pieces:
        waiting = bytearray()
        for one in blocks:
            size = size_of_block(one.number, member.size_bytes)
            while len(waiting) < size:
                waiting += next(pieces, None) or _ends(member)
            content = memoryview(waiting)[:size]
            if digest_of(content) != one.digest:
                raise _damage(member, f"has another block {one.number} than its map says")
            _write_all(descriptor, content, one.number * BLOCK_BYTES, member)
            content.release()
            del waiting[:size]
            advance(size)


def _write_all(descriptor: int, content: memoryview, place: int, member: Member) -> None:
    """A disk without room for all of it takes a part, and says so with the next one only. Raises OSError with the name."""
    rest = content
    try:
        while rest:
            done = os.pwrite(descriptor, rest, place)
            rest, place = rest[done:], place + done
    except OSError as problem:
        raise OSError(problem.errno, problem.strerror, shown(os.fsdecode(member.name))) from problem


def _ends(member: Member) -> bytes:
    raise _damage(member, "ends before its last block")


def _damage(member: Member, what: str) -> DamagedArchive:
    return DamagedArchive(f"{shown(os.fsdecode(member.name))} {what}.")
