# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""One kept-alive HTTP connection to a server that speaks REST: a Freezer API or Elasticsearch.

Standard library only, because it travels with every module. ``http.client`` sets TCP_NODELAY itself. Proxies from the
environment are not used: a service for backups is reached directly.
"""

from __future__ import annotations

import http.client
import selectors
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable
from urllib.parse import SplitResult, urlsplit

from .auth import AuthMethod
from .errors import BadAddress, Unreachable, WrongService
from .faults import LOST, Fault, fault_of
from .repeating import (
    BLOCK_BYTES,
    MOST_ANSWER_BYTES,
    RETRIES,
    TIMEOUT_SECONDS,
    Answer,
    Lost,
    NeverSent,
    Repeating,
    headers_of,
)
from .unix_socket import UnixConnection, check_path, is_unix, path_of


@dataclass(frozen=True)
class Tls:
    """How the server proves itself, and we to it. All paths are files in PEM format."""

    ca_file: str | None = None
    validate_certs: bool = True
    client_cert: str | None = None
    client_key: str | None = None

    def context(self) -> ssl.SSLContext:
        """The context for https; ``BadAddress`` when a file cannot be used."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise BadAddress(f"ca_file {self.ca_file} cannot be used: {error}.") from error
        if not self.validate_certs:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.client_cert:
            try:
                context.load_cert_chain(self.client_cert, self.client_key)
            except (OSError, ssl.SSLError) as error:
                message = "client_cert {0} (key {1}) cannot be used: {2}."
                raise BadAddress(message.format(self.client_cert, self.client_key or "in it", error)) from error
        return context


class Connection(Repeating):
    """A connection to the server at ``url``, opened with the first request and kept until ``close``.

    ``url`` is an address of HTTP, or ``unix:///path`` for a Unix socket of this machine. Not for use by several threads
    at once.
    """

    def __init__(
        self,
        url: str,
        auth: AuthMethod | None = None,
        tls: Tls | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        retries: int = RETRIES,
        sleep: Callable[[float], None] = time.sleep,
        **options: Any,
    ) -> None:
        super().__init__(url, auth, timeout_seconds, retries, sleep, **options)
        self._socket_path = _socket_path(url) if is_unix(url) else None
        # The names of HTTP stand in for a socket that has none.
        self._address = server_address("http://localhost" if self._socket_path else url)
        self._tls = tls or Tls()
        self._http: http.client.HTTPConnection | None = None

    def close(self) -> None:
        """Close the connection; a later request opens it again."""
        if self._http is not None:
            self._http.close()
            self._http = None

    def _exchange(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Answer:
        headers = {"Accept": "application/json", "User-Agent": "freezer.backup", **self._auth.headers(), **headers}
        connection = self._open()
        try:
            content = body() if callable(body) else body
            connection.request(method, self._address.path.rstrip("/") + path, body=content, headers=headers)
            response = connection.getresponse()
            return Answer(response.status, self._whole(response), headers_of(response.headers))
        except (OSError, http.client.HTTPException) as error:
            self.close()
            fault = self._fault(error, f"{method} {self.url}{path}")
            raise (Lost(fault.reason) if fault.kind == LOST else fault.error) from error
        except BaseException:
            # What gives the data failed, or a signal came: the rest must not be the next answer.
            self.close()
            raise

    def _whole(self, response: http.client.HTTPResponse) -> bytes:
        """The body, as far as it is one that fits into memory."""
        if response.length is not None and response.length <= MOST_ANSWER_BYTES:
            return response.read()
        body = bytearray()
        while response.length is None and len(body) <= MOST_ANSWER_BYTES:
            block = response.read(BLOCK_BYTES)
            if not block:
                return bytes(body)
            body += block
        self.close()
        raise WrongService(f"{self._service} answers with more than {MOST_ANSWER_BYTES >> 20} MiB at once.")

    def _open(self) -> http.client.HTTPConnection:
        """The connection, fresh if there was none or the server has closed the one that we kept."""
        if self._http is not None and self._http.sock is not None and not _has_news(self._http.sock):
            return self._http
        self.close()
        host, port = str(self._address.hostname), self._address.port
        connection: http.client.HTTPConnection
        if self._socket_path:
            connection = UnixConnection(self._socket_path, timeout=self._timeout_seconds)
        elif self._address.scheme == "https":
            context = self._tls.context()
            connection = http.client.HTTPSConnection(host, port, timeout=self._timeout_seconds, context=context)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=self._timeout_seconds)
        try:
            connection.connect()
        except socket.timeout as error:
            message = "{0} at {1} cannot be reached: no connection within {2:g} seconds (the timeout)."
            raise Unreachable(message.format(self._service, self.url, self._timeout_seconds)) from error
        except (OSError, UnicodeError) as error:
            fault = self._fault(error, f"the connection to {self.url}")
            raise (NeverSent(fault.reason) if fault.kind == LOST else fault.error) from error
        self._http = connection
        return connection

    def _fault(self, error: Exception, request: str) -> Fault:
        return fault_of(error, self._service, self.url, request, self._timeout_seconds)


def server_address(url: str) -> SplitResult:
    """The parts of the address, refused when they are not plainly scheme, host, port and path."""
    try:
        address = urlsplit(url)
        has_server = address.scheme in ("http", "https") and address.hostname and address.port != 0
    except ValueError as error:
        raise BadAddress(f"url {url!r} is not an address: {error}.") from error
    if address.username is not None or address.password is not None:
        raise BadAddress("url carries a user or password; give them as username and password.")
    if not has_server or address.query or address.fragment or not url.isprintable() or " " in url:
        raise BadAddress(
            f"url {url!r} is not an address such as http://127.0.0.1:9090 or unix:///run/freezer/api.sock."
        )
    return address


def _socket_path(url: str) -> str:
    """The path of a Unix socket in an address."""
    path = path_of(url)
    reason = check_path(path)
    if reason:
        raise BadAddress(f"url {url!r} names no Unix socket: {reason}.")
    return path


def _has_news(kept: socket.socket) -> bool:
    """Whether a connection without a request can be read, which means that the server has closed it."""
    with selectors.DefaultSelector() as selector:
        selector.register(kept, selectors.EVENT_READ)
        return bool(selector.select(timeout=0))
