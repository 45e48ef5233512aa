# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""One kept-alive HTTP connection to a server that speaks REST: a Freezer API, Keystone, Elasticsearch. JSON both ways,
faults of the network repeated where that is safe.

Standard library only, because it travels with every module. ``http.client`` sets TCP_NODELAY itself. Proxies from the
environment are not used: a service for backups is reached directly.
"""

from __future__ import annotations

import base64
import email.utils
import http.client
import json
import random
import selectors
import socket
import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable, NamedTuple, Union
from urllib.parse import SplitResult, unquote, urlsplit

from .auth import AuthMethod, NoAuth
from .errors import BadAddress, RestError, Unreachable, Untrusted, WrongService, error_from
from .unix_socket import UnixConnection, check_path, is_unix, path_of

TIMEOUT_SECONDS = 30.0
RETRIES = 3
FIRST_BACK_OFF_SECONDS = 0.25
# A server that asks for more patience than this gets an error instead of a task that seems to hang.
LONGEST_WAIT_SECONDS = 30.0
RETRIED_STATUSES = (502, 503, 504)
_BLOCK_BYTES = 1 << 20
#: Of an answer that is taken into memory; what is longer is asked for in parts, or poured into a sink.
_MOST_ANSWER_BYTES = 256 << 20

#: Bytes to send, or what gives them anew each time that they are sent.
Data = Union[bytes, bytearray, memoryview, Callable[[], Iterable[bytes]]]
#: Takes the status and a piece of the body of an answer of 2xx.
Sink = Callable[[int, bytes], None]


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


class Answer(NamedTuple):
    """What the server said: the status, the parsed body, and the headers, whose names are in lower case."""

    status: int
    document: Any
    headers: Mapping[str, str]

    @property
    def etag(self) -> str | None:
        """The tag of this state of a document (RFC 9110, 8.8.3), or None where the server has none."""
        return self.headers.get("etag")


class _Reply(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes


class _NeverSent(Exception):
    """No connection came about, so the server has seen nothing of the request."""


class _Lost(Exception):
    """The connection broke; the server may or may not have acted on the request."""


class Connection:
    """A connection to the server at ``url``, opened with the first request and kept until ``close``.

    ``url`` is an address of HTTP, or ``unix:///path`` for a Unix socket of this machine.
    ``timeout_seconds`` is the longest silence of the server that is borne. ``retries`` is how often a request is
    repeated after a lost connection or one of the ``retried_statuses``, with a pause that doubles each time, or as long
    as the server's ``Retry-After`` says. A status of 401 makes ``auth`` renew itself once. ``service`` is what messages
    call the server. With ``retries_silence`` a request that got no answer in time is repeated as well. Not for use by several threads at once.
    """

    def __init__(
        self,
        url: str,
        auth: AuthMethod | None = None,
        tls: Tls | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        retries: int = RETRIES,
        sleep: Callable[[float], None] = time.sleep,
        *,
        service: str = "The server",
        retried_statuses: Sequence[int] = RETRIED_STATUSES,
        retries_silence: bool = False,
        proxy: str | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._socket_path = _socket_path(url) if is_unix(url) else None
        # The names of HTTP stand in for a socket that has none.
        self._address = server_address("http://localhost" if self._socket_path else url)
        self._auth = auth or NoAuth()
        self._tls = tls or Tls()
        if timeout_seconds <= 0:
            raise BadAddress(f"timeout_seconds has to be more than 0, it is {timeout_seconds}.")
        self._timeout_seconds = timeout_seconds
        self._retries = retries
        self._sleep = sleep
        self._service = service
        self._retried_statuses = retried_statuses
        self._retries_silence = retries_silence
        self._proxy = None if proxy is None or self._socket_path else proxy_address(proxy)
        self._http: http.client.HTTPConnection | None = None

    def request(
        self,
        method: str,
        path: str,
        document: Any = None,
        repeatable: bool = True,
        if_match: str | None = None,
        lines: Sequence[Any] | None = None,
        data: Data | None = None,
        headers: Mapping[str, str] | None = None,
        raw: bool = False,
        if_none_match: str | None = None,
        sink: Sink | None = None,
    ) -> Answer:
        """Send a request below ``url`` and return the answer. ``lines`` are documents to send as one line each.

        ``data`` are bytes to send as they are, ``headers`` go with the request, and with ``raw`` the answer's document
        is the bytes of its body. A ``sink`` takes those of a long answer piece by piece; a connection that is lost in the
        middle is told as Unreachable then, since only the caller knows how to go on.

        ``if_match`` is the tag of the only state of a document to which the request may be applied. ``if_none_match`` is
        the tag of a state that we know: the answer has status 304 and no document if it is still that.
        ``repeatable`` says that the server ends in the same state however often it receives the request; only then is
        it sent again when it is unknown whether the first one arrived. Raises a ``RestError`` for every status
        outside of 2xx, and when nobody can be authenticated.
        """
        request = f"{method} {self.url}{path}"
        body, own_headers = _body(method, document, lines) if data is None else (data, {})
        headers = {**own_headers, **(headers or {})}
        if if_match is not None:
            headers["If-Match"] = if_match
        if if_none_match is not None:
            headers["If-None-Match"] = if_none_match
        for attempt in range(self._retries + 1):
            last = attempt == self._retries
            pause_seconds = back_off_seconds(attempt)
            try:
                reply = self._exchange(method, path, body, headers, sink)
                if reply.status == 401 and self._auth.renew():
                    # Refused before it was looked at; so this is no repetition.
                    reply = self._exchange(method, path, body, headers, sink)
            except _NeverSent as fault:
                if last:
                    raise Unreachable(f"{self._service} at {self.url} cannot be reached: {fault}.") from fault
            except _Lost as fault:
                if last or not repeatable or sink is not None:
                    message = f"The connection was lost during {request}: {fault}."
                    if not repeatable:
                        message += " Whether the server acted on it is unknown; look before you repeat it."
                    raise Unreachable(message) from fault
            else:
                asked_seconds = retry_after_seconds(reply.headers.get("Retry-After"))
                pause_seconds = asked_seconds if asked_seconds is not None else pause_seconds
                # What came too often (429) has not been acted on.
                refused = reply.status in self._retried_statuses and (repeatable or reply.status == 429)
                if last or not refused or pause_seconds > LONGEST_WAIT_SECONDS:
                    return _answer(self._service, request, reply, raw)
            self._sleep(pause_seconds)
        raise AssertionError("the last attempt returns or raises")

    def close(self) -> None:
        """Close the connection; a later request opens it again."""
        if self._http is not None:
            self._http.close()
            self._http = None

    def _exchange(
        self, method: str, path: str, body: Any, headers: Mapping[str, str], sink: Sink | None = None
    ) -> _Reply:
        headers = {"Accept": "application/json", "User-Agent": "freezer.backup", **self._auth.headers(), **headers}
        connection = self._open()
        try:
            content = body() if callable(body) else body
            connection.request(method, self._target(path), body=content, headers={**headers, **self._to_proxy()})
            response = connection.getresponse()
            if sink is not None and 200 <= response.status < 300:
                self._pour(response, sink)
                return _Reply(response.status, response.msg, b"")
            return _Reply(response.status, response.msg, self._whole(response))
        except socket.timeout as error:
            self.close()
            if self._retries_silence:
                raise _Lost(f"no answer for {self._timeout_seconds:g} seconds (timeout_seconds)") from error
            message = "{0} {1}{2} got no answer for {3:g} seconds (timeout_seconds)."
            raise Unreachable(message.format(method, self.url, path, self._timeout_seconds)) from error
        except http.client.RemoteDisconnected as error:
            self.close()
            raise _Lost("the server closed it without an answer") from error
        except http.client.IncompleteRead as error:
            self.close()
            raise _Lost("it ended in the middle of the answer") from error
        except http.client.HTTPException as error:
            self.close()
            raise WrongService(f"What answers at {self.url} does not speak HTTP: {error!r}.") from error
        except ssl.SSLError as error:
            self.close()
            message = "TLS with {0} broke: {1}. Does it want a client_cert?"
            raise Untrusted(message.format(self.url, error.reason or error)) from error
        except OSError as error:
            self.close()
            raise _Lost(error.strerror or str(error)) from error
        except BaseException:
            # What gives the data or takes the answer failed, or a signal came: the rest must not be the next answer.
            self.close()
            raise

    def _whole(self, response: http.client.HTTPResponse) -> bytes:
        """The body, as far as it is one that fits into memory."""
        if response.length is not None and response.length <= _MOST_ANSWER_BYTES:
            return response.read()
        body = bytearray()
        while response.length is None and len(body) <= _MOST_ANSWER_BYTES:
            block = response.read(_BLOCK_BYTES)
            if not block:
                return bytes(body)
            body += block
        self.close()
        raise WrongService(f"{self._service} answers with more than {_MOST_ANSWER_BYTES >> 20} MiB at once.")

    def _pour(self, response: http.client.HTTPResponse, sink: Sink) -> None:
        while block := response.read(_BLOCK_BYTES):
            sink(response.status, block)
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)

    def _target(self, path: str) -> str:
        """What is asked for: of a proxy that reads along, with the server."""
        below = self._address.path.rstrip("/") + path
        is_read = self._proxy is not None and self._address.scheme == "http"
        return f"http://{self._address.netloc}{below}" if is_read else below

    def _to_proxy(self) -> dict[str, str]:
        return _proxy_login(self._proxy) if self._proxy is not None and self._address.scheme == "http" else {}

    def _open(self) -> http.client.HTTPConnection:
        """The connection, fresh if there was none or the server has closed the one that we kept."""
        if self._http is not None and self._http.sock is not None and not _has_news(self._http.sock):
            return self._http
        self.close()
        host, port = str(self._address.hostname), self._address.port
        if self._proxy is not None:
            host, port = str(self._proxy.hostname), self._proxy.port
        connection: http.client.HTTPConnection
        if self._socket_path:
            connection = UnixConnection(self._socket_path, timeout=self._timeout_seconds)
        elif self._address.scheme == "https":
            context = self._tls.context()
            connection = http.client.HTTPSConnection(host, port, timeout=self._timeout_seconds, context=context)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=self._timeout_seconds)
        if self._proxy is not None and self._address.scheme == "https":
            # The proxy sees which server is meant, and nothing of what is said to it.
            connection.set_tunnel(str(self._address.hostname), self._address.port, headers=_proxy_login(self._proxy))
        try:
            connection.connect()
        except ssl.SSLCertVerificationError as error:
            message = "The certificate of {0} is not trusted: {1}. Name the file of its authority with ca_file."
            raise Untrusted(message.format(self.url, error.verify_message)) from error
        except ssl.SSLError as error:
            raise Untrusted(f"No TLS with {self.url}: {error.reason or error}. Is it http?") from error
        except socket.timeout as error:
            message = "{0} at {1} cannot be reached: no connection within {2:g} seconds (timeout_seconds)."
            raise Unreachable(message.format(self._service, self.url, self._timeout_seconds)) from error
        except UnicodeError as error:
            raise BadAddress(f"url {self.url!r} names a host that cannot exist: {error}.") from error
        except OSError as error:
            raise _NeverSent(error.strerror or str(error)) from error
        self._http = connection
        return connection


def _body(method: str, document: Any, lines: Sequence[Any] | None) -> tuple[bytes | None, dict[str, str]]:
    """The body of a request and the headers that go with it."""
    if lines is not None:
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        return text.encode("utf-8"), {"Content-Type": "application/x-ndjson"}
    if document is not None:
        return json.dumps(document).encode("utf-8"), {"Content-Type": "application/json"}
    return None, {} if method in ("GET", "HEAD") else {"Content-Length": "0"}


def back_off_seconds(attempt: int) -> float:
    """The pause after an attempt that failed, the first of which is number 0: about twice the one before."""
    return FIRST_BACK_OFF_SECONDS * float(2**attempt) * random.uniform(0.5, 1.0)


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


def proxy_address(proxy: str) -> SplitResult:
    """The parts of the address of a proxy, which may have a user and a password in it. Messages repeat none of it."""
    try:
        address = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        is_one = address.scheme == "http" and address.hostname and address.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        raise BadAddress("proxy is no address such as http://proxy.example.org:3128.")
    return address


def _proxy_login(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    words = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": "Basic " + base64.b64encode(words.encode()).decode()}


def _has_news(kept: socket.socket) -> bool:
    """Whether a connection on which nobody speaks can be read, which means that the server has closed it."""
    with selectors.DefaultSelector() as selector:
        selector.register(kept, selectors.EVENT_READ)
        return bool(selector.select(timeout=0))


def retry_after_seconds(value: str | None) -> float | None:
    """The pause that a ``Retry-After`` header asks for (RFC 9110, 10.2.3: seconds or a date)."""
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def _answer(service: str, request: str, reply: _Reply, raw: bool = False) -> Answer:
    """The answer, or the error that its status stands for."""
    document: Any = reply.body if raw and 200 <= reply.status < 300 else None
    if reply.body and document is None:
        try:
            document = json.loads(reply.body)
        except ValueError:
            if 200 <= reply.status < 300:
                message = "{0} was answered with something that is not JSON. Is this the address of {1}?"
                raise WrongService(
                    message.format(request, service.replace("The ", "the ")), status=reply.status
                ) from None
    if 200 <= reply.status < 300 or reply.status == 304:
        return Answer(reply.status, document, {name.lower(): value for name, value in reply.headers.items()})
    if reply.headers.get("Location") and 300 <= reply.status < 400:
        # Following it would hand the credentials to whomever it names.
        message = "{0} is redirected to {1}. Use that server's address as url."
        raise RestError(message.format(request, reply.headers["Location"]), status=reply.status)
    raise error_from(request, reply.status, document, service)
