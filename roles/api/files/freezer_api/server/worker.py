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
from typing import Any, cast

from gunicorn.workers.base import Worker
from waitress.server import create_server

from ..http.app import Application
from ..http.resources.batch import BODY_TIMES_USUAL
from .connection import ClientChannel
from .event_loop import Channels, is_busy
from .unfinished_bodies import MOST_BYTES, UnfinishedBodies

#: How long a connection may be silent.
SILENCE_SECONDS = 75
_TICK_SECONDS = 1.0
_WAITING_BYTES = 4_194_304
_WANTED_CONNECTIONS = 16_384
#: Files of a process that are no connections.
_SPARE_FILES = 64


class WaitressWorker(Worker):
    """Serves on gunicorn's sockets until it is told to stop.

    ``max_body_bytes`` is the largest body of a request that is no batch, ``max_head_bytes`` how much may come before the
    body, ``timeout_seconds`` how long it may take to come.
    """

    max_body_bytes: int
    max_head_bytes: int
    timeout_seconds: float

    def run(self) -> None:
        """Serve."""
        largest = self.max_body_bytes * BODY_TIMES_USUAL
        channels = Channels(self.PIPE[0])
        server = create_server(
            cast(Any, self.wsgi),
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
            ident=None,
        )
        known = {
            "timeout_seconds": self.timeout_seconds,
            "observers": cast(Application, self.wsgi).observers,
            "max_body_bytes": self.max_body_bytes,
            "bodies": UnfinishedBodies(max(MOST_BYTES, 2 * largest)),
        }
        cast(Any, server).channel_class = type("ApiChannel", (ClientChannel,), known)
        while self.alive and os.getppid() == self.ppid:
            self._serve(channels)
        self._finish(server, channels)

    def _serve(self, channels: Channels, seconds: float = _TICK_SECONDS) -> None:
        self.notify()
        channels.serve(seconds)

    def _finish(self, server: Any, channels: Channels) -> None:
        """Take no more connections, and let the requests that run come to their end."""
        for descriptor, channel in list(channels.items()):
            if channel.accepting:
                del channels[descriptor]
        give_up_at = time.monotonic() + self.cfg.graceful_timeout
        while time.monotonic() < give_up_at:
            if not any(is_busy(channel) for channel in channels.values()):
                break
            self._serve(channels, 0.05)
        server.task_dispatcher.shutdown(timeout=1)


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
