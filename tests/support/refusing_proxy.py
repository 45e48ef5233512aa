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


class RefusingProxy(ThreadingHTTPServer):
    """Listens on a free loopback port while it is used as a context."""

    daemon_threads = True

    def __init__(self, upstream_url: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(upstream_url)
        self.refused: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> RefusingProxy:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.shutdown()
        super().__exit__(*exc_info)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RefusingProxy

    def do_GET(self) -> None:
        upstream = self.server.upstream
        connection = http.client.HTTPConnection(str(upstream.hostname), upstream.port, timeout=30)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            connection.request("GET", self.path, body=self._body(), headers=headers)
            answer = connection.getresponse()
            self._send(answer.status, answer.read())
        finally:
            connection.close()

    def do_POST(self) -> None:
        self._body()
        self.server.refused.append(f"{self.command} {self.path}")
        self._send(405, b'{"title": "Method Not Allowed", "description": "this proxy lets nobody write"}')

    do_PUT = do_PATCH = do_DELETE = do_POST

    def log_message(self, *arguments: object) -> None:
        """Be quiet."""

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
