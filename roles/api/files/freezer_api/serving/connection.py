# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""One connection of a client: it costs memory and never a thread, however slowly the client sends or reads.

A request goes to a thread when it is there to its last byte, and its answer is sent from here, as fast as it is taken.
A client that is slower than ``SLOWEST_BYTES_PER_SECOND`` after ``GRACE_SECONDS`` is given up.
"""

from __future__ import annotations

import abc
import asyncio
import json
import time
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, cast

from .framing import HeadTooLargeError, RequestEnd
from .room import Holder

GRACE_SECONDS = 30.0
SLOWEST_BYTES_PER_SECOND = 8192
IDLE_SECONDS = 75.0

#: What is sent by a client that has its answer already, before it is hung up on.
_LINGER_SECONDS = 5.0
_LINGER_BYTES = 8_388_608
_READ_AHEAD_BYTES = 65_536
#: An answer that is larger needs room to wait for its reader.
_SMALL_BYTES = 65_536


class Host(abc.ABC):
    """What the connections of a process have in common."""

    is_stopping = False

    @abc.abstractmethod
    def came(self, connection: Connection) -> None:
        """A connection is there."""

    @abc.abstractmethod
    def went(self, connection: Connection) -> None:
        """A connection is gone."""

    @abc.abstractmethod
    def has_room(self, connection: Connection, more_bytes: int = 0) -> bool:
        """Whether a connection may hold what it holds, and more. Others that have waited long may be given up for it."""

    @abc.abstractmethod
    def max_body_bytes(self, head: bytes) -> int:
        """How large a body may follow after this head of a request."""

    @abc.abstractmethod
    def submit(self, request: bytes, connection: Connection, *, is_last: bool) -> None:
        """Let a thread find the answer to a request, and call ``connection.answered`` in the end."""


class _Phase(Enum):
    IDLE = auto()
    RECEIVING = auto()
    ANSWERING = auto()
    SENDING = auto()
    LINGERING = auto()


class Connection(asyncio.Protocol, Holder):
    """Receives requests, hands them over, and sends the answers."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._received = bytearray()
        self._phase = _Phase.IDLE
        self.since = time.monotonic()
        self._end = RequestEnd(host.max_body_bytes)
        self._answer_bytes = 0
        self._has_ended = False
        self._is_last = False
        self._lingered_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._host.came(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._host.went(self)

    @property
    def client(self) -> Any:
        """The address of the client."""
        return self._transport.get_extra_info("peername")

    @property
    def server(self) -> Any:
        """The address that the client has connected to."""
        return self._transport.get_extra_info("sockname")

    @property
    def held_bytes(self) -> int:
        """The memory that waits here for the client, to send more or to take more."""
        return len(self._received) + self._transport.get_write_buffer_size()

    def data_received(self, data: bytes) -> None:
        if self._phase is _Phase.LINGERING:
            self._lingered_bytes += len(data)
            if self._lingered_bytes > _LINGER_BYTES:
                self._transport.abort()
            return
        self._received += data
        if self._phase in (_Phase.IDLE, _Phase.RECEIVING):
            self._look()
        elif len(self._received) > _READ_AHEAD_BYTES:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """The client sends no more; it may still want to read."""
        self._has_ended = True
        if self._phase is _Phase.RECEIVING and self._received:
            self._look()
        return self._phase in (_Phase.ANSWERING, _Phase.SENDING)

    def resume_writing(self) -> None:
        if self._phase is _Phase.SENDING:
            self._sent()

    def answered(self, answer: bytes, *, is_last: bool) -> None:
        """Send the answer to the request that was handed over; after the last one the connection is closed."""
        if self._transport.is_closing():
            return
        if len(answer) > _SMALL_BYTES and not self._host.has_room(self, len(answer)):
            answer, is_last = _NO_ROOM, True
        self._phase = _Phase.SENDING
        self.since = time.monotonic()
        self._answer_bytes = len(answer)
        self._is_last = self._is_last or is_last
        self._transport.write(answer)
        if not self._transport.get_write_buffer_size():
            self._sent()

    def stop(self) -> None:
        """Come to an end: at once if nothing is going on, else after the request."""
        if self._phase is _Phase.IDLE:
            self._transport.close()

    def give_up(self) -> None:
        """Hang up now."""
        self._transport.abort()

    def check(self, now: float) -> None:
        """Hang up if the client takes too long."""
        waited = now - self.since
        if self._phase is _Phase.IDLE:
            if waited > IDLE_SECONDS:
                self._transport.close()
        elif self._phase is _Phase.RECEIVING:
            if waited > GRACE_SECONDS + len(self._received) / SLOWEST_BYTES_PER_SECOND:
                self._refuse(HTTPStatus.REQUEST_TIMEOUT, "The request did not come to its end in time")
        elif self._phase is _Phase.SENDING:
            sent = self._answer_bytes - self._transport.get_write_buffer_size()
            if waited > GRACE_SECONDS + sent / SLOWEST_BYTES_PER_SECOND:
                self._transport.abort()
        elif self._phase is _Phase.LINGERING and waited > _LINGER_SECONDS:
            self._transport.abort()

    def _look(self) -> None:
        if self._phase is _Phase.IDLE:
            self._phase = _Phase.RECEIVING
            self.since = time.monotonic()
        try:
            end = self._end.find(self._received)
        except HeadTooLargeError:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers of the request are too large")
            return
        if end is not None:
            self._hand_over(end, is_last=self._end.is_cut)
            return
        if self._has_ended:
            # There will be no more of it: the parser says what is missing.
            self._hand_over(len(self._received), is_last=True)
            return
        if self._end.wants_to_go_on:
            self._end.wants_to_go_on = False
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not self._host.has_room(self):
            self.answered(_NO_ROOM, is_last=True)

    def _hand_over(self, end: int, *, is_last: bool) -> None:
        request = bytes(self._received[:end])
        del self._received[:end]
        self._phase = _Phase.ANSWERING
        self._is_last = is_last
        self._host.submit(request, self, is_last=is_last)

    def _sent(self) -> None:
        if self._is_last and not self._has_ended:
            self._linger()
        elif self._is_last or (not self._received and (self._has_ended or self._host.is_stopping)):
            self._transport.close()
        else:
            self._phase = _Phase.IDLE
            self.since = time.monotonic()
            self._end = RequestEnd(self._host.max_body_bytes)
            if not self._transport.is_reading():
                self._transport.resume_reading()
            if self._received:
                self._look()

    def _linger(self) -> None:
        """Read what the client still sends: hung up on at once, it might not see the answer."""
        self._phase = _Phase.LINGERING
        self.since = time.monotonic()
        self._received.clear()
        if not self._transport.is_reading():
            self._transport.resume_reading()
        self._transport.write_eof()

    def _refuse(self, status: HTTPStatus, description: str) -> None:
        self.answered(refusal(status, description), is_last=True)


def refusal(status: HTTPStatus, description: str, headers: str = "") -> bytes:
    """An answer to what the application never sees; ``headers`` are further lines."""
    body = json.dumps({"title": status.phrase, "description": description}).encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n{headers}\r\n"
    )
    return head.encode() + body


_NO_ROOM = refusal(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "Too much waits for clients that are slower than this one; try again",
    "Retry-After: 5\r\n",
)
