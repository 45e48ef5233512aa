# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""How many passwords are checked that are not known to be right.

Each check takes some tenths of a second of a processor, whatever its sender is. So few are made at once, few callers wait for
one, and wrong ones are counted: for each user name at each source, and, with a looser limit, for each source. Who is over
a limit is told to come again later, before anything is checked. A name whose last password from a source was right is
checked in a place of its own there and does not count for the source, so that guesses for other names do not lock it out.
Passwords that were right a moment ago are not checked again, and do not come here.
"""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

from ..config.networks import plain_address
from ..errors import TooManyRequestsError, UnavailableError
from .unix_socket import Peer

#: Checks at once, callers that wait for one, and the same for names whose last password was right.
AT_ONCE = 2
_WAITING = 2
_AT_ONCE_KNOWN = 1
_WAITING_KNOWN = 1
_WAIT_SECONDS = 2.0
#: Wrong passwords that may come in a row for a name from a source, and how long it takes until there may be one more.
BURST = 10
SECONDS_FOR_ONE = 2.0
#: The same for all names together that come from a source.
SOURCE_BURST = 50
SOURCE_SECONDS_FOR_ONE = 0.5
_MOST_KEYS = 4096
_NAME_CHARACTERS = 256


class Attempts:
    """The budget of one process. ``clock`` gives seconds that only go forward."""

    def __init__(self, at_once: int = AT_ONCE, clock: Callable[[], float] = time.monotonic) -> None:
        self._places = _Places(at_once, _WAITING)
        self._places_of_known = _Places(_AT_ONCE_KNOWN, _WAITING_KNOWN)
        self._lock = threading.Lock()
        self._of_names = _Spent(BURST, SECONDS_FOR_ONE, clock)
        self._of_sources = _Spent(SOURCE_BURST, SOURCE_SECONDS_FOR_ONE, clock)
        #: Sources and names whose last password was right.
        self._known: OrderedDict[Hashable, None] = OrderedDict()

    @contextmanager
    def one(self, source: str, name: str) -> Iterator[Callable[[], None]]:
        """Room for one check of a password of a user name. Yields what to call if the password was right.

        Raises TooManyRequestsError where too many were wrong, UnavailableError if there is no room now.
        """
        key = (source, name[:_NAME_CHARACTERS])
        is_known = self._spend(source, key)
        is_right = False

        def was_right() -> None:
            nonlocal is_right
            is_right = True

        with (self._places_of_known if is_known else self._places).one() as has_room:
            if has_room:
                yield was_right
        if not has_room or is_right:
            self._give_back(source, key, is_known)
        if not has_room:
            raise UnavailableError("Too many passwords are being checked at the moment", headers={"Retry-After": "1"})
        self._remember(key, is_right)

    def _spend(self, source: str, key: Hashable) -> bool:
        """Count a password as wrong until it was right; whether its name is known. Raises TooManyRequestsError."""
        with self._lock:
            is_known = key in self._known
            seconds = self._of_names.wait_seconds(key)
            for_whom = " for this user"
            if not seconds and not is_known:
                seconds, for_whom = self._of_sources.wait_seconds(source), ""
            if seconds:
                raise TooManyRequestsError(
                    f"Too many wrong passwords{for_whom} came from {source}; try again in {seconds} seconds",
                    headers={"Retry-After": str(seconds)},
                )
            self._of_names.add(key, 1)
            if not is_known:
                self._of_sources.add(source, 1)
            return is_known

    def _give_back(self, source: str, key: Hashable, is_known: bool) -> None:
        with self._lock:
            self._of_names.add(key, -1)
            if not is_known:
                self._of_sources.add(source, -1)

    def _remember(self, key: Hashable, is_right: bool) -> None:
        with self._lock:
            self._known.pop(key, None)
            if is_right:
                self._known[key] = None
                if len(self._known) > _MOST_KEYS:
                    self._known.popitem(last=False)


class _Places:
    """Room for so many checks at once, and for so many callers that wait for one."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self._checks = threading.BoundedSemaphore(at_once)
        self._callers = threading.BoundedSemaphore(at_once + waiting)

    @contextmanager
    def one(self) -> Iterator[bool]:
        """Wait for a place; yields whether there is one."""
        if not self._callers.acquire(blocking=False):
            yield False
            return
        try:
            has_room = self._checks.acquire(timeout=_WAIT_SECONDS)
            try:
                yield has_room
            finally:
                if has_room:
                    self._checks.release()
        finally:
            self._callers.release()


class _Spent:
    """What was spent by each of many, which time gives back. Not for several threads at once."""

    def __init__(self, burst: int, seconds_for_one: float, clock: Callable[[], float]) -> None:
        self._burst = burst
        self._seconds_for_one = seconds_for_one
        self._clock = clock
        #: For each what it has spent, and when that was true.
        self._spent: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def wait_seconds(self, key: Hashable) -> int:
        """How long it takes until one more may be spent, in whole seconds; 0 if that is now."""
        over = self._now(key) - (self._burst - 1)
        return math.ceil(over * self._seconds_for_one) if over > 0 else 0

    def add(self, key: Hashable, count: int) -> None:
        """Count some more, or fewer."""
        self._spent[key] = (max(0.0, self._now(key) + count), self._clock())
        self._spent.move_to_end(key)
        while len(self._spent) > _MOST_KEYS:
            self._spent.popitem(last=False)

    def _now(self, key: Hashable) -> float:
        spent, since = self._spent.get(key, (0.0, 0.0))
        return max(0.0, spent - (self._clock() - since) / self._seconds_for_one)


def source_of(address: str, peer: Peer | None = None) -> str:
    """What one caller can choose its address from, in words.

    That is an address; the network of 64 bits that a host has of IPv6; this machine, with all its loopback addresses; or
    the user who opened a Unix socket.
    """
    plain = plain_address(address)
    if plain is None:
        return address
    found = ipaddress.ip_address(plain)
    if found.is_loopback:
        return "this machine" if peer is None else f"the user {peer.user_id} of this machine"
    return plain if found.version == 4 else str(ipaddress.ip_network((found, 64), strict=False))
