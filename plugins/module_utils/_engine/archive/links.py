# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Broken symbolic links of an archive, found while tar runs."""

from __future__ import annotations

import errno
import os
import queue
import threading

from .catalogue import name_in

_NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
#: The most names that are kept, because a record has to fit into one request; all links are counted.
LISTED_AT_MOST = 50
_WAITING_AT_MOST = 100_000


class BrokenLinks:
    """Follows the symbolic links in lists of members. A context, in which lists are read one after the other.

    A link may lead to a file system that does not answer (NFS), so a separate thread follows them. After everything else is
    done, a backup waits for this thread no longer than ``patience_seconds``.
    """

    def __init__(self, patience_seconds: float = 10.0) -> None:
        self._patience_seconds = patience_seconds
        self._run: _Run | None = None

    def __enter__(self) -> BrokenLinks:
        return self

    def __exit__(self, *_problem: object) -> None:
        self._stop()

    def begin(self, folder: str) -> None:
        """Begin with the list of members of a folder, and forget the results of earlier lists."""
        self._stop()
        self._run = _Run(folder)
        self._run.start()

    def see(self, line: bytes) -> None:
        """Add one line of the list."""
        if line[:1] == b"l" and self._run is not None:
            self._run.add(line)

    def found(self) -> tuple[list[str], int | None]:
        """The first names in the folder, and the number of broken links; None if a link does not answer."""
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
