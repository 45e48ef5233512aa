# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Symbolic links of an archive that lead nowhere, found while tar goes on."""

from __future__ import annotations

import errno
import os
import queue
import threading

from .catalogue import name_in

_NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
#: So many names are kept, since a record has to fit into one request to an API; all are counted.
LISTED_AT_MOST = 50
_WAITING_AT_MOST = 100_000


class BrokenLinks:
    """Follows each symbolic link of a list of members on this host. A context, in which one list after the other is read.

    A link may lead to a file system that does not answer (NFS), so a thread of its own follows them, and a backup waits for
    it no longer than ``patience_seconds`` once everything else is done.
    """

    def __init__(self, patience_seconds: float = 10.0) -> None:
        self._patience_seconds = patience_seconds
        self._run: _Run | None = None

    def __enter__(self) -> BrokenLinks:
        return self

    def __exit__(self, *_problem: object) -> None:
        self._stop()

    def begin(self, folder: str) -> None:
        """Begin with the list of an archive of a folder; what was found in an earlier list is forgotten."""
        self._stop()
        self._run = _Run(folder)
        self._run.start()

    def see(self, line: bytes) -> None:
        """Take one line of the list into account."""
        if line[:1] == b"l" and self._run is not None:
            self._run.add(line)

    def found(self) -> tuple[list[str], int | None]:
        """Names in the folder, the first ones, and how many there are; None if that could not be found out."""
        if self._run is None:
            return [], 0
        self._stop()
        self._run.join(self._patience_seconds)
        complete = not self._run.is_alive() and not self._run.overflowed
        return self._run.names[:], self._run.count if complete else None

    def _stop(self) -> None:
        if self._run is not None:
            self._run.end()


class _Run(threading.Thread):
    def __init__(self, folder: str) -> None:
        super().__init__(name="links", daemon=True)
        self.names: list[str] = []
        self.count = 0
        self.overflowed = False
        self._folder = folder
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def add(self, line: bytes) -> None:
        if self._lines.qsize() < _WAITING_AT_MOST:
            self._lines.put(line)
        else:
            self.overflowed = True

    def end(self) -> None:
        self._lines.put(None)

    def run(self) -> None:
        for line in iter(self._lines.get, None):
            name = name_in(line)
            if name is None:
                continue
            try:
                os.stat(os.path.join(self._folder, name))
            except OSError as problem:
                if problem.errno in _NOWHERE:
                    self.count += 1
                    if len(self.names) < LISTED_AT_MOST:
                        self.names.append(name)
