# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Any number of byte strings sorted with little memory: beyond a limit, sorted runs lie in files of a scratch folder."""

from __future__ import annotations

import heapq
import os
import struct
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import BinaryIO

#: The most items in memory, and the most bytes in them.
_MOST_ITEMS = 50_000
_MOST_BYTES = 8 << 20
#: The most runs that are merged at a time; each has a file open and a buffer.
_MOST_RUNS = 64
_READ_BYTES = 1 << 16
_LENGTH = struct.Struct("=I")


class ExternalSort:
    """Takes byte strings in any order, and gives them sorted, once. A context, in which its files exist.

    `scratch` is a folder that only this user may look into. Its files have no names, so nothing has to be removed.
    """

    def __init__(self, scratch: str, most_items: int = _MOST_ITEMS) -> None:
        self._scratch, self._most_items = scratch, most_items
        self._items: list[bytes] = []
        self._bytes = 0
        self._runs: list[BinaryIO] = []
        self._stack = ExitStack()

    def __enter__(self) -> ExternalSort:
        return self

    def __exit__(self, *_problem: object) -> None:
        self._stack.close()

    def add(self, item: bytes) -> None:
        """Add one. Raises OSError if the scratch folder is full."""
        self._items.append(item)
        self._bytes += len(item)
        if len(self._items) >= self._most_items or self._bytes >= _MOST_BYTES:
            self._spill()

    def sorted(self) -> Iterator[bytes]:
        """All of them, in order, as often as it is asked for. Raises OSError."""
        self._items.sort()
        if not self._runs:
            return iter(self._items)
        return heapq.merge(*map(_read_run, self._runs), self._items)

    def _spill(self) -> None:
        self._items.sort()
        self._write(self._items)
        self._items = []
        self._bytes = 0
        if len(self._runs) >= _MOST_RUNS:
            runs, self._runs = self._runs, []
            self._write(heapq.merge(*map(_read_run, runs)))
            for run in runs:
                run.close()

    def _write(self, items: Iterable[bytes]) -> None:
        run = self._stack.enter_context(tempfile.TemporaryFile(dir=self._scratch))  # noqa: SIM115
        pack = _LENGTH.pack
        for item in items:
            run.write(pack(len(item)))
            run.write(item)
        run.flush()
        self._runs.append(run)


def _read_run(run: BinaryIO) -> Iterator[bytes]:
    rest = b""
    at = 0
    unpack, header = _LENGTH.unpack_from, _LENGTH.size
    while True:
        block = os.pread(run.fileno(), _READ_BYTES, at)
        if not block:
            break
        at += len(block)
        rest += block
        position, end = 0, len(rest)
        while position + header <= end:
            begin = position + header
            (size,) = unpack(rest, position)
            if begin + size > end:
                break
            position = begin + size
            yield rest[begin:position]
        rest = rest[position:]
