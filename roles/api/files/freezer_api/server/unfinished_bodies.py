# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""How much of bodies that are still arriving one process keeps.

Bodies arrive before anything is known about their senders, and the large ones lie in temporary files. When all of them
together are too much, those of which nothing came for the longest time are refused: a sender that goes on is served.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Protocol

MOST_BYTES = 67_108_864


class Arriving(Protocol):
    """A request whose body is arriving."""

    def refuse_for_room(self) -> None:
        """Refuse it, because others need the room."""


class UnfinishedBodies:
    """The bodies that are arriving, of at most ``most_bytes`` together."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        #: How many bytes of each are there, that of which something came last at the end.
        self._bytes: OrderedDict[Arriving, int] = OrderedDict()
        self._total = 0

    def received(self, request: Arriving, total: int) -> None:
        """Note that so many bytes of a body are there, and refuse others if that is too much."""
        refused = []
        with self._lock:
            self._total += total - self._bytes.get(request, 0)
            self._bytes[request] = total
            self._bytes.move_to_end(request)
            while self._total > self._most_bytes and len(self._bytes) > 1:
                other, count = self._bytes.popitem(last=False)
                self._total -= count
                refused.append(other)
        for other in refused:
            other.refuse_for_room()

    def forget(self, request: Arriving) -> None:
        """Note that a body is there as a whole, or will never be."""
        with self._lock:
            self._total -= self._bytes.pop(request, 0)
