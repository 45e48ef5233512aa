# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The large files in a tar stream that is written: every block gets a hash, and those that the parent has are left out.

What tar reads passes by here. Of a file that the parent has a map of, tar's member is replaced by one with a hole for content,
and the blocks that differ go to a stream of their own; every other file passes as it is, and its blocks get a map.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import BinaryIO, NamedTuple

from .block_maps import (
    BLOCK_BYTES,
    IN_BLOCKS,
    IN_DATA,
    IN_MEMBER,
    ZERO,
    ZEROS,
    Entry,
    block_count,
    digest_of,
    pack_map,
    size_of_block,
)
from .headers import BLOCK, padded, written, written_records
from .member_stream import FoundMember

_ZEROS = memoryview(bytes(BLOCK_BYTES))
_NOTHING = memoryview(b"")
_ENTRIES_AT_ONCE = 1 << 14
_SPARSE = (b"GNU.sparse.major", b"GNU.sparse.minor", b"GNU.sparse.name", b"GNU.sparse.realsize")


class _Expected(NamedTuple):
    """A large file whose header was read, by places in the stream as tar writes it."""

    begin: int
    content: int
    content_end: int
    end: int
    #: What takes the place of the member; empty if it passes as it is.
    hole: bytes
    blocks: _Blocks


class LargeFiles:
    """Sees the members of one level, and passes the stream on.

    `known` gives the entries of the parent's map of a file by its name as tar has it, or None; `store` takes blocks, and returns
    where each begins in the stream of blocks; `maps` is an empty file, which gets the plain maps.
    """

    def __init__(
        self,
        level: int,
        known: Callable[[bytes], Sequence[Entry] | None],
        store: Callable[[memoryview], int],
        maps: BinaryIO,
        least_bytes: int,
    ) -> None:
        self._level, self._known, self._store, self._maps = level, known, store, maps
        self._least_bytes = least_bytes
        self._maps_bytes = 0
        #: How much shorter the stream is than the one of tar, so far.
        self._left_out = 0
        self._expected: deque[_Expected] = deque()
        self._active: _Expected | None = None
        #: What was not passed on yet, and where it begins.
        self._held = b""
        self._position = 0

    @property
    def any(self) -> bool:
        """Whether there is a map."""
        return self._maps_bytes > 0

    def see(self, found: FoundMember) -> tuple[FoundMember, int | None]:
        """A member as it is in the stream that is passed on, and where its map begins if it has one."""
        begin = found.begin - self._left_out
        if found.kind != b"-" or found.size < self._least_bytes:
            return found._replace(begin=begin), None
        stored, content = found.stored, found.content
        known = self._known(found.name)
        hole = b"" if known is None else _hole(found)
        blocks = _Blocks(
            found.size,
            found.is_sparse,
            self._level,
            None if found.is_sparse else content - self._left_out,
            known,
            self._store,
            self._maps,
        )
        end = found.begin + found.length
        self._expected.append(_Expected(found.begin, content, content + stored, end, hole, blocks))
        map_begin = self._maps_bytes
        self._maps_bytes += blocks.map_bytes
        length = len(hole) or found.length
        self._left_out += found.length - length
        return found._replace(begin=begin, length=length), map_begin

    def take(self, block: bytes, unread_bytes: int) -> list[bytes]:
        """The next bytes of tar, of which the last ones are an incomplete header; returns what is to be passed on."""
        if not (self._active or self._expected or self._held or unread_bytes):
            self._position += len(block)
            return [block]
        data = memoryview(self._held + block if self._held else block)
        first = self._position
        limit = first + len(data) - unread_bytes
        passed: list[memoryview | bytes] = []
        while self._position < limit:
            passed += self._step(data, first, limit)
        whole = len(passed) == 1 and not self._held and len(passed[0]) == len(block)
        self._held = bytes(data[limit - first :])
        return [block] if whole else list(map(bytes, passed))  # what is inside of a large file is not copied

    def _step(self, data: memoryview, first: int, limit: int) -> Iterator[memoryview | bytes]:
        at = self._position
        if self._active is None:
            if not self._expected or self._expected[0].begin > at:
                self._position = min(limit, self._expected[0].begin) if self._expected else limit
                yield data[at - first : self._position - first]
                return
            self._active = self._expected.popleft()
            self._active.blocks.begin()
            self._position = self._active.content
            yield self._active.hole or data[at - first : self._position - first]
            if self._active.content == self._active.end:
                self._end()
            return
        one = self._active
        if at < one.content_end:
            self._position = min(limit, one.content_end)
            part = data[at - first : self._position - first]
            one.blocks.add(part)
        else:
            self._position = min(limit, one.end)
            part = data[at - first : self._position - first]
        if not one.hole:
            yield part
        if self._position == one.end:
            self._end()

    def _end(self) -> None:
        if self._active is not None:
            self._active.blocks.finish()
        self._active = None


