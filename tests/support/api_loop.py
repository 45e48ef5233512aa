# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The event loop of the API, turned by hand: what happens in it happens when a test wants it."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from waitress import wasyncore
from waitress.server import create_server

from ansible_collections.freezer.backup.roles.api.files.freezer_api.server.overdue import Limits, Overdue

THREADS = 2
WATERMARK = 65_536


class Loop:
    """A server whose event loop turns only when the test says so. ``overdue`` looks at its connections at each turn."""

    def __init__(self, app: Any, limits: Limits) -> None:
        self._map: dict[int, Any] = {}
        self.server: Any = create_server(
            app,
            map=self._map,
            listen="127.0.0.1:0",
            threads=THREADS,
            outbuf_high_watermark=WATERMARK,
            log_socket_errors=False,
        )
        self.overdue = Overdue(self.server, limits)
        self._stack = contextlib.ExitStack()

    def connect(self) -> socket.socket:
        """Connect to it, with a small buffer for what comes from there."""
        client = self._stack.enter_context(socket.socket())
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", int(self.server.effective_port)))
        return client

    def clients(self) -> list[Any]:
        """Its sides of the connections that there are."""
        return list(self.server.active_channels.values())

    def turn(self) -> None:
        """Let it work for a moment."""
        wasyncore.loop(0.01, use_poll=True, map=self._map, count=1)
        self.overdue.look()

    def turn_until(self, is_so: Callable[[], bool]) -> None:
        """Let it work until something is so."""
        deadline = time.monotonic() + 60
        while not is_so():
            assert time.monotonic() < deadline
            self.turn()

    def ask(self, path: bytes) -> tuple[int, int]:
        """Ask as a client that reads; return the status and the length of the answer."""
        with self.connect() as client, ThreadPoolExecutor(1) as threads:
            client.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % path)
            answer = threads.submit(lambda: client.makefile("rb").read())
            self.turn_until(answer.done)
            return int(answer.result().split()[1]), len(answer.result())

    def close(self) -> None:
        """End it and all connections."""
        for channel in self.clients():
            channel.handle_close()
        self._stack.close()
        self.server.task_dispatcher.shutdown(timeout=60)
        self.server.close()
