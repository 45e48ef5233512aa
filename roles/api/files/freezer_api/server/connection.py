# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A connection to a client, as waitress has it, that tells what is wrong with a request as the API tells it, and that
nobody can keep for ever."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Sequence
from typing import Any, cast

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import Error

from ..access.unix_socket import PEER_KEY, Peer, peer_of
from ..http.conversation import Observer, Refusal, new_request_id
from ..http.resources.batch import is_batch
from ..http.resources.long_answers import BrokenAnswer
from .unfinished_bodies import UnfinishedBodies

#: What a client may send after it was refused, until it reads why.
_LINGER_BYTES = 67_108_864
_STEP_BYTES = 65_536
#: How long a client may take nothing of an answer for which a thread waits.
_STALL_SECONDS = 30.0


class _RequestTimeout(Error):
    """A request that did not arrive in time."""

    code = 408
    reason = "Request Timeout"


class _TooLarge(Error):
    """A request with a larger body than such a one may have, which is so many bytes."""

    code = 413
    reason = "Request Entity Too Large"

    def __init__(self, most_bytes: int) -> None:
        super().__init__("")
        self.most_bytes = most_bytes


class _NoRoom(Error):
    """A request whose body others need the room of."""

    code = 503
    reason = "Service Unavailable"


class _Refusal(ErrorTask):
    """The answer to what is no request for the application."""

    def execute(self) -> None:
        request, channel = cast(Any, self.request), cast(ClientChannel, self.channel)
        error = request.error
        body = json.dumps({"title": error.reason, "description": f"The request {_what_is_wrong(error)}"}).encode()
        request_id = new_request_id()
        self.status = f"{error.code} {error.reason}"
        self.response_headers = [("Content-Type", "application/json"), ("x-openstack-request-id", request_id)]
        if error.code == 503:
            self.response_headers.append(("Retry-After", "1"))
        self.set_close_on_finish()
        self.content_length = len(body)
        channel.is_refused = True
        # Written down first: who has the answer can rely on that.
        is_known = request.headers_finished
        refusal = Refusal(
            request_id,
            str(channel.addr[0]),
            getattr(request, "command", "") if is_known else "",
            getattr(request, "path", "") if is_known else "",
            error.code,
            len(body),
            time.monotonic() - request.began,
        )
        for observer in channel.observers:
            observer.refused(refusal)
        self.write(body)


def _what_is_wrong(error: Any) -> str:
    if error.code == 408:
        return "took too long to arrive"
    if isinstance(error, _TooLarge):
        return f"has a body of more than {error.most_bytes} bytes"
    if error.code == 413:
        return "has a body that is larger than the API takes"
    if error.code == 431:
        return "has an address and headers that are longer than the API takes"
    if error.code == 501:
        return "has a transfer encoding that the API does not know"
    if error.code == 503:
        return "has a body that came slower than others for which the API needs the room; send it again"
    if error.code >= 500:
        return "could not be served"
    return "is not HTTP as the API understands it"


class _Task(WSGITask):
    """A request for the application."""

    def service(self) -> None:
        """Have it answered; an answer without its end has no last chunk, by which the client knows."""
        try:
            super().service()
        except BrokenAnswer:
            self.close_on_finish = True

    def get_environment(self) -> dict[str, Any]:
        """The WSGI environment; with who has sent the request, if the kernel knows that."""
        environ: dict[str, Any] = super().get_environment()
        channel = cast(ClientChannel, self.channel)
        if channel.peer is not None:
            # The port of a server at a Unix socket would be its path.
            environ.update({PEER_KEY: channel.peer, "SERVER_PORT": "0"})
        return environ


class _Request(HTTPRequestParser):
    """A request while it arrives on a channel."""

    def __init__(self, channel: ClientChannel) -> None:
        super().__init__(channel.adj)
        self._channel = channel
        self.began = time.monotonic()

    def received(self, data: bytes) -> int:
        """Take a piece of it."""
        if self._channel.arriving_since is None:
            self._channel.arriving_since = self.began
        consumed: int = super().received(data)
        # Empty lines between requests are none, and do not set the clock back.
        if self.completed and not self.empty:
            self._channel.arriving_since = None
        self._look_at_body()
        return consumed

    def _look_at_body(self) -> None:
        """Count what there is of a body, and refuse one that is too large, without keeping it."""
        receiver = cast(Any, self.body_rcv)
        if receiver is None or self.error is not None:
            self.forget()
            return
        size, limit = len(receiver), self._channel.max_body_bytes
        if limit is not None and max(size, self.content_length) > limit and not is_batch(cast(Any, self).path):
            cast(Any, self).error = _TooLarge(limit)
            self.completed = True
        if self.completed:
            self.forget()
        elif size:
            self._channel.bodies.received(self, size)

    def forget(self) -> None:
        """Count it no more among those that are arriving."""
        self._channel.bodies.forget(self)

    def refuse_for_room(self) -> None:
        """Refuse it, because others need the room."""
        self._channel.give_up(self, _NoRoom(""))

    def give_up(self, error: Error) -> None:
        """Be complete as a request that is refused."""
        self.forget()
        if not self.headers_finished:
            # What the answer needs to know, which waitress fills in the same way where headers are too long.
            self.parse_header(b"GET / HTTP/1.1\r\n")
        self.error = error
        self.completed = True


