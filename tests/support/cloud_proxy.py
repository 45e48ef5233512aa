# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A proxy in front of a whole cloud: Keystone's catalogue leads back to it, so that every request passes here.

It counts requests, refuses writes where a test of check mode wants that, and does what rules say to those that match.
"""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

_ADDRESS = re.compile(r"http://127\.0\.0\.1:([0-9]+)")
_WRITES = ("POST", "PUT", "PATCH", "DELETE")


@dataclass
class Exchange:
    """A request while it is in the proxy."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    forward: Callable[[], tuple[int, list[tuple[str, str]], bytes]]


#: None is no answer at all: the connection is closed.
Reply = "tuple[int, list[tuple[str, str]], bytes] | None"
Fault = Callable[[Exchange], Any]


@dataclass
class Rule:
    """Does something to the requests whose ``METHOD /path`` matches: the first `times`, after `skip` of them."""

    pattern: str
    fault: Fault
    times: int = 1
    skip: int = 0
    met: int = 0


def answers(status: int, document: Any = None, **headers: str) -> Fault:
    """The service is not asked; the proxy answers."""
    body = json.dumps(document).encode() if document is not None else b"<html>no</html>"
    return lambda _exchange: (status, [(name.replace("_", "-"), value) for name, value in headers.items()], body)


def accepted_and_lost(exchange: Exchange) -> None:
    """The service does what it is asked, and nobody hears of it: the connection breaks."""
    exchange.forward()


def accepted_and_silent(seconds: float) -> Fault:
    """The service does what it is asked, and its answer does not come in time."""

    def fault(exchange: Exchange) -> None:
        exchange.forward()
        time.sleep(seconds)

    return fault


def never_sent(_exchange: Exchange) -> None:
    """The connection breaks before the service has seen anything."""


def token_expired(exchange: Exchange) -> Any:
    """The service sees a token that Keystone does not know any more."""
    exchange.headers["X-Auth-Token"] = "gAAAAAexpired"
    return exchange.forward()


class _Part(bytes):
    """The beginning of a body, whose header promises more."""

    promised: int


def breaks_after(size: int) -> Fault:
    """The connection breaks when so many bytes of the answer's body have come."""

    def fault(exchange: Exchange) -> Any:
        status, headers, body = exchange.forward()
        part = _Part(body[:size])
        part.promised = len(body)
        return status, headers, part

    return fault


def damaged(exchange: Exchange) -> Any:
    """One bit of the answer's body falls over on the way."""
    status, headers, body = exchange.forward()
    return status, headers, bytes([body[0] ^ 1]) + body[1:]


@dataclass
class CloudProxy:
    """Listens on a free loopback port while it is used as a context; ``auth_url`` is the Keystone to give to clients."""

    keystone_url: str
    refuse_writes: bool = False
    rules: list[Rule] = field(default_factory=list)
    #: ``METHOD /path`` of every request except those for tokens, in order.
    requests: list[str] = field(default_factory=list)
    #: How many of those for tokens there were.
    logins: int = 0
    refused: list[str] = field(default_factory=list)

    def __enter__(self) -> CloudProxy:
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": self}))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        keystone = urlsplit(self.keystone_url)
        self.auth_url = f"{self.url}/_{keystone.port}{keystone.path}"
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def on(self, pattern: str, fault: Fault, times: int = 1, skip: int = 0) -> Rule:
        """Add a rule."""
        rule = Rule(pattern, fault, times, skip)
        self.rules.append(rule)
        return rule

    def methods(self) -> Counter[str]:
        """How many requests of each method there were."""
        return Counter(line.split(" ", 1)[0] for line in self.requests)

    def fault_for(self, line: str) -> Fault | None:
        """What a rule says about a request, if one does."""
        with self._lock:
            self.requests.append(line)
            for rule in self.rules:
                if re.search(rule.pattern, line):
                    rule.met += 1
                    if rule.skip < rule.met <= rule.skip + rule.times:
                        return rule.fault
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: CloudProxy

    def do_GET(self) -> None:
        self._handle()

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def log_message(self, *arguments: object) -> None:
        """Be quiet."""

    def _handle(self) -> None:
        port, _slash, rest = self.path.lstrip("/_").partition("/")
        body = self._body()
        headers = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in ("host", "content-length", "transfer-encoding", "connection")
        }
        asks_for_token = self.path.endswith("/auth/tokens")
        exchange = Exchange(self.command, f"/{rest}", headers, body, lambda: _forward(int(port), exchange))
        reply: Any
        if asks_for_token:
            self.proxy.logins += 1
            status, answer_headers, content = exchange.forward()
            reply = (
                status,
                answer_headers,
                _ADDRESS.sub(lambda found: f"{self.proxy.url}/_{found[1]}", content.decode()),
            )
            reply = status, answer_headers, reply[2].encode()
        elif self.proxy.refuse_writes and self.command in _WRITES:
            self.proxy.refused.append(f"{self.command} {exchange.path}")
            reply = 405, [], b'{"error": {"message": "this proxy lets nobody write"}}'
        else:
            fault = self.proxy.fault_for(f"{self.command} {exchange.path}")
            reply = fault(exchange) if fault else exchange.forward()
        if reply is None:
            self.close_connection = True
            return
        self._send(*reply)

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        whole = b""
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            whole += self.rfile.read(size)
            self.rfile.readline()
            if not size:
                return whole

    def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        length = str(getattr(body, "promised", len(body)))
        for name, value in headers:
            if name.lower() == "content-length":
                length = value if self.command == "HEAD" else length
            elif name.lower() not in ("transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            if isinstance(body, _Part):
                self.close_connection = True
            try:
                self.wfile.write(body)
            except OSError:
                self.close_connection = True  # whoever asked did not want to wait any longer


def _forward(port: int, exchange: Exchange) -> tuple[int, list[tuple[str, str]], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request(exchange.method, exchange.path, body=exchange.body or None, headers=exchange.headers)
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()
    finally:
        connection.close()
