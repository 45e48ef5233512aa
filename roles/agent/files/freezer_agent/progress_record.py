# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Progress for programs: one JSON object in a file of the caller's, written over again every second."""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.progress import Progress

from .errors import UsageError

INTERVAL_SECONDS = 1.0
#: The record always has this length, so that a reader never sees the end of an older one.
RECORD_BYTES = 256


class ProgressRecord(Progress):
    """Writes ``phase``, ``done_bytes``, ``total_bytes`` and ``done_files`` to a descriptor. Raises UsageError."""

    def __init__(self, descriptor: str) -> None:
        try:
            self._descriptor = int(descriptor, 10)
            writable = fcntl.fcntl(self._descriptor, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
            os.lseek(self._descriptor, 0, os.SEEK_SET)
        except (ValueError, OverflowError, OSError):
            writable = False
        if not writable or self._descriptor < 3:
            raise UsageError("progress_fd has to be the number of a descriptor of a file that is open for writing.")
        os.set_inheritable(self._descriptor, False)
        self._lock = threading.Lock()
        self._record: dict[str, Any] = {}
        self._last = 0.0

    def begin(self, phase: str, total_bytes: int | None = None, total_files: int | None = None) -> None:
        with self._lock:
            self._record = {"phase": phase, "done_bytes": 0, "total_bytes": total_bytes, "done_files": 0}
            self._write()

    def advance(self, done_bytes: int = 0, done_files: int = 0) -> None:
        with self._lock:
            self._record["done_bytes"] = self._record.get("done_bytes", 0) + done_bytes
            self._record["done_files"] = self._record.get("done_files", 0) + done_files
            if time.monotonic() - self._last >= INTERVAL_SECONDS:
                self._write()

    def end(self) -> None:
        with self._lock:
            self._write()

    def _write(self) -> None:
        self._last = time.monotonic()
        text = json.dumps(self._record).ljust(RECORD_BYTES - 1)[: RECORD_BYTES - 1] + "\n"
        try:
            os.pwrite(self._descriptor, text.encode("ascii"), 0)
        except OSError:
            pass  # how far a backup is, is worth less than the backup
