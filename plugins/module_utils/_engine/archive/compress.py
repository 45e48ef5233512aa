# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The data path of a backup: read a pipe in chunks, compress them in parallel, write them in order.

Memory is limited to the chunks in flight, whatever the size of the source: ``CHUNK_BYTES`` for each worker, and a few
waiting chunks.
"""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Callable, Protocol

from ..system.memory import keep_freed_memory
from .codec import Codec

CHUNK_BYTES = 1 << 20
_CHUNKS_WAITING = 4


class Readable(Protocol):
    """A stream: `read` returns at most so many bytes, and none at the end."""

    def read(self, size: int, /) -> bytes | None: ...


def workers() -> int:
    """The number of compressing threads: one for each usable core, at most four."""
    return max(1, min(4, len(os.sched_getaffinity(0))))


class Compressor:
    """Cuts what is written to it into chunks, compresses them in parallel, and passes the frames on in order. A context."""

    def __init__(self, codec: Codec, write: Callable[[bytes], None], beside: Compressor | None = None) -> None:
        """`beside` is another one of the same codec, whose threads this one shares."""
        keep_freed_memory()
        self._codec, self._write = codec, write
        self._waiting: deque[Future[bytes]] = deque()
        self._chunk = bytearray()
        self._threads = min(workers(), codec.most_threads)
        if beside is None:
            self._pool = ThreadPoolExecutor(max_workers=self._threads, thread_name_prefix="compress")
        else:
            self._pool = beside._pool
        #: Plain bytes.
        self.size = 0

    def __enter__(self) -> Compressor:
        return self

    def __exit__(self, *_problem: object) -> None:
        for future in self._waiting:
            future.cancel()
        self._pool.shutdown(wait=True)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes. Raises what `write` raises."""
        self.size += len(data)
        if len(data) == CHUNK_BYTES and isinstance(data, bytes) and not self._chunk:
            self._submit(data)  # as almost always: nothing is copied
            return
        rest = memoryview(data)
        while rest:
            room = CHUNK_BYTES - len(self._chunk)
            self._chunk += rest[:room]
            rest = rest[room:]
            if len(self._chunk) == CHUNK_BYTES:
                self._submit_filled()

    def finish(self) -> None:
        """Pass on what is left."""
        if self._chunk:
            self._submit_filled()
        while self._waiting:
            self._write(self._waiting.popleft().result())

    def _submit_filled(self) -> None:
        chunk, self._chunk = bytes(self._chunk), bytearray()
        self._submit(chunk)

    def _submit(self, chunk: bytes) -> None:
        self._waiting.append(self._pool.submit(self._codec.frame, chunk))
        if len(self._waiting) >= self._threads + _CHUNKS_WAITING:
            self._write(self._waiting.popleft().result())
