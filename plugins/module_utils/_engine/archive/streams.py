# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Reads a stream of a backup, all of it or parts: fetched, verified, opened and decompressed frame by frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from ..repository.errors import DamagedArchive
from ..repository.verified import BackupObjects
from ..system.memory import keep_freed_memory
from .codec import Codec
from .compress import workers
from .frames import FRAME_BYTES, FrameTable
from .sealed import Opened, Sealing

#: The most stored bytes that are fetched at once. Less would cost a request each of a remote storage, more is memory.
_PIECE_BYTES = 4 << 20
#: The most frames that are fetched at once: a frame of headers of small files is hardly anything when it is compressed, and
#: whoever asks for ranges keeps something for each of them until it is read.
_PIECE_FRAMES = 16


class Stream:
    """One stream of a backup: ``data`` or ``blocks``."""

    def __init__(
        self, objects: BackupObjects, names: Sequence[str], table: FrameTable, codec: Codec, sealing: Sealing
    ) -> None:
        """`names` are the segments. Raises DamagedArchive if there are more or fewer than in `table`."""
        if len(names) != table.segment_count:
            raise DamagedArchive(f"{len(names)} segments cannot have the frames of {table.segment_count}.")
        self._objects, self._names, self._table = objects, names, table
        self._codec, self._sealing = codec, sealing
        #: The segment that was read last, opened.
        self._opened: tuple[int, Opened] | None = None

    @property
    def size(self) -> int:
        """Plain bytes."""
        return self._table.stream_bytes

    @contextmanager
    def read(self, ranges: Iterable[tuple[int, int]] | None = None) -> Iterator[Iterator[bytes]]:
        """The plain bytes of some ranges, or of all of it, as blocks of at most FRAME_BYTES.

        `ranges` has beginnings and ends in their order, which do not overlap; it is read as the stream is. A frame is fetched
        once, also for many of them. Threads decompress ahead of the caller until the context ends. Reading raises
        DamagedArchive or StorageError.
        """
        keep_freed_memory()
        with ThreadPoolExecutor(max_workers=workers(), thread_name_prefix="decompress") as pool:
            blocks = self._blocks(pool, [(0, self.size)] if ranges is None else ranges)
            try:
                yield blocks
            finally:
                blocks.close()

    def _blocks(self, pool: ThreadPoolExecutor, ranges: Iterable[tuple[int, int]]) -> Generator[bytes, None, None]:
        waiting: deque[tuple[list[slice], Future[bytes]]] = deque()
        try:
            for frame, parts, packed in self._fetched(self._needed(ranges)):
                waiting.append((parts, pool.submit(self._plain, frame, packed)))
                if len(waiting) > 2 * workers():
                    yield _cut(*waiting.popleft())
            while waiting:
                yield _cut(*waiting.popleft())
        finally:
            for _parts, found in waiting:
                found.cancel()

    def _needed(self, ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, list[slice]]]:
        """The frames that the ranges are in, each once, with the parts of it that are needed."""
        frame = -1
        parts: list[slice] = []
        position = 0
        for begin, end in ranges:
            if not position <= begin <= end <= self.size:
                raise DamagedArchive(f"A stream of {self.size} bytes has none from {begin} to {end} behind {position}.")
            while begin < end:
                number = begin // FRAME_BYTES
                if number != frame:
                    if parts:
                        yield frame, parts
                    frame, parts = number, []
                start = number * FRAME_BYTES
                position = min(end, start + FRAME_BYTES)
                if parts and parts[-1].stop == begin - start:
                    # As almost always: the member behind the last one.
                    parts[-1] = slice(parts[-1].start, position - start)
                else:
                    parts.append(slice(begin - start, position - start))
                begin = position
        if parts:
            yield frame, parts

    def _fetched(self, needed: Iterator[tuple[int, list[slice]]]) -> Iterator[tuple[int, list[slice], memoryview]]:
        """The same with the compressed frames. Those that lie beside each other are fetched together."""
        group: list[tuple[int, list[slice]]] = []
        segment = begin = end = 0
        for frame, parts in needed:
            of, from_, to = self._table.place(frame)
            beside = bool(group) and (of, from_) == (segment, end)
            if beside and to - begin <= _PIECE_BYTES and len(group) < _PIECE_FRAMES:
                end = to
            else:
                yield from self._fetch(group, segment, begin, end)
                group, segment, begin, end = [], of, from_, to
            group.append((frame, parts))
        yield from self._fetch(group, segment, begin, end)

    def _fetch(
        self, group: list[tuple[int, list[slice]]], segment: int, begin: int, end: int
    ) -> Iterator[tuple[int, list[slice], memoryview]]:
        piece = memoryview(self._segment(segment).read(begin, end)) if group else memoryview(b"")
        for frame, parts in group:
            _segment, from_, to = self._table.place(frame)
            yield frame, parts, piece[from_ - begin : to - begin]

    def _segment(self, number: int) -> Opened:
        if self._opened is None or self._opened[0] != number:
            opened = self._sealing.open(self._objects.object(self._names[number]))
            if opened.size != self._table.segment_bytes(number):
                raise DamagedArchive(
                    f"{self._objects.describe(self._names[number])} has {opened.size} bytes in it, and its frames have "
                    f"{self._table.segment_bytes(number)}."
                )
            self._opened = (number, opened)
        return self._opened[1]

    def _plain(self, frame: int, packed: memoryview) -> bytes:
        size = self._table.plain_bytes(frame)
        try:
            block = self._codec.plain(packed, size)
        except self._codec.decode_errors as problem:
            raise self._does_not_fit(frame) from problem
        if len(block) != size:
            raise self._does_not_fit(frame)
        return block

    def _does_not_fit(self, frame: int) -> DamagedArchive:
        where = self._objects.describe(self._names[self._table.segment_of(frame)])
        return DamagedArchive(f"{where} does not decompress to what it should be (frame {frame}).")


def _cut(parts: list[slice], found: Future[bytes]) -> bytes:
    """The needed parts of a frame."""
    block = found.result()
    return block[parts[0]] if len(parts) == 1 else b"".join([block[part] for part in parts])
