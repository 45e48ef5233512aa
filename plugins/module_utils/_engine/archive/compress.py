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

    def __init__(self, codec: Codec, write: Callable[[bytes], None]) -> None:
        self._codec, self._write = codec, write
        self._waiting: deque[Future[bytes]] = deque()
        self._chunk = bytearray()
        self._threads = workers()
        self._pool = ThreadPoolExecutor(max_workers=self._threads, thread_name_prefix="compress")
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
        rest = memoryview(data)
        self.size += len(rest)
        while rest:
            room = CHUNK_BYTES - len(self._chunk)
            self._chunk += rest[:room]
            rest = rest[room:]
            if len(self._chunk) == CHUNK_BYTES:
                self._submit()

    def finish(self) -> None:
        """Pass on what is left."""
        if self._chunk:
            self._submit()
        while self._waiting:
            self._write(self._waiting.popleft().result())

    def _submit(self) -> None:
        chunk, self._chunk = bytes(self._chunk), bytearray()
        self._waiting.append(self._pool.submit(self._codec.frame, chunk))
        if len(self._waiting) >= self._threads + _CHUNKS_WAITING:
            self._write(self._waiting.popleft().result())


def _read_chunk(pipe: Readable) -> bytes:
    """The next CHUNK_BYTES, fewer only at the end: frames of equal size compress best."""
    chunk = pipe.read(CHUNK_BYTES)
    return chunk or b""


def compress_stream(pipe: Readable, codec: Codec, write: Callable[[bytes], None]) -> int:
    """Send everything from a buffered pipe through a codec to `write`.

    Returns the number of bytes read. An error of `write` ends the work and is raised.
    """
    total = 0
    waiting: deque[Future[bytes]] = deque()
    threads = workers()
    with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="compress") as pool:
        try:
            while True:
                chunk = _read_chunk(pipe)
                if not chunk:
                    break
                total += len(chunk)
                waiting.append(pool.submit(codec.frame, chunk))
                del chunk
                if len(waiting) >= threads + _CHUNKS_WAITING:
                    write(waiting.popleft().result())
            while waiting:
                write(waiting.popleft().result())
        finally:
            for future in waiting:
                future.cancel()
    return total
