# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""A server with a script of faults: what it does to the next request, and the next. For tests of the transport only."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Step = Callable[[socket.socket], bool]


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


def answer(status: int, document: Any = None, headers: dict[str, str] | None = None, body: bytes = b"") -> Step:
    """A whole answer; the connection stays open."""

    def step(connection: socket.socket) -> bool:
        content = body if document is None else json.dumps(document).encode()
        lines = [f"HTTP/1.1 {status} Scripted", f"Content-Length: {len(content)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + content)
        return True

    return step


def answer_and_close(status: int, document: Any) -> Step:
    """A whole answer, after which the server closes the connection without having said that it will."""

    def step(connection: socket.socket) -> bool:
        answer(status, document)(connection)
        return False

    return step


def drop(connection: socket.socket) -> bool:
    """Read the request and close the connection without an answer."""
    return False


def half_an_answer(connection: socket.socket) -> bool:
    """Promise a hundred bytes, send a few, close."""
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"jobs": [')
    return False


def not_http(connection: socket.socket) -> bool:
    """Answer as an SSH server would."""
    connection.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n")
    return False


def silence(seconds: float) -> Step:
    """Say nothing for a while."""

    def step(connection: socket.socket) -> bool:
        time.sleep(seconds)
        return False

    return step


@dataclass
class FaultyServer:
    """Listens on a free loopback port while it is used as a context; answers from ``script``, one step a request."""

    script: list[Step]
    tls: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    #: What it says to everybody who connects, as servers of some other protocols do.
    greeting: bytes = b""

    def __enter__(self) -> FaultyServer:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._peer = self._listener
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        for waiting in (self._listener, self._peer):
            with contextlib.suppress(OSError):
                waiting.shutdown(socket.SHUT_RDWR)  # wakes the thread, which closing alone would not
        self._thread.join(timeout=10)
        self._listener.close()

    @property
    def url(self) -> str:
        scheme = "https" if self.tls else "http"
        return f"{scheme}://localhost:{self._listener.getsockname()[1]}"

    def _serve(self) -> None:
        while self.script:
            try:
                self._peer, _address = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            # The client may hang up at any moment, which some tests want it to.
            with self._peer, contextlib.suppress(OSError):
                self._peer.sendall(self.greeting)
                self._converse(self.tls.wrap_socket(self._peer, server_side=True) if self.tls else self._peer)

    def _converse(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            while self.script:
                request = _read(stream)
                if request is None:
                    return
                self.requests.append(request)
                if not self.script.pop(0)(connection):
                    return


def _read(stream: Any) -> Request | None:
    first = stream.readline().decode("latin-1").split()
    if not first:
        return None
    headers: dict[str, str] = {}
    for line in iter(stream.readline, b"\r\n"):
        name, _colon, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    return Request(first[0], first[1], headers, stream.read(int(headers.get("content-length", "0"))))
