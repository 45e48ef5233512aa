# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Progress for logs: a line every few seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ansible_collections.freezer.backup.plugins.module_utils._engine.progress import Progress

from .wording import counted, duration, size

INTERVAL_SECONDS = 5.0


class ProgressLines(Progress):
    """Says at most every few seconds how far the work is: percent and time left where the total is known."""

    def __init__(
        self,
        emit: Callable[[str], None],
        interval_seconds: float = INTERVAL_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._emit = emit
        self._interval = interval_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._phase = ""
        self._total: int | None = None
        self._bytes = self._files = 0
        self._started = self._last = clock()
        self._last_bytes = 0

    def begin(self, phase: str, total_bytes: int | None = None, total_files: int | None = None) -> None:
        self._phase, self._total = phase, total_bytes
        self._bytes = self._files = self._last_bytes = 0
        self._started = self._last = self._clock()

    def advance(self, done_bytes: int = 0, done_files: int = 0) -> None:
        with self._lock:
            self._bytes += done_bytes
            self._files += done_files
            now = self._clock()
            if self._phase and now - self._last >= self._interval:
                self._emit(self._line(now))
                self._last, self._last_bytes = now, self._bytes

    def end(self) -> None:
        self._phase = ""

    def _line(self, now: float) -> str:
        speed = (self._bytes - self._last_bytes) / (now - self._last)
        parts = [size(self._bytes)]
        if self._total:
            share = min(self._bytes / self._total, 1.0)
            parts = [f"{share:.0%}", f"{size(self._bytes)} of {size(self._total)}"]
        if self._files:
            parts.append(counted(self._files, "file"))
        parts.append(f"{size(speed)}/s")
        if self._total and self._bytes:
            left = max(self._total - self._bytes, 0) * (now - self._started) / self._bytes
            parts.append(f"{duration(left)} left")
        return f"{self._phase}: {', '.join(parts)}"


class Several(Progress):
    """Tells several listeners the same."""

    def __init__(self, listeners: list[Progress]) -> None:
        self._listeners = listeners
        self.wants_totals = any(listener.wants_totals for listener in listeners)

    def begin(self, phase: str, total_bytes: int | None = None, total_files: int | None = None) -> None:
        for listener in self._listeners:
            listener.begin(phase, total_bytes, total_files)

    def advance(self, done_bytes: int = 0, done_files: int = 0) -> None:
        for listener in self._listeners:
            listener.advance(done_bytes, done_files)

    def end(self) -> None:
        for listener in self._listeners:
            listener.end()