def _hole(found: FoundMember) -> bytes:
    """A member with the same name, size and attributes, and a hole for content."""
    records = {key: value for key, value in found.records.items() if key not in (b"path", b"size", *_SPARSE)}
    sparse = dict(zip(_SPARSE, (b"1", b"0", found.name, b"%d" % found.size)))
    lines = b"1\n%d\n0\n" % found.size
    name, ids, _size, mtime, kind, link, owners, device = found.fields
    header = written((name, ids, b"%011o\0" % BLOCK, mtime, kind, link, owners, device))
    return written_records({**records, **sparse}) + header + lines + bytes(BLOCK - len(lines))


class _Blocks:
    """The blocks of one file as its content passes by. Nothing of it is copied: a block is in the pieces that it came in."""

    def __init__(
        self,
        size: int,
        is_sparse: bool,
        level: int,
        content: int | None,
        known: Sequence[Entry] | None,
        store: Callable[[memoryview], int],
        maps: BinaryIO,
    ) -> None:
        self._size, self._level, self._content, self._known = size, level, content, known
        self._store, self._maps = store, maps
        self._count = block_count(size)
        self.map_bytes = sum(map(len, pack_map([ZERO], 1))) + (self._count - 1) * len(next(_packed([ZERO])))
        #: The number of the current block, its bytes so far, their hash, and the bytes themselves if they may be stored.
        self._next, self._filled, self._hash = 0, 0, hashlib.sha256()
        self._pieces: list[memoryview] = []
        self._regions = _Regions(size, is_sparse)

    def begin(self) -> None:
        """Begin the map, behind that of the file before it."""
        self._maps.write(next(pack_map([], self._count)))

    def add(self, content: memoryview) -> None:
        """The next bytes of the member's content."""
        content = self._regions.behind_map(content)
        while content:
            region = self._regions.next()
            if region is None:
                return
            offset, length = region
            self._fill_to(offset)
            part = content[: min(length, BLOCK_BYTES - self._filled)]
            self._append(part)
            self._regions.took(len(part))
            content = content[len(part) :]

    def finish(self) -> None:
        """No more comes."""
        self._fill_to(self._size)
        if self._filled:
            self._emit()

    def _append(self, part: memoryview) -> None:
        self._hash.update(part)
        self._filled += len(part)
        if self._known is not None:
            self._pieces.append(part)
        if self._filled == BLOCK_BYTES:
            self._emit()

    def _fill_to(self, offset: int) -> None:
        """Zeros up to a place in the file."""
        while True:
            missing = offset - self._next * BLOCK_BYTES - self._filled
            if missing <= 0:
                return
            if not self._filled and missing >= BLOCK_BYTES:
                self._skip(missing // BLOCK_BYTES)
                continue
            self._append(_ZEROS[: min(missing, BLOCK_BYTES - self._filled)])

    def _skip(self, blocks: int) -> None:
        """Whole blocks of a hole, of which a file may have millions."""
        entry = b"".join(_packed([ZERO]))
        rest = min(blocks, self._count - self._next)
        self._next += blocks
        while rest > 0:
            self._maps.write(entry * min(rest, _ENTRIES_AT_ONCE))
            rest -= _ENTRIES_AT_ONCE

    def _emit(self) -> None:
        number_, filled, digest, pieces = self._next, self._filled, self._hash.digest(), self._pieces
        self._next, self._filled, self._hash, self._pieces = self._next + 1, 0, hashlib.sha256(), []
        if number_ >= self._count:
            return
        for packed in _packed([self._entry(number_, filled, digest, pieces)]):
            self._maps.write(packed)

    def _entry(self, number_: int, filled: int, digest: bytes, pieces: Sequence[memoryview]) -> Entry:
        if filled != size_of_block(number_, self._size) or digest == _digest_of_zeros(filled):
            return ZERO
        if self._known is None:
            if self._content is None:
                return Entry(IN_MEMBER, self._level, 0, digest)
            return Entry(IN_DATA, self._level, self._content + number_ * BLOCK_BYTES, digest)
        before = self._known[number_] if number_ < len(self._known) else ZERO
        if before.digest == digest and before.place not in (ZEROS, IN_MEMBER):
            return before
        begins = [self._store(piece) for piece in pieces]
        return Entry(IN_BLOCKS, self._level, begins[0], digest)


class _Regions:
    """Where the data of a file are in it, in its order: all of a usual file; of a sparse one as the map before its content says.

    The form of that map was checked before. It may have millions of lines.
    """

    def __init__(self, size: int, is_sparse: bool) -> None:
        self._size = size
        #: Offset and length of each, one after the other, and how many of these numbers are behind.
        self._numbers = array("q", [] if is_sparse else [0, size])
        self._done = 0
        #: The lines of the map still to come (at first the one with the number of regions), and the bytes of it so far.
        self._lines = 1 if is_sparse else 0
        self._has_count = not is_sparse
        self._map_bytes = 0
        self._rest = b""
        #: The bytes between the map and the content.
        self._padding = 0

    def behind_map(self, content: memoryview) -> memoryview:
        """What of some bytes of the member is content, and not the map before it."""
        if self._lines:
            given = self._rest + content
            position = self._read(given)
            self._rest = given[position:]
            if self._lines:
                return _NOTHING
            content, self._rest = memoryview(self._rest), b""
            self._padding = padded(self._map_bytes) - self._map_bytes
        if self._padding:
            skipped = min(self._padding, len(content))
            self._padding -= skipped
            content = content[skipped:]
        return content

    def next(self) -> tuple[int, int] | None:
        """Where the next data are, and how many bytes; None if there are no more in the file."""
        while self._done < len(self._numbers):
            offset, length = self._numbers[self._done : self._done + 2]
            # A file that grew has regions beyond its size.
            length = min(length, self._size - offset)
            if length > 0:
                return offset, length
            self._done += 2
        return None

    def took(self, size: int) -> None:
        """So many bytes of the next data have come."""
        self._numbers[self._done] += size
        self._numbers[self._done + 1] -= size

    def _read(self, given: bytes) -> int:
        """Read whole lines of the map; where they end."""
        position = 0
        while self._lines:
            end = given.find(b"\n", position)
            if end < 0:
                break
            value = int(given[position:end])
            if self._has_count:
                self._numbers.append(value)
                self._lines -= 1
            else:
                self._has_count, self._lines = True, 2 * value
            self._map_bytes += end + 1 - position
            position = end + 1
        return position


@lru_cache(maxsize=8)
def _digest_of_zeros(size: int) -> bytes:
    return digest_of(_ZEROS[:size])


def _packed(entries: Iterable[Entry]) -> Iterator[bytes]:
    pieces = pack_map(entries, 0)
    next(pieces)
    return pieces
