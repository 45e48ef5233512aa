# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The interface between the holder and its targets: one driver for each target.

This room runs in two places: in the process that requests a hold, and in the holder, a process of its own that gets the
sources of these files over a pipe (`launch`). So it imports only this room, `errors`, `system.process`, `system.mounts` and
the standard library.
"""

from __future__ import annotations

import abc
import time
from collections.abc import Sequence
from typing import Any, Callable, NamedTuple

from ..errors import FreezerError

#: The default of a deadline, and the longest one, in seconds.
DEFAULT_DEADLINE_SECONDS = 60.0
MOST_DEADLINE_SECONDS = 86400.0


class QuiesceError(FreezerError):
    """A target cannot be quiesced or frozen, or was released too early."""


def deadline_fault(seconds: float) -> str:
    """What is wrong with a deadline, as a sentence; empty if it is one."""
    if 0 < seconds <= MOST_DEADLINE_SECONDS:
        return ""
    return f"deadline_seconds has to be above 0 and at most {MOST_DEADLINE_SECONDS:.0f}, and is {seconds:g}."


def uptime() -> float:
    """Seconds of a clock that cannot be set and goes on while the machine sleeps; deadlines use it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Limits(NamedTuple):
    """Paths that must stay writable: those of the holder always, those of Ansible and the system unless forced."""

    always: Sequence[str] = ()
    unless_forced: Sequence[str] = ()


class Driver(abc.ABC):
    """Holds one target.

    The holder calls `check` and `open`, forks its guard, and calls `connect` and `take`; at the end `release`. Each of
    `connect`, `take` and `release` runs in a thread that the holder may abandon after it has called `cancel`.
    `recover` is for the guard, and for a process that finds the leftovers of a dead holder: it undoes a take that may be
    incomplete, needs nothing that died with the holder, and may be called more than once.
    """

    kind = ""
    #: The position in the order of takes: services first, file systems last; releases happen in reverse order.
    rank = 1
    #: The consistency of a copy that is made under this hold alone.
    consistency = "app"

    def __init__(self, label: str, timeout_seconds: float) -> None:
        self.label = label
        self.timeout_seconds = timeout_seconds
        #: Facts about this hold, such as a position in a log. No secret.
        self.facts: dict[str, Any] = {}
        #: Called with the process id of a program that runs for a take or a release, and with 0 when it has ended, so that
        #: a recovery can end it first.
        self.report_program: Callable[[int], None] = lambda process_id: None

    def check(self, limits: Limits) -> None:
        """Raise QuiesceError for a target that must not or cannot be held. Changes nothing."""

    def open(self) -> None:
        """Open the descriptors that the guard needs as well."""

    def connect(self) -> None:
        """Do everything that is possible before a target is held."""

    @abc.abstractmethod
    def take(self) -> None:
        """Hold the target."""

    @abc.abstractmethod
    def release(self) -> None:
        """Release the target."""

    def cancel(self) -> None:
        """End a `connect`, `take` or `release` that blocks in another thread, if possible."""

    def recover(self) -> None:
        """Undo what a dead holder may have done. Does nothing if the hold ended with its connection."""

    def close(self) -> None:
        """Close what was opened. Called last, also after failures."""
