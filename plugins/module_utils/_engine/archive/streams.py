# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Reads a stream of a backup, all of it or parts: fetched, verified, opened and decompressed frame by frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from ..repository.errors import DamagedArchive
from ..repository.verified import BackupObjects
from .codec import Codec
from .compress import workers
from .frames import FRAME_BYTES, FrameTable
from .sealed import Opened, Sealing

#: The most stored bytes that are fetched at once. Less would cost a request each of a remote storage, more is memory.
_PIECE_BYTES = 4 << 20


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
    def read(self, begin: int = 0, end: int | None = None) -> Iterator[Iterator[bytes]]:
        """The plain bytes from `begin` up to `end`, or to the end, as blocks of at most FRAME_BYTES.

        Threads decompress ahead of the caller until the context ends. Reading raises DamagedArchive or StorageError.
        """
        end = self.size if end is None else end
        if not 0 <= begin <= end <= self.size:
            raise DamagedArchive(f"A stream of {self.size} bytes has none from {begin} to {end}.")
        with ThreadPoolExecutor(max_workers=workers(), thread_name_prefix="decompress") as pool:
            blocks = self._blocks(pool, begin, end)
            try:
                yield blocks
            finally:
                blocks.close()

    def _blocks(self, pool: ThreadPoolExecutor, begin: int, end: int) -> Generator[bytes, None, None]:
        if begin == end:
            return
        first, last = begin // FRAME_BYTES, (end - 1) // FRAME_BYTES
        waiting: deque[tuple[int, Future[bytes]]] = deque()

        def next_block() -> bytes:
            frame, found = waiting.popleft()
            block = found.result()
            return block[max(0, begin - frame * FRAME_BYTES) : end - frame * FRAME_BYTES]

        try:
            for frame, packed in self._frames(first, last):
                waiting.append((frame, pool.submit(self._plain, frame, packed)))
                if len(waiting) > 2 * workers():
                    yield next_block()
            while waiting:
                yield next_block()
        finally:
            for _frame, found in waiting:
                found.cancel()

    def _frames(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        """The compressed frames from `first` to `last`, with their numbers."""
        while first <= last:
            segment, begin, end = self._table.place(first)
            beyond = first + 1
            most = self._table.frames_in(segment).stop
            while beyond <= last and beyond < most:
                after = self._table.place(beyond)[2]
                if after - begin > _PIECE_BYTES:
                    break
                end, beyond = after, beyond + 1
            piece = memoryview(self._segment(segment).read(begin, end))
            for frame in range(first, beyond):
                _segment, from_, to = self._table.place(frame)
                yield frame, bytes(piece[from_ - begin : to - begin])
            first = beyond

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

    def _plain(self, frame: int, packed: bytes) -> bytes:
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
