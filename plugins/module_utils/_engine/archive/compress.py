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
