# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The data path of a backup: read a pipe in chunks, compress them side by side, write them in order.

Memory is bounded by the chunks in flight, whatever the size of the source: ``CHUNK_BYTES`` for each worker and a few
that wait.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Callable, Protocol

from .codec import Codec

CHUNK_BYTES = 1 << 20
_CHUNKS_WAITING = 4


class Readable(Protocol):
    """What gives the next bytes, as many as are asked for at most, and none at its end."""

    def read(self, size: int, /) -> bytes | None: ...


class Feeder(threading.Thread):
    """Pushes a stream into a program while another thread reads what comes out of it."""

    def __init__(self, stream: Readable, sink: IO[bytes]) -> None:
        super().__init__(name="feeder", daemon=True)
        self.failure: BaseException | None = None
        self._stream, self._sink = stream, sink
        self.start()

    def run(self) -> None:
        try:
            while True:
                block = self._stream.read(CHUNK_BYTES)
                if not block:
                    break
                self._sink.write(block)
            self._sink.close()
        except BrokenPipeError:
            pass  # the program has ended: its exit status tells why
        except BaseException as problem:  # noqa: BLE001 - handed to the thread that reads
            self.failure = problem
            try:
                self._sink.close()
            except BrokenPipeError:
                pass


def workers() -> int:
    """One compressing thread per core that this process may use, and no more than four."""
    return max(1, min(4, len(os.sched_getaffinity(0))))


def _read_chunk(pipe: Readable) -> bytes:
    """Up to CHUNK_BYTES, less only at the end: frames of one size compress best."""
    chunk = pipe.read(CHUNK_BYTES)
    return chunk or b""


def compress_stream(pipe: Readable, codec: Codec, write: Callable[[bytes], None]) -> int:
    """Send everything from a buffered pipe through a codec to `write`.

    Returns the number of bytes read. Whatever `write` raises ends the work and is raised.
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
