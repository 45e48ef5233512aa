# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Quiesce with the user's own commands: `prepare` quiesces, `finalize` releases."""

from __future__ import annotations

from collections.abc import Sequence

from ..system.process import Program
from . import programs
from .base import Driver, Limits, QuiesceError

_TO_END_SECONDS = 5


class Command(Driver):
    """A pair of commands.

    `finalize` runs after every `prepare`, also after one that failed or was killed; after a crash it may run twice.
    """

    kind = "command"
    rank = 0

    def __init__(
        self, prepare: Sequence[str], finalize: Sequence[str], timeout_seconds: float, os_user: str | None = None
    ) -> None:
        argv = list(prepare or finalize)
        super().__init__(f"command {argv[0] if argv else ''}", timeout_seconds)
        self._prepare = list(prepare)
        self._finalize = list(finalize)
        self._os_user = os_user
        self._running: Program | None = None
        self._cancelled = False

    def check(self, limits: Limits) -> None:
        for argv in (self._prepare, self._finalize):
            if argv:
                programs.find(argv[:1], f"The {self.label}")

    def take(self) -> None:
        if self._prepare:
            self._run(self._prepare)

    def release(self) -> None:
        if self._finalize:
            self._run(self._finalize)

    def recover(self) -> None:
        self.release()

    def cancel(self) -> None:
        if self._running is not None:
            self._cancelled = True
            self._running.kill()

    def _run(self, argv: list[str]) -> None:
        program = programs.start([programs.find(argv[:1], f"The {self.label}"), *argv[1:]], os_user=self._os_user)
        self._cancelled = False
        self._running = program
        self.report_program(program.pid)
        try:
            status = program.wait(self.timeout_seconds)
            if status is None or self._cancelled:
                program.kill()
                program.wait(_TO_END_SECONDS)
                raise QuiesceError(f"{argv[0]} did not end in {self.timeout_seconds:g} s and was killed.")
            if status:
                said = program.said()
                raise QuiesceError(f"{argv[0]} ended with status {status}{': ' + said if said else ''}.")
        finally:
            self._running = None
            program.end()
            self.report_program(0)
