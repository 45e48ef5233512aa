# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The channels of waitress, waited for with epoll.

waitress's own loop asks every channel what it waits for before every wait: with four thousand connections that are kept
alive between two requests, every request costs 7 ms. Here only those are asked that have something to do.
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from typing import Any

from waitress.wasyncore import readwrite

from .connection import ClientChannel

#: waitress marks channels that have been silent for too long; this is how often they are looked for.
_LOOK_AT_ALL_SECONDS = 10.0


class Channels(dict[int, Any]):
    """Channels by their descriptors, as waitress wants them; ``wakeup`` is a descriptor that ends a wait when it is readable."""

    def __init__(self, wakeup: int) -> None:
        super().__init__()
        self._epoll = select.epoll()
        self._wakeup = wakeup
        self._epoll.register(wakeup, select.EPOLLIN)
        self._waiting_for: dict[int, int] = {}
        self._unsettled: set[int] = set()
        self._look_at_all_at = 0.0

    def __setitem__(self, descriptor: int, channel: Any) -> None:
        super().__setitem__(descriptor, channel)
        self._unsettled.add(descriptor)

    def __delitem__(self, descriptor: int) -> None:
        super().__delitem__(descriptor)
        self._unsettled.discard(descriptor)
        self._wait_for(descriptor, 0)

    def serve(self, seconds: float) -> None:
        """Wait so long for something to happen, and let the channels do what is to be done about it."""
        now = time.monotonic()
        if now >= self._look_at_all_at:
            self._look_at_all_at = now + _LOOK_AT_ALL_SECONDS
            self._unsettled.update(self)
        for descriptor in list(self._unsettled):
            channel = self[descriptor]
            if isinstance(channel, ClientChannel):
                channel.end_if_overdue(now)
            if descriptor in self:
                self._settle(descriptor, channel)
        for descriptor, events in self._epoll.poll(seconds):
            if descriptor == self._wakeup:
                with contextlib.suppress(BlockingIOError):
                    os.read(descriptor, 4096)
            elif descriptor in self:
                self._unsettled.add(descriptor)
                readwrite(self[descriptor], events)

    def _settle(self, descriptor: int, channel: Any) -> None:
        # Asked first: a thread that comes to its end after this wakes the loop up once more.
        is_settled = not channel.accepting and not is_busy(channel)
        events = select.EPOLLIN | select.EPOLLPRI if channel.readable() else 0
        if not channel.accepting and channel.writable():
            events |= select.EPOLLOUT
        self._wait_for(descriptor, events)
        if is_settled:
            self._unsettled.discard(descriptor)

    def _wait_for(self, descriptor: int, events: int) -> None:
        before = self._waiting_for.get(descriptor, 0)
        if events == before:
            return
        if not events:
            self._epoll.unregister(descriptor)
            del self._waiting_for[descriptor]
            return
        (self._epoll.modify if before else self._epoll.register)(descriptor, events)
        self._waiting_for[descriptor] = events


def is_busy(channel: Any) -> bool:
    """Whether a channel, as far as it is one to a client, has a request that is not answered to its last byte.

    A thread works on it, so what it waits for can change at any moment.
    """
    return any(getattr(channel, name, None) for name in ("request", "requests", "total_outbufs_len"))
