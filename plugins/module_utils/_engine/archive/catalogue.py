# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The catalogue: tar's list of the members of an archive, counted while tar writes it.

A line is what ``tar -tvv --full-time --utc --quoting-style=c`` prints: type and mode, owner and group, size in bytes,
date and time (UTC), the name in C quotes, and ``->`` or ``link to`` with a second name for links.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BufferedReader
from typing import Callable

from .tar import unquote

KINDS = {
    "-": "files",
    "d": "directories",
    "l": "symbolic_links",
    "h": "hard_links",
    "p": "fifos",
    "b": "devices",
    "c": "devices",
}
# Owner and group come before the size and may have spaces, so the size is found by the date after it.
_SIZE = re.compile(rb" (\d+) -?\d{4,}-\d\d-\d\d ")
# The first quote after the date: quotes in names are escaped, and the target of a link comes later.
_NAME = re.compile(rb' \d+(?:,\d+)? -?\d+-\d\d-\d\d [\d:.]+ +"((?:[^"\\]|\\.)*)"')
_BATCH_BYTES = 1 << 16
_READ_BYTES = 1 << 20
#: The seconds between two reads of lines. tar flushes every line, and a thread that woke up for each of them would cost
#: more than all other work on it.
_PAUSE_SECONDS = 0.005


@dataclass
class Tally:
    """The number of members of each kind, and the bytes of file contents."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys([*dict.fromkeys(KINDS.values()), "others"], 0))
    content_bytes: int = 0

    @property
    def members(self) -> int:
        """All members."""
        return sum(self.counts.values())

    def add(self, line: bytes) -> None:
        """Count one line of the list."""
        self.counts[KINDS.get(chr(line[0]), "others")] += 1
        if line[:1] == b"-":
            size = _SIZE.search(line)
            self.content_bytes += int(size.group(1)) if size else 0


def name_in(line: bytes) -> str | None:
    """The name of the member in a line, relative to the source; None if it is not a line of a list."""
    found = _NAME.search(line)
    return None if found is None else unquote(found.group(1).decode("utf-8", "surrogateescape"))


def _lines(pipe: BufferedReader) -> Iterator[bytes]:
    rest = b""
    while True:
        block = pipe.read1(_READ_BYTES)
        if not block:
            break
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield line + b"\n"
        time.sleep(_PAUSE_SECONDS)
    if rest:
        yield rest


class CatalogueTap(threading.Thread):
    """Reads the list while tar writes it, counts its members, and passes it on in batches.

    A thread, because tar must not block on this pipe while this process waits for the other one.
    """

    def __init__(
        self,
        pipe: BufferedReader,
        write: Callable[[bytes], None],
        counted: Callable[[int], None],
        see: Callable[[bytes], None] | None = None,
    ) -> None:
        super().__init__(name="catalogue", daemon=True)
        self.tally = Tally()
        self.failure: BaseException | None = None
        self._pipe, self._write, self._counted, self._see = pipe, write, counted, see

    def run(self) -> None:
        batch = bytearray()
        told = 0
        try:
            for line in _lines(self._pipe):
                self.tally.add(line)
                if self._see is not None:
                    self._see(line)
                batch += line
                if len(batch) >= _BATCH_BYTES:
                    self._write(bytes(batch))
                    batch.clear()
                    self._counted(self.tally.members - told)
                    told = self.tally.members
            if batch:
                self._write(bytes(batch))
            self._counted(self.tally.members - told)
        except BaseException as problem:  # noqa: BLE001 - handed to the thread that waits for us
            self.failure = problem
            for _rest in self._pipe:
                pass  # let tar end
