# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""How a run ends: its exit status, and signals that end it cleanly."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any

DONE = 0
FAILED = 1
UNUSABLE = 2
PARTIAL = 3

_STATUS_OF = {
    "success": DONE,
    "unchanged": DONE,
    "planned": DONE,
    "partial": PARTIAL,
    "different": FAILED,
    "failed": FAILED,
}
_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal asked the run to end. Not an Exception: whoever cleans up lets it pass, nobody handles it."""


class Signals:
    """Turns the first SIGTERM, SIGINT or SIGHUP into Interrupted, and lets nothing disturb the cleaning up after it."""

    def __init__(self) -> None:
        self.received: int | None = None

    def install(self) -> None:
        """Begin to listen. A signal that the caller ignores (nohup, a background job) stays ignored."""
        for number in _ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._receive)

    def release(self) -> None:
        """The work is done and there is nothing to clean up any more: signals do what they always do."""
        self._replace(signal.SIG_DFL)

    def _receive(self, number: int, _frame: object) -> None:
        if self.received is None:
            self.received = number
            # Ignored, and not only unheard: what cleans up is a program too now and then, which a second Ctrl-C reaches as well.
            self._replace(signal.SIG_IGN)
            raise Interrupted

    def _replace(self, handler: signal.Handlers) -> None:
        for number in _ENDING:
            if signal.getsignal(number) == self._receive:
                signal.signal(number, handler)

    @property
    def status(self) -> int:
        """The exit status of a run that was ended by a signal, as shells write it."""
        return 128 + (self.received or 0)

    @property
    def name(self) -> str:
        """The name of the signal that came."""
        return signal.Signals(self.received or 0).name


def status_of(result: Mapping[str, Any]) -> int:
    """The exit status that a result stands for."""
    return _STATUS_OF[str(result.get("outcome", "success"))]
