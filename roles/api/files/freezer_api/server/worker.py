# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A worker process of gunicorn in which waitress does the serving.

gunicorn looks after processes; its own workers lend a thread, or all of a process, to a client for as long as it takes
to send a request and to take the answer, so that a handful of slow clients keeps all others waiting. waitress receives
whole requests and sends whole answers in one loop, and a thread has a request only while there is something to do.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterable
from typing import Any, cast

from gunicorn.workers.base import Worker
from waitress import wasyncore
from waitress.server import create_server

from ..access.unix_socket import PEER_KEY, peer_of
from ..http.app import Application
from ..http.resources.batch import BODY_TIMES_USUAL
from .overdue import Limits, Overdue, is_busy

#: How long a connection may be silent.
SILENCE_SECONDS = 75
#: How much of bodies that are still arriving a process keeps.
MOST_BODY_BYTES = 67_108_864
_TICK_SECONDS = 1.0
_WAITING_BYTES = 4_194_304
_WANTED_CONNECTIONS = 16_384
#: Files of a process that are no connections.
_SPARE_FILES = 64


class WithPeer:
    """An application that knows who has sent a request through a Unix socket, or never sees the request."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        # A method of the connection, which is the only way from a request to its socket. Where the socket is closed already
        # this raises an OSError, and waitress ends the connection: nothing is carried out for an unknown sender.
        peer = peer_of(environ["waitress.client_disconnected"].__self__.socket)
        if peer is not None:
            # Who comes through a file of this machine is on it; the port would be the path of the socket.
            environ.update({PEER_KEY: peer, "REMOTE_ADDR": "127.0.0.1", "SERVER_PORT": "0"})
        return self._application(environ, start_response)


class WaitressWorker(Worker):
    """Serves on gunicorn's socket until it is told to stop.

    ``max_body_bytes`` is the largest body of a request that is no batch, ``max_head_bytes`` how much may come before the
    body, ``timeout_seconds`` how long it may take to come.
    """

    max_body_bytes: int
    max_head_bytes: int
    timeout_seconds: float
    _server: Any = None

    def run(self) -> None:
        """Serve."""
        largest = self.max_body_bytes * BODY_TIMES_USUAL
        channels: dict[int, Any] = {}
        self._server = create_server(
            cast(Any, WithPeer(cast(Application, self.wsgi))),
            map=channels,
            sockets=[cast(Any, listener).sock for listener in self.sockets],
            threads=self.cfg.threads,
            backlog=self.cfg.backlog,
            connection_limit=_most_connections(),
            # What a client has not taken of a long answer: more of it is read from the store when this is sent.
            outbuf_high_watermark=_WAITING_BYTES,
            channel_timeout=SILENCE_SECONDS,
            max_request_header_size=self.max_head_bytes,
            max_request_body_size=largest,
            # Which proxies are trusted is a setting of the API, which looks at these headers itself.
            clear_untrusted_proxy_headers=False,
            # A client that has gone, and a list that is cut off, which the API has logged.
            log_socket_errors=False,
            ident=None,
        )
        overdue = Overdue(self._server, Limits(self.timeout_seconds, max(MOST_BODY_BYTES, 2 * largest)))
        while self.alive and os.getppid() == self.ppid:
            self._serve(channels, overdue, _TICK_SECONDS)
        self._finish(channels, overdue)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Be told to stop, in the middle of waiting too."""
        super().handle_exit(sig, frame)
        if self._server is not None:
            self._server.pull_trigger()

    def _serve(self, channels: dict[int, Any], overdue: Overdue, seconds: float) -> None:
        self.notify()
        wasyncore.loop(seconds, use_poll=True, map=channels, count=1)
        overdue.look()

    def _finish(self, channels: dict[int, Any], overdue: Overdue) -> None:
        """Take no more connections, and let the requests that run come to their end."""
        self._server.accepting = False
        give_up_at = time.monotonic() + self.cfg.graceful_timeout
        while time.monotonic() < give_up_at and any(map(is_busy, self._server.active_channels.values())):
            self._serve(channels, overdue, 0.05)
        self._server.task_dispatcher.shutdown(timeout=1)


def worker_class(max_body_bytes: int, max_head_bytes: int, timeout_seconds: float) -> type[WaitressWorker]:
    """The worker for an API whose requests have at most these sizes, and arrive within this time."""
    limits = {"max_body_bytes": max_body_bytes, "max_head_bytes": max_head_bytes, "timeout_seconds": timeout_seconds}
    return type("FreezerApiWorker", (WaitressWorker,), limits)


def _most_connections() -> int:
    """As many as there may be open files, which are raised to what the system lets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED_CONNECTIONS + _SPARE_FILES
    allowed = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return max(allowed, soft if soft != resource.RLIM_INFINITY else allowed) - _SPARE_FILES
