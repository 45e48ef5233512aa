# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Any bytes of any file of a chain, and its extended attributes: read from the frames that have them, without tar.

What is read is checked as for a restore: each MiB by its leaf, each frame by its size, each member against the catalogue, each
block of a large file by its hash.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from ..repository.errors import ArchiveError, DamagedArchive
from ..storage.errors import StorageError
from .block_maps import BLOCK_BYTES, IN_BLOCKS, IN_MEMBER, ZEROS, Entry, block_count, digest_of, size_of_block
from .feed import Comparison
from .frames import FRAME_BYTES
from .headers import BLOCK, SparseMap, Strange
from .known_maps import KnownMaps
from .member_stream import FoundMember, told
from .open_backup import OpenBackup
from .records import FOLDER, Member
from .streams import Stream

#: What is kept of frames and blocks that were read.
_KEPT_BYTES = 32 << 20
#: The frames that are read at once of a file that is read from one to the next.
_AHEAD = 4
_STEP_BYTES = 1 << 16
#: About what is in memory of the map of a file.
_MAP_BYTES = 1 << 20
#: The most regions of a sparse file: 16 bytes each are in memory.
_MOST_REGIONS = 1 << 20
#: A folder whose member is larger, because it has the list of its names, shows no extended attributes.
_MOST_FOLDER_BYTES = 4 << 20
_XATTR, _SELINUX = b"SCHILY.xattr.", b"RHT.security.selinux"


class _Kept:
    """The values that were used last, up to so many bytes."""

    def __init__(self, most_bytes: int) -> None:
        self._most, self._bytes = most_bytes, 0
        self._values: OrderedDict[Any, tuple[Any, int]] = OrderedDict()

    def __contains__(self, key: Any) -> bool:
        return key in self._values

    def get(self, key: Any) -> Any:
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key][0]

    def put(self, key: Any, value: Any, size: int) -> None:
        self._values[key] = (value, size)
        self._bytes += size
        while self._bytes > self._most and len(self._values) > 1:
            self._bytes -= self._values.popitem(last=False)[1][1]


