# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The limits for checks of passwords.

Each check takes some tenths of a second of a processor. So few are made at once, few callers wait for one, and wrong
passwords are counted: for each user name at each source, and, with a looser limit, for each source. A caller over a limit
is refused before anything is checked. A name whose last password from a source was right has a separate slot, and does
not count for the source, so that guesses for other names do not lock it out. Passwords that were verified a short time
ago are not checked again, and do not come here.
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
#: The burst of wrong passwords for a name from a source, and the seconds until one more is allowed.
BURST = 10
SECONDS_FOR_ONE = 2.0
#: The same for all names of a source together.
SOURCE_BURST = 50
SOURCE_SECONDS_FOR_ONE = 0.5
_MOST_KEYS = 4096
_NAME_CHARACTERS = 256


class Attempts:
    """The limits of one process. ``clock`` is monotonic, in seconds."""

    def __init__(self, at_once: int = AT_ONCE, clock: Callable[[], float] = time.monotonic) -> None:
        self._slots = _Slots(at_once, _WAITING)
        self._slots_of_known = _Slots(_AT_ONCE_KNOWN, _WAITING_KNOWN)
        self._lock = threading.Lock()
        self._of_names = _Spent(BURST, SECONDS_FOR_ONE, clock)
        self._of_sources = _Spent(SOURCE_BURST, SOURCE_SECONDS_FOR_ONE, clock)
        #: Sources and names whose last password was right.
        self._known: OrderedDict[Hashable, None] = OrderedDict()

    @contextmanager
    def one(self, source: str, name: str) -> Iterator[Callable[[], None]]:
        """A slot for one check of a password of a user name. Yields a function to call if the password was right.

        Raises TooManyRequestsError if too many were wrong, UnavailableError if no slot is free.
        """
        key = (source, name[:_NAME_CHARACTERS])
        is_known = self._spend(source, key)
        is_right = False

        def was_right() -> None:
            nonlocal is_right
            is_right = True

        with (self._slots_of_known if is_known else self._slots).one() as has_slot:
            if has_slot:
                yield was_right
        if not has_slot or is_right:
            self._give_back(source, key, is_known)
        if not has_slot:
            raise UnavailableError("Too many passwords are being checked at the moment", headers={"Retry-After": "1"})
        self._remember(key, is_right)

    def _spend(self, source: str, key: Hashable) -> bool:
        """Count a password as wrong in advance; True for a known name. Raises TooManyRequestsError."""
        with self._lock:
            is_known = key in self._known
            seconds = self._of_names.wait_seconds(key)
            for_user = " for this user"
            if not seconds and not is_known:
                seconds, for_user = self._of_sources.wait_seconds(source), ""
            if seconds:
                raise TooManyRequestsError(
                    f"Too many wrong passwords{for_user} came from {source}; try again in {seconds} seconds",
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


class _Slots:
    """Slots for ``at_once`` checks, and for ``waiting`` callers that wait for one."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self._checks = threading.BoundedSemaphore(at_once)
        self._callers = threading.BoundedSemaphore(at_once + waiting)

    @contextmanager
    def one(self) -> Iterator[bool]:
        """Wait for a slot; yields whether there is one."""
        if not self._callers.acquire(blocking=False):
            yield False
            return
        try:
            has_slot = self._checks.acquire(timeout=_WAIT_SECONDS)
            try:
                yield has_slot
            finally:
                if has_slot:
                    self._checks.release()
        finally:
            self._callers.release()


class _Spent:
    """A counter for each key, which decreases with time. Not for several threads at once."""

    def __init__(self, burst: int, seconds_for_one: float, clock: Callable[[], float]) -> None:
        self._burst = burst
        self._seconds_for_one = seconds_for_one
        self._clock = clock
        #: The count of each key, and the time of it.
        self._spent: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def wait_seconds(self, key: Hashable) -> int:
        """The whole seconds until the key may be counted once more; 0 for now."""
        over = self._now(key) - (self._burst - 1)
        return math.ceil(over * self._seconds_for_one) if over > 0 else 0

    def add(self, key: Hashable, count: int) -> None:
        """Add to the counter of a key; ``count`` can be negative."""
        self._spent[key] = (max(0.0, self._now(key) + count), self._clock())
        self._spent.move_to_end(key)
        while len(self._spent) > _MOST_KEYS:
            self._spent.popitem(last=False)

    def _now(self, key: Hashable) -> float:
        spent, since = self._spent.get(key, (0.0, 0.0))
        return max(0.0, spent - (self._clock() - since) / self._seconds_for_one)


def source_of(address: str, peer: Peer | None = None) -> str:
    """The source of a request, as a text: all addresses that one caller can choose from.

    That is an IPv4 address; the IPv6 network of 64 bits of a host; this machine, with all its loopback addresses; or the
    user who opened a Unix socket.
    """
    plain = plain_address(address)
    if plain is None:
        return address
    found = ipaddress.ip_address(plain)
    if found.is_loopback:
        return "this machine" if peer is None else f"the user {peer.user_id} of this machine"
    return plain if found.version == 4 else str(ipaddress.ip_network((found, 64), strict=False))
