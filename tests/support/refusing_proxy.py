# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""A proxy in front of a real Freezer API that lets nobody write: it passes GET on, and refuses everything else.

What it refused is in ``refused``, so that a test of check mode can see that nothing was even tried.
"""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class RefusingProxy:
    """Listens on a free loopback port while it is used as a context."""

    def __init__(self, upstream_url: str) -> None:
        self.refused: list[str] = []
        self._upstream = urlsplit(upstream_url)

    def __enter__(self) -> RefusingProxy:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def _handler(proxy) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                upstream = http.client.HTTPConnection(str(proxy._upstream.hostname), proxy._upstream.port, timeout=30)
                try:
                    headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                    upstream.request("GET", self.path, body=self._body(), headers=headers)
                    answer = upstream.getresponse()
                    self._send(answer.status, answer.read())
                finally:
                    upstream.close()

            def refuse(self) -> None:
                self._body()
                proxy.refused.append(f"{self.command} {self.path}")
                self._send(405, b'{"title": "Method Not Allowed", "description": "this proxy lets nobody write"}')

            do_POST = do_PUT = do_PATCH = do_DELETE = refuse  # noqa: N815

            def _body(self) -> bytes:
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))

            def _send(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                """Be quiet."""

        return Handler
