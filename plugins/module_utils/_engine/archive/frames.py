# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Where each frame of a stream begins (docs/archive-format.md, "Segments and frames")."""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

from ..repository.errors import DamagedArchive

#: The plain bytes of every frame of a stream but its last one.
FRAME_BYTES = 1 << 20
#: A frame that grew when it was compressed has a little more than its plain bytes.
MOST_FRAME_BYTES = FRAME_BYTES + (FRAME_BYTES >> 4) + 4096
#: Of so many frames one place is kept: a table of 16 TiB takes little more than the object it is read from.
_FRAMES_OF_A_PLACE = 256
_NUMBER = struct.Struct(">I")


class FrameTable:
    """The frames of one stream, by segments."""

    def __init__(self, segments: Sequence[Sequence[int]], stream_bytes: int) -> None:
        """`segments` has the compressed size of each frame of each segment. Raises DamagedArchive if that is not this stream."""
        #: The number of the first frame of each segment, and at the end that of all frames.
        self._first = [0, *accumulate(len(one) for one in segments)]
        self.stream_bytes = stream_bytes
        self.frame_count = self._first[-1]
        if self.frame_count != -(-stream_bytes // FRAME_BYTES):
            raise DamagedArchive(f"A stream of {stream_bytes} bytes cannot have {self.frame_count} frames.")
        self._sizes = segments
        #: In each segment, where every so many frames begin, and its end.
        self._places = [array("Q", accumulate(_sums(one), initial=0)) for one in segments]

    @property
    def segment_count(self) -> int:
        """The number of segments."""
        return len(self._sizes)

    def segment_bytes(self, segment: int) -> int:
        """The bytes of a segment before it is sealed."""
        return self._places[segment][-1]

    def plain_bytes(self, frame: int) -> int:
        """The bytes of a frame when it is decompressed."""
        return min(FRAME_BYTES, self.stream_bytes - frame * FRAME_BYTES)

    def segment_of(self, frame: int) -> int:
        """The segment that a frame is in."""
        return bisect_right(self._first, frame) - 1

    def frames_in(self, segment: int) -> range:
        """The frames of a segment."""
        return range(self._first[segment], self._first[segment + 1])

    def place(self, frame: int) -> tuple[int, int, int]:
        """The segment of a frame, and where it begins and ends there."""
        segment = self.segment_of(frame)
        sizes, at = self._sizes[segment], frame - self._first[segment]
        place = at // _FRAMES_OF_A_PLACE
        begin = self._places[segment][place] + sum(sizes[place * _FRAMES_OF_A_PLACE : at])
        return segment, begin, begin + sizes[at]


def _sums(sizes: Sequence[int]) -> Iterator[int]:
    return (sum(sizes[at : at + _FRAMES_OF_A_PLACE]) for at in range(0, len(sizes), _FRAMES_OF_A_PLACE))


def pack_frames(segments: Sequence[Sequence[int]]) -> bytes:
    """The object ``frames`` for segments with frames of these compressed sizes."""
    return b"".join(part for one in segments for part in (_NUMBER.pack(len(one)), _big_endian(array("I", one))))


def unpack_frames(stored: bytes, segments: int, where: str) -> list[Sequence[int]]:
    """The compressed sizes of the frames of so many segments. Raises DamagedArchive."""
    found: list[Sequence[int]] = []
    position = 0
    for _segment in range(segments):
        count = _NUMBER.unpack_from(stored, position)[0] if position + 4 <= len(stored) else 0
        position += 4
        if count == 0 or position + 4 * count > len(stored):
            raise DamagedArchive(f"{where} does not say where its frames begin.")
        sizes = array("I")
        sizes.frombytes(memoryview(stored)[position : position + 4 * count])
        if sys.byteorder == "little":
            sizes.byteswap()
        if not 0 < min(sizes) <= max(sizes) <= MOST_FRAME_BYTES:
            raise DamagedArchive(f"{where} has a frame of an impossible size.")
        found.append(sizes)
        position += 4 * count
    if position != len(stored):
        raise DamagedArchive(f"{where} has more than the frames of {segments} segments.")
    return found


def _big_endian(sizes: array[int]) -> bytes:
    if sys.byteorder == "little":
        sizes.byteswap()
    return sizes.tobytes()
