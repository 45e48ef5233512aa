# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The maps of large files: what each MiB of a file is, and where it lies (docs/archive-format.md, "Blocks of large files")."""

from __future__ import annotations

import hashlib
import os
import struct
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import BinaryIO, NamedTuple, overload

from ..repository.errors import DamagedArchive

#: The bytes of a block; the last one of a file has what is left.
BLOCK_BYTES = 1 << 20
ZEROS, IN_DATA, IN_BLOCKS, IN_MEMBER = range(4)
_COUNT = struct.Struct(">Q")
_ENTRY = struct.Struct(">BHQ32s")
_NO_HASH = bytes(32)
_BATCH = 1 << 12
#: The most bytes of plain maps: those of 16 TiB of files, and as much again for each byte of the stored object.
_FREE_BYTES = 1 << 30
_MOST_RATIO = 50
_READ_BYTES = 1 << 20


class Entry(NamedTuple):
    """One block: its place, the level of the chain that has it, where it begins there, and its SHA-256."""

    place: int
    level: int
    offset: int
    digest: bytes


ZERO = Entry(ZEROS, 0, 0, _NO_HASH)


def digest_of(block: bytes | bytearray | memoryview) -> bytes:
    """The hash of a block."""
    return hashlib.sha256(block).digest()


def block_count(size: int) -> int:
    """The blocks of a file of so many bytes."""
    return -(-size // BLOCK_BYTES)


def size_of_block(number: int, size: int) -> int:
    """The bytes of one block of a file of so many bytes."""
    return min(BLOCK_BYTES, size - number * BLOCK_BYTES)


def pack_map(entries: Iterable[Entry], count: int) -> Iterator[bytes]:
    """A map of so many blocks as it is stored, in pieces."""
    yield _COUNT.pack(count)
    for entry in entries:
        yield _ENTRY.pack(*entry)


class PlainMaps:
    """The maps of one level, unpacked into a file without a name. A context; `scratch` is a folder of this user only."""

    def __init__(self, source: BinaryIO, stored_bytes: int, scratch: str, where: str, level: int) -> None:
        """Raises DamagedArchive if it unpacks to more than it can be, and what `source` raises."""
        self._where, self._level = where, level
        self._file = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115
        self._size = 0
        most = _FREE_BYTES + _MOST_RATIO * stored_bytes
        for block in iter(lambda: source.read(_READ_BYTES), b""):
            self._size += len(block)
            if self._size > most:
                raise DamagedArchive(f"The maps of {where} are larger than they can be.")
            self._file.write(block)
        self._file.flush()

    def __enter__(self) -> PlainMaps:
        return self

    def __exit__(self, *_problem: object) -> None:
        self._file.close()

    def entries(self, begin: int, size: int) -> FileMap:
        """The map of a file of so many bytes, which begins there. Raises DamagedArchive."""
        count = block_count(size)
        first = begin + _COUNT.size
        # Beyond what a file can have, the system would refuse to read.
        is_inside = first + count * _ENTRY.size <= self._size
        if not is_inside or _COUNT.unpack(os.pread(self._file.fileno(), _COUNT.size, begin))[0] != count:
            raise self._odd()
        return FileMap(count, lambda number, most: self._batch(first + number * _ENTRY.size, min(most, count - number)))

    def _batch(self, position: int, count: int) -> Sequence[Entry]:
        piece = os.pread(self._file.fileno(), count * _ENTRY.size, position)
        if piece.count(0) == len(piece):
            return [ZERO] * count  # as most of a large hole is
        entries = list(map(Entry._make, _ENTRY.iter_unpack(piece)))
        if not all(map(self._is_possible, entries)):
            raise self._odd()
        return entries

    def _is_possible(self, entry: Entry) -> bool:
        place, level, offset, digest = entry
        if place == ZEROS:
            return entry == ZERO
        if place == IN_MEMBER:
            return level == self._level and offset == 0
        return place in (IN_DATA, IN_BLOCKS) and level <= self._level and offset >> 63 == 0 and digest != _NO_HASH

    def _odd(self) -> DamagedArchive:
        return DamagedArchive(f"A map of {self._where} is none.")


class FileMap(Sequence[Entry]):
    """The map of one file, of which a part is in memory. It is read in its order; reading raises DamagedArchive."""

    def __init__(self, count: int, read: Callable[[int, int], Sequence[Entry]]) -> None:
        """`read` gives the entries from a number on, at most so many."""
        self._count, self._read = count, read
        self._first = 0
        self._batch: Sequence[Entry] = ()

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, number: int) -> Entry: ...

    @overload
    def __getitem__(self, number: slice) -> Sequence[Entry]: ...

    def __getitem__(self, number: int | slice) -> Entry | Sequence[Entry]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(self._count))]
        if not 0 <= number < self._count:
            raise IndexError(number)
        if not self._first <= number < self._first + len(self._batch):
            self._first, self._batch = number, self._read(number, _BATCH)
        return self._batch[number - self._first]
