# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The stored stream of a backup, read with every byte checked."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO

from ..storage.base import Buffer, Storage
from ..storage.errors import StorageError
from .manifest import StoredObject
from .segments import open_verified


class VerifiedStream(io.RawIOBase):
    """The stored stream of a backup: every segment is checked whole before its first byte is given out.

    The next segment is fetched and checked by a thread while this one is read.
    """

    def __init__(self, storage: Storage, folder: str, segments: Sequence[StoredObject]) -> None:
        super().__init__()
        self._checker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="verify")
        self._todo: Iterator[StoredObject] = iter(segments)
        self._storage, self._folder = storage, folder
        self._next: Future[BinaryIO] | None = None
        self._current: BinaryIO | None = None
        self._fetch_next()

    def _fetch_next(self) -> None:
        segment = next(self._todo, None)
        self._next = None
        if segment is not None:
            self._next = self._checker.submit(open_verified, self._storage, self._folder, segment)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:  # type: ignore[override]
        while True:
            if self._current is None:
                if self._next is None:
                    return 0
                self._current = self._next.result()
                self._fetch_next()
            try:
                block = self._current.read(len(buffer))
            except OSError as problem:
                raise StorageError(f"Reading {self._folder} failed: {problem.strerror or problem}.") from problem
            if block:
                buffer[: len(block)] = block  # type: ignore[index]
                return len(block)
            self._current.close()
            self._current = None

    def close(self) -> None:
        if not self.closed:
            self._checker.shutdown(wait=True)
            if self._current is not None:
                self._current.close()
            if self._next is not None and self._next.exception() is None:
                self._next.result().close()
        super().close()