class ClientChannel(HTTPChannel):
    """Receives requests and sends answers; a refused client is heard out, or it would not see the answer.

    ``timeout_seconds`` is how long a request may take to arrive, and its answer to be taken. ``observers`` are told about
    requests that are refused here. ``max_body_bytes`` is for all requests but batches, which may have what the server is made
    for; None does not distinguish them. ``bodies`` are all those that are arriving in this process.

    A client that does not read keeps no thread: of requests that come without waiting for answers the next one is taken
    when the answer to the last is sent, and an answer of any length that the client stops to read ends.
    """

    timeout_seconds: float
    observers: Sequence[Observer] = ()
    max_body_bytes: int | None = None
    bodies = UnfinishedBodies()

    task_class = _Task
    error_task_class = _Refusal
    #: Who is at the other end of a Unix socket.
    peer: Peer | None = None
    is_refused = False
    #: Since when (of the monotonic clock) there is a beginning of a request, and no end.
    arriving_since: float | None = None
    _leaving_since: float | None = None
    #: When the client last took something.
    _taken_at = 0.0
    #: Whether a thread answers a request, and whether the next one waits until the last answer is sent.
    _is_answering = False
    _is_postponed = False
    _is_lingering = False
    _dropped_bytes = 0

    @property
    def _stall_seconds(self) -> float:
        return min(self.timeout_seconds, _STALL_SECONDS)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        cast(Any, self).parser_class = lambda _adjustments: _Request(self)
        self.peer = peer_of(cast(socket.socket, self.socket))
        if self.peer is not None:
            # Who comes through a file of this machine is on this machine, for whatever is decided by networks.
            cast(Any, self).addr = ("127.0.0.1", 0)

    def end_if_overdue(self, now: float) -> None:
        """Refuse a request that takes too long to arrive, and let go of a client that does not take its answer."""
        if not self.total_outbufs_len:
            self._leaving_since = None
        elif self._leaving_since is None:
            self._leaving_since = now
        elif self.will_close or now - self._leaving_since > self.timeout_seconds:
            # waitress would wait until there is room to send something, which may never be.
            self.handle_close()
            return
        elif self._is_answering and now - max(self._leaving_since, self._taken_at) > self._stall_seconds:
            self.handle_close()
            return
        if self._is_postponed and not self.total_outbufs_len:
            self._is_postponed = False
            cast(Any, self.server).add_task(self)
        with cast(Any, self).requests_lock:
            if self.arriving_since is None or now - self.arriving_since <= self.timeout_seconds:
                return
            if self.requests:
                # Nothing is read while an earlier one is answered.
                self.arriving_since = now
                return
            request = cast(_Request, self.request or _Request(self))
            self._give_up(request, _RequestTimeout(""))

    def give_up(self, request: _Request, error: Error) -> None:
        """Refuse a request that is arriving, unless an earlier one is answered: then there is hardly anything of it."""
        with cast(Any, self).requests_lock:
            if self.request is request and not self.requests:
                self._give_up(request, error)

    def _give_up(self, request: _Request, error: Error) -> None:
        self.arriving_since = None
        request.give_up(error)
        cast(Any, self).request = None
        cast(Any, self.requests).append(request)
        cast(Any, self.server).add_task(self)

    def handle_close(self) -> None:
        """End the connection."""
        if self.request is not None:
            request = cast(_Request, self.request)
            request.forget()
            # The file that it may have is there for as long as the interpreter does not look for garbage otherwise.
            cast(Any, request).close()
        super().handle_close()

    def service(self) -> None:
        """Answer the next request, in a thread; if the client has not taken the answer before, give the thread back."""
        if self.connected and self.total_outbufs_len:
            # Said before the loop is woken up, which looks at it then.
            self._is_postponed = True
            cast(Any, self.server).pull_trigger()
            return
        self._is_answering = True
        try:
            super().service()
        finally:
            self._is_answering = False

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Send what there is room for; returns how many bytes that was."""
        sent: int = super().send(data, do_close=do_close)
        if sent:
            self._taken_at = time.monotonic()
        return sent

    def send_continue(self) -> None:
        """Tell a client that waits for it to send its body."""
        request = cast(Any, self.request)
        if request.completed:
            # waitress would forget that the request is complete, or that its body is too large, and wait for ever.
            request.expect_continue = False
        else:
            super().send_continue()

    def readable(self) -> bool:
        """Whether there may be something to read."""
        return self._is_lingering or bool(super().readable())

    def handle_read(self) -> None:
        """Read a piece of a request, or drop it."""
        if not self._is_lingering:
            super().handle_read()
            return
        self._dropped_bytes += len(self.recv(_STEP_BYTES))
        if self._dropped_bytes > _LINGER_BYTES:
            self.handle_close()

    def handle_write(self) -> None:
        """Send a piece of an answer; after a refusal nothing more is sent, and what still comes is read."""
        if not self.is_refused or not self.close_when_flushed:
            super().handle_write()
            return
        self.is_refused = self.close_when_flushed = False
        super().handle_write()
        if self.total_outbufs_len:
            self.is_refused = self.close_when_flushed = True
        elif self.connected:
            self._is_lingering = True
            cast(socket.socket, self.socket).shutdown(socket.SHUT_WR)
