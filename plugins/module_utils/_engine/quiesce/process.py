# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Preparations of a process that has to work while file systems are frozen and memory is short."""

from __future__ import annotations

import ctypes
import datetime
import os
import sys
import threading
from typing import Callable

from .base import QuiesceError

_MCL_CURRENT, _MCL_FUTURE = 1, 2
_STACK_BYTES = 256 * 1024


def say(text: str) -> None:
    """Write a line to the log, which is the error stream. A log that cannot be written is no error."""
    moment = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
    try:
        os.write(2, f"{moment} [{os.getpid()}] {text}\n".encode())
    except OSError:
        pass


def stay_in_memory() -> None:
    """Lock all pages in memory, and ask the kernel's OOM killer to spare this process, as far as this user may."""
    threading.stack_size(_STACK_BYTES)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(_MCL_CURRENT | _MCL_FUTURE):
        say(f"memory is not locked: {os.strerror(ctypes.get_errno())}")
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("-1000" if os.geteuid() == 0 else "0")
    except OSError:
        pass


class Step(threading.Thread):
    """Work that may block, in a thread that can be abandoned. `wake` becomes readable when it has ended."""

    def __init__(self, what: str, work: Callable[[], None]) -> None:
        super().__init__(daemon=True, name=what)
        self.problem: str | None = None
        self.over = False
        self.wake, self._waker = os.pipe()
        self._work = work
        self.start()

    def run(self) -> None:
        """Do the work. An error is kept as a sentence."""
        try:
            self._work()
        except QuiesceError as error:
            self.problem = str(error)
        except BaseException as error:  # noqa: BLE001 - a bug must not keep anything frozen
            self.problem = f"{self.name} failed: {type(error).__name__}: {error}."
            sys.excepthook(type(error), error, error.__traceback__)
        # In this order: a step that has ended may be closed at once.
        os.write(self._waker, b".")
        self.over = True

    def close(self) -> None:
        """Close the descriptors, after the work has ended."""
        os.close(self.wake)
        os.close(self._waker)
