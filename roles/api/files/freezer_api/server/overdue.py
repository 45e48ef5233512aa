# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Closing connections of slow clients, which waitress itself never does.

Nothing of waitress is overridden for that. The thread of its event loop looks at all connections a few times a second,
and closes those that are overdue.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Any

LOG = logging.getLogger("freezer_api")

#: How long a client may read nothing of an answer while a thread waits for it.
STALL_SECONDS = 30.0
#: The same, when a request waits for a thread.
NEEDED_STALL_SECONDS = 2.0
_EVERY_SECONDS = 0.25


@dataclass(frozen=True)
class Limits:
    """``timeout_seconds`` is how long a request may take to arrive, and its answer to be read; ``most_bytes`` is the limit
    for all bodies together that are still arriving."""

    timeout_seconds: float
    most_bytes: int


class Overdue:
    """Closes connections whose request or answer takes too long, or that occupy memory or threads that others need."""

    def __init__(self, server: Any, limits: Limits) -> None:
        self._server = server
        self._limits = limits
        self._watched: dict[Any, _Watched] = {}
        self._look_at = 0.0

    def look(self) -> None:
        """Look at all connections, unless that was done within the last quarter of a second."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + _EVERY_SECONDS
            self.close_some(now)

    def close_some(self, now: float) -> None:
        """Close what is overdue at the time ``now`` of the monotonic clock."""
        connections = list(self._server.active_channels.values())
        self._watched = {one: self._watched.get(one) or _Watched(one, now) for one in connections}
        for watched in self._watched.values():
            watched.look(now)
            reason = watched.overdue(now, self._limits.timeout_seconds)
            if reason is not None:
                watched.close(reason)
        self._make_room()
        self._free_threads(now)

    def _make_room(self) -> None:
        arriving = [watched for watched in self._watched.values() if watched.body_bytes]
        total = sum(watched.body_bytes for watched in arriving)
        # The one that has been idle longest first: a sender that goes on sending is served.
        for watched in sorted(arriving, key=lambda one: one.last_activity):
            if total <= self._limits.most_bytes:
                return
            total -= watched.body_bytes
            watched.close("the memory for request bodies is full, and its body has been idle longest")

    def _free_threads(self, now: float) -> None:
        stalled = [one for one in self._watched.values() if one.stalled_seconds(now) > NEEDED_STALL_SECONDS]
        stalled.sort(key=lambda one: one.active_at)
        for watched in stalled[: len(self._server.task_dispatcher.queue)]:
            watched.close("other requests need the thread that waits for it to read its answer")


class _Watched:
    """A connection, and since when (by the monotonic clock) it is receiving, sending or idle."""

    def __init__(self, connection: Any, now: float) -> None:
        self._connection = connection
        self._arriving = self._answered = None
        self._arriving_since = self._leaving_since = self.active_at = now
        #: Waitress' own note of it, by another clock.
        self.last_activity = connection.last_activity

    def look(self, now: float) -> None:
        """Note what has changed since the last look."""
        connection = self._connection
        if connection.last_activity != self.last_activity:
            self.last_activity, self.active_at = connection.last_activity, now
        # Nothing is read while an earlier request is answered. Empty lines before the first request are none.
        if connection.requests or (connection.request is not self._arriving and self._has_asked):
            self._arriving_since = now
        self._arriving = connection.request
        answered = next(iter(connection.requests), self._answered)
        if not connection.total_outbufs_len or answered is not self._answered:
            self._leaving_since = now
        self._answered = answered

    def overdue(self, now: float, timeout_seconds: float) -> str | None:
        """Why the connection has to end; None if it may stay."""
        connection = self._connection
        if self._is_arriving and now - self._arriving_since > timeout_seconds:
            return f"no request arrived in {timeout_seconds:g} seconds"
        request = connection.request
        if request is not None and request.headers_finished and request.body_rcv is None:
            # waitress would wait for a body for ever.
            return "a request without a body expects 100-continue"
        if connection.total_outbufs_len and connection.will_close:
            # waitress would wait until there is room to send something, which may never be.
            return "it was idle, and did not read its answer"
        if connection.total_outbufs_len and now - self._leaving_since > timeout_seconds:
            return f"it did not read its answer in {timeout_seconds:g} seconds"
        if self.stalled_seconds(now) > min(timeout_seconds, STALL_SECONDS):
            return f"it read nothing of its answer for {min(timeout_seconds, STALL_SECONDS):g} seconds"
        return None

    def stalled_seconds(self, now: float) -> float:
        """How long a thread has waited for the client to read on; 0 if none waits."""
        connection = self._connection
        if not connection.requests or connection.total_outbufs_len <= connection.adj.outbuf_high_watermark:
            return 0.0
        return now - max(self.active_at, self._leaving_since)

    @property
    def body_bytes(self) -> int:
        """How many bytes have come of a body that is still arriving."""
        receiver = getattr(self._connection.request, "body_rcv", None) if self._connection.connected else None
        return 0 if receiver is None else len(receiver)

    def close(self, reason: str) -> None:
        """Close the connection, and log why."""
        LOG.info("A connection from %s was closed: %s", self._connection.addr[0], reason)
        request = self._connection.request
        self._connection.handle_close()
        if request is not None:
            # Else the temporary file of a body stays until the garbage collector runs.
            request.close()

    @property
    def _has_asked(self) -> bool:
        return bool(self._connection.current_outbuf_count)

    @property
    def _is_arriving(self) -> bool:
        connection = self._connection
        return not connection.requests and (connection.request is not None or not self._has_asked)


def is_busy(connection: Any) -> bool:
    """Whether a connection has a request that is not answered to its last byte."""
    return bool(connection.request or connection.requests or connection.total_outbufs_len)
