# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A worker process of gunicorn that serves with waitress.

gunicorn manages the processes. Its own workers occupy a thread, or a whole process, from the first byte of a request to
the last one of its answer, so that a few slow clients block all others. waitress receives requests and sends answers in
one event loop, and a thread has a request only while there is something to do.
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

#: How long a connection may be idle.
SILENCE_SECONDS = 75
#: The limit of a process for all bodies together that are still arriving.
MOST_BODY_BYTES = 67_108_864
_TICK_SECONDS = 1.0
_WAITING_BYTES = 4_194_304
_WANTED_CONNECTIONS = 16_384
#: Files of a process that are no connections.
_SPARE_FILES = 64


class WithPeer:
    """Tells an application who sent a request through a Unix socket, and refuses the request if that is not known."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        # A method of the connection, which is the only way from a request to its socket. Where the socket is closed already
        # this raises an OSError, and waitress ends the connection: nothing is carried out for an unknown sender.
        peer = peer_of(environ["waitress.client_disconnected"].__self__.socket)
        if peer is not None:
            # A client of a Unix socket is on this machine; the port would be the path of the socket.
            environ.update({PEER_KEY: peer, "REMOTE_ADDR": "127.0.0.1", "SERVER_PORT": "0"})
        return self._application(environ, start_response)


class WaitressWorker(Worker):
    """Serves on gunicorn's socket until it is told to stop.

    ``max_body_bytes`` is the limit for a body that is no batch, ``max_head_bytes`` for what comes before the body,
    ``timeout_seconds`` for the time that a request takes to arrive.
    """

    max_body_bytes: int
    max_head_bytes: int
    timeout_seconds: float
    _server: Any = None

    def run(self) -> None:
        """Serve."""
        largest = self.max_body_bytes * BODY_TIMES_USUAL
        connections: dict[int, Any] = {}
        self._server = create_server(
            cast(Any, WithPeer(cast(Application, self.wsgi))),
            map=connections,
            sockets=[cast(Any, listener).sock for listener in self.sockets],
            threads=self.cfg.threads,
            backlog=self.cfg.backlog,
            connection_limit=_most_connections(),
            # The unsent part of a long answer: when it is sent, more is read from the store.
            outbuf_high_watermark=_WAITING_BYTES,
            channel_timeout=SILENCE_SECONDS,
            max_request_header_size=self.max_head_bytes,
            max_request_body_size=largest,
            # Which proxies are trusted is a setting of the API, which looks at these headers itself.
            clear_untrusted_proxy_headers=False,
            # A client that disconnected, and a list that was cut off, which the API has logged.
            log_socket_errors=False,
            ident=None,
        )
        overdue = Overdue(self._server, Limits(self.timeout_seconds, max(MOST_BODY_BYTES, 2 * largest)))
        while self.alive and os.getppid() == self.ppid:
            self._serve(connections, overdue, _TICK_SECONDS)
        self._finish(connections, overdue)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Stop, also while waiting."""
        super().handle_exit(sig, frame)
        if self._server is not None:
            self._server.pull_trigger()

    def _serve(self, connections: dict[int, Any], overdue: Overdue, seconds: float) -> None:
        self.notify()
        wasyncore.loop(seconds, use_poll=True, map=connections, count=1)
        overdue.look()

    def _finish(self, connections: dict[int, Any], overdue: Overdue) -> None:
        """Accept no more connections, and finish the requests that run."""
        self._server.accepting = False
        give_up_at = time.monotonic() + self.cfg.graceful_timeout
        while time.monotonic() < give_up_at and any(map(is_busy, self._server.active_channels.values())):
            self._serve(connections, overdue, 0.05)
        self._server.task_dispatcher.shutdown(timeout=1)


def worker_class(max_body_bytes: int, max_head_bytes: int, timeout_seconds: float) -> type[WaitressWorker]:
    """The class of a worker with these limits."""
    limits = {"max_body_bytes": max_body_bytes, "max_head_bytes": max_head_bytes, "timeout_seconds": timeout_seconds}
    return type("FreezerApiWorker", (WaitressWorker,), limits)


def _most_connections() -> int:
    """The limit of open files, raised to what the system allows, less those that are no connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED_CONNECTIONS + _SPARE_FILES
    allowed = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return max(allowed, soft if soft != resource.RLIM_INFINITY else allowed) - _SPARE_FILES