class _Regions(SparseMap):
    """The regions of a sparse file that have data, and where each lies in what follows the map."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.offsets, self.places = array("q"), array("q")
        self._lengths = array("q")
        self.map_bytes = 0

    def _take(self, value: int) -> None:
        data_bytes = self.data_bytes
        super()._take(value)
        if self._lines % 2 == 0:
            if len(self.offsets) == _MOST_REGIONS:
                raise ArchiveError(
                    f"A file has more than {_MOST_REGIONS} regions between its holes; restore it to read it."
                )
            if self.offsets and value < self.offsets[-1] + self._lengths[-1]:
                raise Strange("a map of its holes that is out of order")
            self.offsets.append(value)
        elif self._lines > 1:
            self.places.append(data_bytes)
            self._lengths.append(value)

    def parts(self, begin: int, end: int) -> list[tuple[int, int, int]]:
        """What has data from `begin` to `end`: its beginning, its end, and where it begins in the data."""
        found = []
        for number in range(max(0, bisect_right(self.offsets, begin) - 1), len(self.offsets)):
            offset = self.offsets[number]
            first, beyond = max(begin, offset), min(end, offset + self._lengths[number])
            if offset >= end:
                break
            if first < beyond:
                found.append((first, beyond, self.places[number] + first - offset))
        return found


class _Head:
    """What the headers of a member say."""

    def __init__(self, found: FoundMember, begin: int) -> None:
        self.found = found
        #: Where the content begins in the stream.
        self.content = begin + found.content
        self.regions: _Regions | None = None
        self.attributes = _attributes(found.records)


class FileContents:
    """The contents of the files of a chain. Not for several threads at once.

    Methods raise DamagedArchive, StorageError, OSError, or SealingError.
    """

    def __init__(self, levels: Sequence[OpenBackup], maps: KnownMaps, kept_bytes: int = _KEPT_BYTES) -> None:
        self._levels, self._maps = levels, maps
        self._kept = _Kept(kept_bytes)
        #: By level and map, of large files: to count them takes a second for a TiB.
        self._data_bytes: dict[tuple[int, bytes], int] = {}

    def read(self, level: int, member: Member, begin: int, size: int) -> bytes:
        """Some bytes of a file whose last state is in a level; fewer where it ends."""
        end = min(begin + size, member.size_bytes)
        if begin >= end:
            return b""
        if not member.map:
            return self._of_member(level, member, begin, end)
        parts = []
        for number in range(begin // BLOCK_BYTES, block_count(end)):
            start = number * BLOCK_BYTES
            parts.append(self._block(level, member, number)[max(0, begin - start) : end - start])
        return b"".join(parts)

    def attributes(self, level: int, member: Member) -> Mapping[bytes, bytes]:
        """The extended attributes of a member."""
        if member.kind == FOLDER and int(member.length) > _MOST_FOLDER_BYTES:
            return {}
        return self._head(level, member).attributes

    def data_bytes(self, level: int, member: Member) -> int:
        """How many bytes of a file are no holes, about."""
        if not member.map:
            return min(member.size_bytes, int(member.length))
        key = (level, member.map)
        if key not in self._data_bytes:
            blocks = sum(entry.place != ZEROS for entry in self._map(level, member))
            self._data_bytes[key] = min(member.size_bytes, blocks * BLOCK_BYTES)
        return self._data_bytes[key]

    def _of_member(self, level: int, member: Member, begin: int, end: int) -> bytes:
        """Bytes of a file that is in one member."""
        head = self._head(level, member)
        if head.regions is None:
            return self._plain(level, False, head.content + begin, head.content + end)
        data = head.content + head.regions.map_bytes
        content = bytearray(end - begin)
        for first, beyond, place in head.regions.parts(begin, end):
            content[first - begin : beyond - begin] = self._plain(
                level, False, data + place, data + place + beyond - first
            )
        return bytes(content)

    def _block(self, level: int, member: Member, number: int) -> bytes:
        """One block of a file that has a map."""
        key = ("block", level, member.map, number)
        found = self._kept.get(key)
        if found is not None:
            return bytes(found)
        size = size_of_block(number, member.size_bytes)
        entry = self._map(level, member)[number]
        if entry.place == ZEROS:
            return bytes(size)
        if entry.place == IN_MEMBER:
            start = number * BLOCK_BYTES
            content = self._of_member(level, member, start, start + size)
        else:
            content = self._plain(entry.level, entry.place == IN_BLOCKS, entry.offset, entry.offset + size)
        if digest_of(content) != entry.digest:
            raise DamagedArchive(f"{told(member.name)} has another block {number} than its map says.")
        self._kept.put(key, content, size)
        return content

    def _map(self, level: int, member: Member) -> Sequence[Entry]:
        """The map of a file."""
        key = ("map", level, member.map)
        found: Sequence[Entry] | None = self._kept.get(key)
        if found is None:
            found = self._maps.entries(level, int(member.map), member.size_bytes)
            self._kept.put(key, found, _MAP_BYTES)
        return found

    def _head(self, level: int, member: Member) -> _Head:
        key = ("head", level, member.offset)
        found: _Head | None = self._kept.get(key)
        if found is None:
            found = self._read_head(level, member)
            regions = 0 if found.regions is None else 16 * len(found.regions.offsets)
            self._kept.put(key, found, BLOCK + regions + sum(map(len, found.attributes.values())))
        return found

    def _read_head(self, level: int, member: Member) -> _Head:
        """Read the headers of a member, and the map of a sparse file, and compare them with the catalogue."""
        comparison = Comparison(self._levels[level].folder)
        comparison.expect(member)
        position = member.begin
        while comparison.found is None and position < member.end:
            step = min(member.end, position + _STEP_BYTES)
            comparison.stream.check(self._plain(level, False, position, step))
            position = step
        if comparison.found is None:
            raise comparison.stream.refusal(f"{told(member.name)} has no header")
        head = _Head(comparison.found, member.begin)
        if head.found.is_sparse:
            try:
                head.regions = self._regions(level, head)
            except Strange as problem:
                raise comparison.stream.refusal(f"{told(member.name)} comes with {problem}") from None
        return head

    def _regions(self, level: int, head: _Head) -> _Regions:
        """The map of a sparse file. Raises Strange if it is none."""
        regions = _Regions(head.found.stored)
        position, end = head.content, head.content + head.found.stored
        while position < end:
            step = min(end, position + _STEP_BYTES)
            if regions.complete(self._plain(level, False, position, step)):
                # Its data are at the end.
                regions.map_bytes = head.found.stored - regions.data_bytes
                return regions
            position = step
        raise Strange("a map of its holes that does not end")

    def _plain(self, level: int, in_blocks: bool, begin: int, end: int) -> bytes:
        """Some bytes of a stream of a level."""
        opened = self._levels[level]
        if in_blocks and not opened.manifest.segments("blocks"):
            raise DamagedArchive(f"{opened.folder} has no blocks of large files, and a map refers to them.")
        stream = opened.blocks if in_blocks else opened.data
        if end > stream.size:
            raise DamagedArchive(f"{opened.folder} has {stream.size} bytes, and its catalogue or a map refers to more.")
        parts = []
        for number in range(begin // FRAME_BYTES, -(-end // FRAME_BYTES)):
            start = number * FRAME_BYTES
            parts.append(self._frame(level, in_blocks, stream, number)[max(0, begin - start) : end - start])
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _frame(self, level: int, in_blocks: bool, stream: Stream, number: int) -> bytes:
        key = (level, in_blocks, number)
        found = self._kept.get(key)
        if found is None:
            ahead = _AHEAD if (level, in_blocks, number - 1) in self._kept else 1
            try:
                self._fetch(level, in_blocks, stream, number, ahead)
            except (DamagedArchive, StorageError):
                if ahead == 1:
                    raise
                # It may be one of the others that is damaged.
                self._fetch(level, in_blocks, stream, number, 1)
            found = self._kept.get(key)
        return bytes(found)

    def _fetch(self, level: int, in_blocks: bool, stream: Stream, number: int, count: int) -> None:
        begin = number * FRAME_BYTES
        with stream.read([(begin, min(begin + count * FRAME_BYTES, stream.size))]) as blocks:
            frames = [(level, in_blocks, number + after) for after in range(count)]
            for key, block in zip(frames, blocks):
                if key not in self._kept:
                    self._kept.put(key, block, len(block))


def _attributes(records: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """The extended attributes that an extended header has."""
    found = {}
    for key, value in records.items():
        if key.startswith(_XATTR):
            # So that a record can be read, tar writes these two in another way.
            name = key[len(_XATTR) :].replace(b"%3D", b"=").replace(b"%25", b"%")
            found[name] = value
        elif key == _SELINUX:
            found[b"security.selinux"] = value + b"\0"
    return found
