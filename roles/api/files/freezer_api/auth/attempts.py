# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""How many passwords are checked that are not known to be right.

Each check takes some tenths of a second of a processor, whoever asks. So few are made at once, few callers wait for
one, and a source of wrong ones is told to come again later, before anything is checked. Passwords that were right a moment ago are
not checked again, and do not come here.
"""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..errors import TooManyRequestsError, UnavailableError

AT_ONCE = 2
_WAITING = 2
_WAIT_SECONDS = 2.0
#: Wrong passwords that a source may send in a row, and how long it takes until it may send one more.
BURST = 10
SECONDS_FOR_ONE = 2.0
_MOST_SOURCES = 4096


class Attempts:
    """The budget of one process. ``clock`` gives seconds that only go forward."""

    def __init__(self, at_once: int = AT_ONCE, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._checks = threading.BoundedSemaphore(at_once)
        self._callers = threading.BoundedSemaphore(at_once + _WAITING)
        self._lock = threading.Lock()
        #: For each source what it has spent, and when that was true.
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()

    @contextmanager
    def one(self, address: str) -> Iterator[Callable[[], None]]:
        """Room for one check of a password from an address. Yields what to call if the password was right.

        Raises TooManyRequestsError for a source of wrong passwords, UnavailableError if there is no room now.
        """
        source = _source(address)
        self._spend(source)
        if not self._callers.acquire(blocking=False):
            self._give_back(source)
            raise _busy()
        try:
            if not self._checks.acquire(timeout=_WAIT_SECONDS):
                self._give_back(source)
                raise _busy()
            try:
                yield lambda: self._give_back(source)
            finally:
                self._checks.release()
        finally:
            self._callers.release()

    def _spend(self, source: str) -> None:
        with self._lock:
            spent = self._now_spent(source)
            if spent > BURST - 1:
                seconds = math.ceil((spent - (BURST - 1)) * SECONDS_FOR_ONE)
                raise TooManyRequestsError(
                    f"Too many wrong passwords came from {source}; try again in {seconds} seconds",
                    headers={"Retry-After": str(seconds)},
                )
            self._set(source, spent + 1)

    def _give_back(self, source: str) -> None:
        with self._lock:
            self._set(source, max(0.0, self._now_spent(source) - 1))

    def _now_spent(self, source: str) -> float:
        spent, since = self._spent.get(source, (0.0, 0.0))
        return max(0.0, spent - (self._clock() - since) / SECONDS_FOR_ONE)

    def _set(self, source: str, spent: float) -> None:
        self._spent[source] = (spent, self._clock())
        self._spent.move_to_end(source)
        while len(self._spent) > _MOST_SOURCES:
            self._spent.popitem(last=False)


def _source(address: str) -> str:
    """What one caller can choose its address from: itself, or the network of 64 bits that a host has of IPv6."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(found) if found.version == 4 else str(ipaddress.ip_network((found, 64), strict=False))


def _busy() -> UnavailableError:
    return UnavailableError("Too many passwords are being checked at the moment", headers={"Retry-After": "1"})
