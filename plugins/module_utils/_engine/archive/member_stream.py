# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The members of a tar stream, read as narrowly as our writer's tar writes them, wherever the stream is cut.

That is the POSIX format, at most one extended header for each member, and names that lead to nothing above. Everything else is
refused, so that tar and this module cannot read one stream in two ways.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Callable, NamedTuple

from ..system.file_names import shown
from .errors import INSTEAD, UnsafeArchive
from .headers import (
    BLOCK,
    MOST_EXTENDED,
    Fields,
    SparseMap,
    Strange,
    fields_at,
    number,
    octal,
    padded,
    read_records,
    text,
)

_EXTENDED = ord("x")
#: The letters of the kinds in headers (``0`` to ``6``), as a catalogue has them.
_KINDS = {
    ord("0"): b"-",
    ord("1"): b"h",
    ord("2"): b"l",
    ord("3"): b"c",
    ord("4"): b"b",
    ord("5"): b"d",
    ord("6"): b"p",
}
_SPARSE = frozenset({b"GNU.sparse.major", b"GNU.sparse.minor", b"GNU.sparse.name", b"GNU.sparse.realsize"})
#: The most bytes after the end of the archive: zeros up to the end of a record of tar.
_MOST_BEHIND = BLOCK + 131072
_NOTHING = bytes(BLOCK)
_LARGE_EXTENDED = 1 << 20
_NOWHERE = (b"", b".", b"..")
_NO_RECORDS: frozenset[bytes] = frozenset()


class FoundMember(NamedTuple):
    """One member of a stream."""

    #: A letter as in a catalogue: ``-`` file, ``d`` folder, ``l`` and ``h`` links, ``p`` FIFO, ``b`` and ``c`` devices.
    kind: bytes
    #: The name as tar has it: ``./...``, with a slash at the end of a folder's.
    name: bytes
    #: What a link leads to, as tar has it; empty for other kinds.
    link: bytes
    #: The bytes of content, holes included.
    size: int
    #: Where it begins in the plain stream, its extended header included, and its bytes there, whole blocks.
    begin: int
    length: int
    #: The fields of its header, and the records of its extended header.
    fields: Fields
    records: dict[bytes, bytes]

    @property
    def stored(self) -> int:
        """The bytes of content that follow its headers in the stream: without holes, and with the map of a sparse file."""
        return number(self.records[b"size"]) if b"size" in self.records else octal(self.fields[2])

    @property
    def content(self) -> int:
        """Where these bytes begin."""
        return self.begin + self.length - padded(self.stored)

    @property
    def is_sparse(self) -> bool:
        """Whether its content begins with a map."""
        return b"GNU.sparse.major" in self.records


def told(name: bytes) -> str:
    """A name in a message."""
    return shown(name.decode("utf-8", "surrogateescape"))


