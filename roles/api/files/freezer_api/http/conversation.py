# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What is done for every request: its source address, authentication, and observers."""

from __future__ import annotations

import dataclasses
import re
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import falcon

from ..access.browsers import HOST_KEY, BrowserChecks
from ..access.context import Context
from ..access.policy import Policy
from ..access.strategy import Strategy
from ..access.unix_socket import LocalUsers, peer_in
from ..config.networks import NOWHERE, Networks
from ..errors import ForbiddenError, NotAcceptableError
from .proxies import see_through

#: Paths without authentication.
_PUBLIC = re.compile(r"/?|/v[12]|/healthcheck|/openapi\.json")
_HEALTH = "/healthcheck"
_METRICS = "/metrics"


class Observer(Protocol):
    """Is told about requests."""

    def ended(self, request: falcon.Request, response: falcon.Response, seconds: float, sent_bytes: int) -> None:
        """A request was answered, after ``seconds``, with a body of ``sent_bytes``."""


@dataclass(frozen=True)
class Surroundings:
    """Where requests may come from, and who observes them. By default from everywhere, without a proxy, unobserved."""

    #: Empty: requests may come from everywhere.
    allowed_networks: Networks = NOWHERE
    trusted_proxies: Networks = NOWHERE
    #: Networks that read /metrics without authentication.
    metrics_networks: Networks = NOWHERE
    observers: Sequence[Observer] = ()
    #: Checks against requests that a foreign site makes a browser send.
    browser_checks: BrowserChecks | None = None
    #: The users whom a Unix socket authenticates; None if the strategy decides alone.
    local_users: LocalUsers | None = None


class Watch:
    """Begins and ends every request: its id, the address of its sender, the time that it takes."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._trusted = surroundings.trusted_proxies
        self._observers = tuple(surroundings.observers)

    def process_request(self, request: falcon.Request, response: falcon.Response) -> None:
        request.context.started = time.perf_counter()
        request.context.request_id = f"req-{uuid.uuid4()}"
        response.set_header("x-openstack-request-id", request.context.request_id)
        request.env[HOST_KEY] = request.env.get("HTTP_HOST")
        if self._trusted:
            see_through(request.env, self._trusted)

    def process_response(
        self, request: falcon.Request, response: falcon.Response, _resource: object, _succeeded: bool
    ) -> None:
        def ended(sent_bytes: int) -> None:
            seconds = time.perf_counter() - request.context.started
            for observer in self._observers:
                observer.ended(request, response, seconds, sent_bytes)

        stream: Any = response.stream
        if stream is None:
            ended(0 if request.method == "HEAD" else _size(response))
        elif request.method == "HEAD":
            # Nothing of it is sent, so the server does not close it.
            stream.close()
            response.stream = None
            ended(0)
        else:
            response.stream = _Counted(stream, ended)


class _Counted:
    """The pieces of a body; reports the number of bytes when no more are sent."""

    def __init__(self, pieces: Any, ended: Callable[[int], None]) -> None:
        self._pieces = pieces
        self._ended = ended
        self._bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self._bytes += len(piece)
            yield piece

    def close(self) -> None:
        """Called by the server, also when the client has disconnected."""
        self._pieces.close()
        self._ended(self._bytes)


def _size(response: falcon.Response) -> int:
    """The size of the body of an answer in bytes."""
    if response.data is not None:
        return len(response.data)
    text = response.text or ""
    return len(text) if text.isascii() else len(text.encode())


class Conversation:
    """Checks the source of every request, authenticates it, and passes on what the resources need."""

    def __init__(self, strategy: Strategy, policy: Policy, max_body_bytes: int, surroundings: Surroundings) -> None:
        self._strategy = strategy
        self._policy = policy
        self._max_body_bytes = max_body_bytes
        self._allowed = surroundings.allowed_networks
        self._metrics_networks = surroundings.metrics_networks
        self._browser_checks = surroundings.browser_checks
        self._local_users = surroundings.local_users

    def process_request(self, request: falcon.Request, response: falcon.Response) -> None:
        request.context.max_body_bytes = self._max_body_bytes
        request.context.policy = self._policy
        path = request.path
        # A load balancer may ask for health from any network.
        if self._allowed and path != _HEALTH and request.remote_addr not in self._allowed:
            raise ForbiddenError(f"Requests from {request.remote_addr} are not allowed here")
        if _PUBLIC.fullmatch(path):
            return
        if self._browser_checks is not None:
            self._browser_checks.check(request)
        if path == _METRICS:
            self._authorize_metrics(request)
            return
        if not request.client_accepts_json:
            raise NotAcceptableError("The API answers in JSON; send Accept: application/json, or no Accept")
        request.context.sender = self._authenticated(request)

    def _authenticated(self, request: falcon.Request) -> Context:
        """The sender of a request. Raises UnauthorizedError, ForbiddenError."""
        peer = peer_in(request.env)
        if peer is None or self._local_users is None:
            return self._strategy.authenticate(request)
        if peer not in self._local_users:
            raise ForbiddenError(
                f"The user {peer.name} may not use this socket; root, the user of the API and the group of socket_group may"
            )
        sender = self._strategy.authenticate(request)
        return sender if sender.user_name else dataclasses.replace(sender, user_name=peer.name)

    def _authorize_metrics(self, request: falcon.Request) -> None:
        if request.remote_addr in self._metrics_networks:
            return
        sender = self._authenticated(request)
        request.context.sender = sender
        self._policy.authorize(sender, "metrics:get", sender.project_id)
