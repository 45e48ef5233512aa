# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What can be held still, as the holder sees it: one driver for each target.

This room is run in two places: in the process that asks for a hold, and in the holder, a process of its own that gets
the sources of these files over a pipe (`launch`). So nothing here imports anything but this room, `errors`, how
programs are started and what is mounted (`system`), and the standard library.
"""

from __future__ import annotations

import abc
import time
from collections.abc import Sequence
from typing import Any, Callable, NamedTuple

from ..errors import FreezerError

#: How long something is held at most where nothing else is asked for, and the longest that can be asked for.
DEFAULT_DEADLINE_SECONDS = 60.0
MOST_DEADLINE_SECONDS = 86400.0


class QuiesceError(FreezerError):
    """Something cannot be held still, or was not held for as long as it had to be."""


def uptime() -> float:
    """Seconds on a clock that nobody sets, and that goes on while the machine sleeps: deadlines are on this one."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Limits(NamedTuple):
    """Paths that have to stay writable: those of the holder always, those of Ansible and the system unless forced."""

    always: Sequence[str] = ()
    unless_forced: Sequence[str] = ()


class Driver(abc.ABC):
    """Holds one target.

    The holder calls `check` and `open`, forks its guard, and calls `connect` and `take`; at the end `release`. Each of
    `connect`, `take` and `release` runs in a thread that the holder may give up on, after it has called `cancel`.
    `recover` is for the guard and for whoever finds what a dead holder left: it undoes a take of which nobody knows
    how far it came, without anything that died with the holder, and may be called more than once.
    """

    kind = ""
    #: Where it comes in the order of takes: services first, file systems last; releases go the other way round.
    rank = 1
    #: What is promised of a copy made under this hold alone.
    consistency = "app"

    def __init__(self, label: str, timeout_seconds: float) -> None:
        self.label = label
        self.timeout_seconds = timeout_seconds
        #: What is worth knowing of this hold, such as a position in a log. No secret.
        self.facts: dict[str, Any] = {}
        #: Called with the process id of a program that is running for a take or a release, and with 0 when it has ended:
        #: whoever recovers ends it first.
        self.report_program: Callable[[int], None] = lambda process_id: None

    def check(self, limits: Limits) -> None:
        """Refuse what must not or cannot be held, and change nothing."""

    def open(self) -> None:
        """Open what the guard needs as well."""

    def connect(self) -> None:
        """Do all that can be done before anything is held."""

    @abc.abstractmethod
    def take(self) -> None:
        """Hold the target."""

    @abc.abstractmethod
    def release(self) -> None:
        """Let go, normally."""

    def cancel(self) -> None:
        """Make a `connect`, `take` or `release` that blocks in another thread end, if that is possible."""

    def recover(self) -> None:
        """Undo what a holder that is dead may have done. Does nothing where the hold died with its connection."""

    def close(self) -> None:
        """Give back what was opened. Called last, also after failures."""
