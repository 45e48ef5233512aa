# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The large files in a tar stream that is written: every block gets a hash, and those that the parent has are left out.

What tar reads passes by here. Of a file that the parent has a map of, tar's member is replaced by one with a hole for content,
and the blocks that differ go to a stream of their own; every other file passes as it is, and its blocks get a map.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
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
from .headers import BLOCK, number, octal, padded, written, written_records
from .member_stream import FoundMember

_ZEROS = bytes(BLOCK_BYTES)
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
        stored = number(found.records[b"size"]) if b"size" in found.records else octal(found.fields[2])
        content = found.begin + found.length - padded(stored)
        known = self._known(found.name)
        hole = b"" if known is None else _hole(found)
        is_sparse = b"GNU.sparse.major" in found.records
        blocks = _Blocks(
            found.size,
            is_sparse,
            self._level,
            None if is_sparse else content - self._left_out,
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
    """The blocks of one file as its content passes by."""

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
        self._next = 0
        self._block = bytearray()
        self._begun: bytearray | None = bytearray() if is_sparse else None
        self._regions: deque[tuple[int, int]] = deque() if is_sparse else deque([(0, size)])

    def begin(self) -> None:
        """Begin the map, behind that of the file before it."""
        self._maps.write(next(pack_map([], self._count)))

    def add(self, content: memoryview) -> None:
        """The next bytes of the member's content."""
        if self._begun is not None:
            self._begun += content
            behind = self._read_regions(self._begun)
            if behind is None:
                return
            content, self._begun = memoryview(bytes(self._begun[behind:])), None
        while content and self._regions:
            offset, length = self._regions[0]
            self._fill_to(offset)
            part = content[: min(length, BLOCK_BYTES - len(self._block))]
            self._block += part
            content = content[len(part) :]
            if len(part) == length:
                self._regions.popleft()
            else:
                self._regions[0] = (offset + len(part), length - len(part))
            self._flush_full()

    def finish(self) -> None:
        """No more comes."""
        self._fill_to(self._size)
        if self._block:
            self._emit()

    def _read_regions(self, begun: bytearray) -> int | None:
        """Read the map of a sparse file; where its data begin, or None if it is not all there. Its form was checked before."""
        lines = bytes(begun).split(b"\n")
        if len(lines) < 2 or len(lines) - 1 < 1 + 2 * int(lines[0]):
            return None
        numbers = [int(line) for line in lines[1 : 1 + 2 * int(lines[0])]]
        regions = zip(numbers[::2], numbers[1::2])
        # A file that grew has regions beyond its size.
        self._regions.extend(
            (offset, min(length, self._size - offset)) for offset, length in regions if offset < self._size
        )
        map_bytes = sum(len(line) + 1 for line in lines[: 1 + len(numbers)])
        behind = padded(map_bytes)
        return behind if len(begun) >= behind else None

    def _fill_to(self, offset: int) -> None:
        """Zeros up to a place in the file."""
        while True:
            here = self._next * BLOCK_BYTES + len(self._block)
            missing = offset - here
            if missing <= 0:
                return
            if not self._block and missing >= BLOCK_BYTES:
                self._skip(missing // BLOCK_BYTES)
                continue
            self._block += _ZEROS[: min(missing, BLOCK_BYTES - len(self._block))]
            self._flush_full()

    def _skip(self, blocks: int) -> None:
        """Whole blocks of a hole, of which a file may have millions."""
        entry = b"".join(_packed([ZERO]))
        rest = min(blocks, self._count - self._next)
        self._next += blocks
        while rest > 0:
            self._maps.write(entry * min(rest, _ENTRIES_AT_ONCE))
            rest -= _ENTRIES_AT_ONCE

    def _flush_full(self) -> None:
        if len(self._block) == BLOCK_BYTES:
            self._emit()

    def _emit(self) -> None:
        number_, block = self._next, self._block
        self._next, self._block = self._next + 1, bytearray()
        if number_ >= self._count:
            return
        for packed in _packed([self._entry(number_, block)]):
            self._maps.write(packed)

    def _entry(self, number_: int, block: bytearray) -> Entry:
        if len(block) != size_of_block(number_, self._size) or block == _ZEROS[: len(block)]:
            return ZERO
        digest = digest_of(block)
        if self._known is None:
            if self._content is None:
                return Entry(IN_MEMBER, self._level, 0, digest)
            return Entry(IN_DATA, self._level, self._content + number_ * BLOCK_BYTES, digest)
        before = self._known[number_] if number_ < len(self._known) else ZERO
        if before.digest == digest and before.place not in (ZEROS, IN_MEMBER):
            return before
        return Entry(IN_BLOCKS, self._level, self._store(memoryview(block)), digest)


def _packed(entries: Iterable[Entry]) -> Iterator[bytes]:
    pieces = pack_map(entries, 0)
    next(pieces)
    return pieces
