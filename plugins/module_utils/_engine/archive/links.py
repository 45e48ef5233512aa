# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Broken symbolic links of an archive, found while tar runs."""

from __future__ import annotations

import errno
import os
import queue
import threading

_NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
#: The most names that are kept, because a record has to fit into one request; all links are counted.
LISTED_AT_MOST = 50
_WAITING_AT_MOST = 100_000


class BrokenLinks:
    """Follows the symbolic links among members. A context, in which archives are made one after the other.

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
        """Begin with the members of a folder, and forget the results of earlier ones."""
        self._stop()
        self._run = _Run(folder)
        self._run.start()

    def see(self, name: str) -> None:
        """Add a symbolic link, by its name in the folder."""
        if self._run is not None:
            self._run.add(name)

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
        self._waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def add(self, name: str) -> None:
        if self._waiting.qsize() < _WAITING_AT_MOST:
            self._waiting.put(name)
        else:
            self.overflowed = True

    def end(self) -> None:
        self._waiting.put(None)

    def run(self) -> None:
        for name in iter(self._waiting.get, None):
            try:
                os.stat(os.path.join(self._folder, name))
            except OSError as problem:
                if problem.errno in _NOWHERE:
                    self.count += 1
                    if len(self.names) < LISTED_AT_MOST:
                        self.names.append(name)
