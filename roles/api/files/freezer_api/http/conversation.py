# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What happens around every request: where it comes from, who sends it, and what is written down about it."""

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

#: Paths that are answered whoever asks.
_PUBLIC = re.compile(r"/?|/v[12]|/healthcheck|/openapi\.json")
_HEALTH = "/healthcheck"
_METRICS = "/metrics"


class Observer(Protocol):
    """Somebody who wants to know about requests."""

    def ended(self, request: falcon.Request, response: falcon.Response, seconds: float, sent_bytes: int) -> None:
        """A request has its answer, after this time; its body had so many bytes."""


@dataclass(frozen=True)
class Surroundings:
    """Where requests may come from, and who looks on. As it stands: from everywhere, without a proxy, unobserved."""

    #: Empty: requests may come from everywhere.
    allowed_networks: Networks = NOWHERE
    trusted_proxies: Networks = NOWHERE
    #: Where /metrics needs nobody to be known.
    metrics_networks: Networks = NOWHERE
    observers: Sequence[Observer] = ()
    #: Where a browser could be made to send requests that are believed.
    browser_checks: BrowserChecks | None = None
    #: Who may come in through a Unix socket without more; None if that is for the authentication to say.
    local_users: LocalUsers | None = None


class Watch:
    """Begins and ends everything: an id for the request, its true sender's address, the time that it takes."""

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
            # Nothing of it is sent, and nothing would close it.
            stream.close()
            response.stream = None
            ended(0)
        else:
            response.stream = _Counted(stream, ended)


class _Counted:
    """The pieces of a body, and a word about their bytes when no more of them are sent."""

    def __init__(self, pieces: Any, ended: Callable[[int], None]) -> None:
        self._pieces = pieces
        self._ended = ended
        self._bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self._bytes += len(piece)
            yield piece

    def close(self) -> None:
        """Called by the server, also when the client has gone."""
        self._pieces.close()
        self._ended(self._bytes)


def _size(response: falcon.Response) -> int:
    """How many bytes the body of an answer has."""
    if response.data is not None:
        return len(response.data)
    text = response.text or ""
    return len(text) if text.isascii() else len(text.encode())


class Conversation:
    """Lets in who may come in, and makes known what the resources need to know."""

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
        # A load balancer that asks for nothing but health need not be among those who may come in.
        if self._allowed and path != _HEALTH and request.remote_addr not in self._allowed:
            raise ForbiddenError(f"Requests from {request.remote_addr} are not allowed here")
        if _PUBLIC.fullmatch(path):
            return
        if self._browser_checks is not None:
            self._browser_checks.check(request)
        if path == _METRICS:
            self._let_measure(request)
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

    def _let_measure(self, request: falcon.Request) -> None:
        if request.remote_addr in self._metrics_networks:
            return
        sender = self._authenticated(request)
        request.context.sender = sender
        self._policy.authorize(sender, "metrics:get", sender.project_id)
