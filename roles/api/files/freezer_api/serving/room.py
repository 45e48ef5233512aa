# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""How much memory may wait for clients: requests that are not whole, and answers that are not taken."""

from __future__ import annotations

import abc
import time
from collections.abc import Callable

#: What holds less does not count.
SMALL_BYTES = 16_384


class Holder(abc.ABC):
    """Something that holds memory while its client is slow. ``since`` is the time, on the clock of the room."""

    since: float

    @property
    @abc.abstractmethod
    def held_bytes(self) -> int:
        """What it holds now."""

    @abc.abstractmethod
    def give_up(self) -> None:
        """Let go of it and of the client."""


class Room:
    """What all holders of a process may hold together.

    Where that is not enough those are given up that have waited longest, but for ``patience_seconds`` everybody may wait.
    """

    def __init__(self, size_bytes: int, patience_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._size_bytes = size_bytes
        self._patience_seconds = patience_seconds
        self._clock = clock
        self._large: set[Holder] = set()

    def has(self, holder: Holder, more_bytes: int = 0) -> bool:
        """Whether a holder may hold what it holds, and more."""
        if holder.held_bytes + more_bytes <= SMALL_BYTES:
            return True
        self._large = {one for one in self._large if one.held_bytes > SMALL_BYTES} | {holder}
        held = more_bytes + sum(one.held_bytes for one in self._large)
        now = self._clock()
        for one in sorted(self._large - {holder}, key=lambda one: one.since):
            if held <= self._size_bytes or now - one.since < self._patience_seconds:
                break
            held -= one.held_bytes
            self._large.discard(one)
            one.give_up()
        return held <= self._size_bytes

    def left(self, holder: Holder) -> None:
        """A holder is gone."""
        self._large.discard(holder)