class MemberStream:
    """Reads the tar stream of one level, and calls `see` with each member before the caller passes its block on.

    `where` is the name of the level in messages. ``content_bytes`` is the size of all files so far, holes included, as in a
    catalogue, and ``members`` the number of members.
    """

    def __init__(self, where: str, see: Callable[[FoundMember], None]) -> None:
        self._where, self._see = where, see
        #: The bytes of the stream before the current block.
        self._passed = 0
        #: The beginning of a member, and the number of bytes that its check needs.
        self._begun: list[bytes] = []
        self._begun_bytes = 0
        self._needed = 0
        self._to_skip = 0
        #: The map of the current member, until it is complete.
        self._map: SparseMap | None = None
        self._ended = False
        self._behind = 0
        self._last = b"./"
        self.members = 0
        self.content_bytes = 0
        #: The bytes of content of the last member that are still to come.
        self._to_come = 0

    @property
    def unread_bytes(self) -> int:
        """The bytes at the end of what was read that are the beginning of a header."""
        return self._begun_bytes

    def check(self, block: bytes) -> int:
        """Read the next block; returns the number of its bytes that are contents of files.

        Raises UnsafeArchive if tar must not get it, and what `see` raises.
        """
        before = self.content_bytes
        try:
            self._read(block)
        except Strange as problem:
            raise self.refusal(f"after {told(self._last)} comes {problem}, which its writer does not store") from None
        return self.content_bytes - before

    def finish(self) -> None:
        """Raise UnsafeArchive if the stream was not a whole archive; tar has then read it in another way."""
        if not self._ended:
            raise self.refusal(f"it has no end after {told(self._last)}, which its writer always stores")

    def refusal(self, why: str, path: bytes | None = None) -> UnsafeArchive:
        """The error for a stream that tar must not get; `path` is the path in the way, if there is one."""
        return UnsafeArchive(
            f"{self._where} is refused: {why}. To extract it could change files anywhere on this host. {INSTEAD}",
            None if path is None else path.decode("utf-8", "surrogateescape"),
        )

    def _read(self, block: bytes) -> None:
        if self._to_come:
            self._count(0, len(block))
        base = self._passed - self._begun_bytes
        self._passed += len(block)
        if self._begun:
            self._begin_with(block)
            if self._begun_bytes < self._needed:
                return
            block = b"".join(self._begun)
            self._begun, self._begun_bytes = [], 0
        if self._map is not None:
            self._read_map(block[: self._to_skip])
        position, end = self._to_skip, len(block)
        self._needed = BLOCK
        while position + BLOCK <= end and not self._ended:
            begin = position
            if not block[position] and block[position : position + BLOCK] == _NOTHING:
                self._ended = True
                break
            fields = fields_at(block, position)
            records: dict[bytes, bytes] = {}
            if fields[4] == _EXTENDED:
                size = octal(fields[2])
                if size > MOST_EXTENDED:
                    raise Strange(f"an extended header of {size} bytes")
                position += BLOCK + padded(size)
                if position + BLOCK > end:
                    self._needed = position + BLOCK - begin
                    position = begin
                    break
                records = read_records(block, begin + BLOCK, size)
                if size > _LARGE_EXTENDED:
                    # The list of a large folder: it is in memory once while it is looked at.
                    block = block[position:]
                    base, begin, end, position = base + position, begin - position, end - position, 0
                fields = fields_at(block, position)
            position += BLOCK
            size = self._member(fields, records, base + begin, position - begin)
            if size:
                behind = position + padded(size)
                if behind <= end:
                    self.content_bytes += size
                else:
                    self._count(size, end - position)
                if self._map is not None:
                    self._read_map(block[position:behind])
                position = behind
        if not self._ended:
            self._begin_with(block[position:])
        else:
            self._behind += max(0, end - position)
            if block.count(0, position) != max(0, end - position) or self._behind > _MOST_BEHIND:
                raise Strange("something behind the end")
        self._to_skip = max(0, position - end)

    def _begin_with(self, block: bytes) -> None:
        if block:
            self._begun.append(block)
            self._begun_bytes += len(block)

    def _read_map(self, content: bytes) -> None:
        """Check the map of a sparse file as far as it was read: tar uses it, not the size, to find the next member."""
        try:
            if self._map is not None and self._map.complete(content):
                self._map = None
        except Strange as problem:
            raise self._misfit(problem) from None

    def _count(self, more: int, there: int) -> None:
        """Count content: `more` bytes belong to the stream, `there` bytes were read."""
        self._to_come += more
        come = min(self._to_come, there)
        self.content_bytes += come
        self._to_come -= come

    def _member(self, fields: Fields, records: dict[bytes, bytes], begin: int, headers: int) -> int:
        """Check one member, and show it; returns the number of bytes of content that follow."""
        kind = _KINDS.get(fields[4])
        if kind is None:
            raise Strange(f"a member of the kind {chr(fields[4])!r}")
        name = fields[0].partition(b"\0")[0]
        sparse: AbstractSet[bytes] = _NO_RECORDS
        if len(records) > 1 or b"mtime" not in records:
            sparse = _SPARSE & records.keys()
            name = text(records.get(b"GNU.sparse.name", records.get(b"path", name)))
        folder = kind == b"d"
        last = (name[:-1] if folder and name.endswith(b"/") else name).rpartition(b"/")[2]
        if last in _NOWHERE and not (folder and name in (b".", b"./")):
            raise Strange(f"the name {told(name)}")
        link = b""
        if kind in b"lh":
            link = text(records.get(b"linkpath", fields[5].partition(b"\0")[0]))
            if kind == b"h" and link.rpartition(b"/")[2] in _NOWHERE:
                raise Strange(f"a link to {told(link)}")
        if sparse and (
            kind != b"-"
            or sparse != _SPARSE
            or (records[b"GNU.sparse.major"], records[b"GNU.sparse.minor"]) != (b"1", b"0")
        ):
            raise Strange(f"a sparse file {told(name)} of another form")
        if b"GNU.dumpdir" in records and not folder:
            raise Strange("a list of names that does not belong to a folder")
        self._last = name
        size = stored = octal(fields[2])
        if kind == b"-":
            try:
                if b"size" in records:
                    size = stored = number(records[b"size"])
                if sparse:
                    self._map = SparseMap(stored)
                    size = number(records[b"GNU.sparse.realsize"])
                    self.content_bytes += size - stored  # its holes
            except Strange as problem:
                raise self._misfit(problem) from None
        elif size or b"size" in records:
            raise Strange(f"content of {told(name)}, which is no file")
        self._see(FoundMember(kind, name, link, size, begin, headers + padded(stored), fields, records))
        self.members += 1
        return stored

    def _misfit(self, problem: Strange) -> UnsafeArchive:
        # Our writer's tar writes this for a sparse file that changes its size while tar looks for the holes.
        return self.refusal(f"{told(self._last)} comes with {problem}", self._last)
