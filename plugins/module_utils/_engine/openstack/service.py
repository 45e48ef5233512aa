# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""Requests to a service of a cloud, sent by a session of keystoneauth1. What is repeated, and when, is ours."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Callable

from ..http.auth import AuthMethod
from ..http.connection import server_address
from ..http.errors import WrongService
from ..http.faults import LASTING, NEVER_SENT, fault_of
from ..http.repeating import BLOCK_BYTES, MOST_ANSWER_BYTES, Answer, Lost, NeverSent, Repeating, headers_of
from .transport import Transport, imported, open_session

#: What may be asked again when it is known to end in the same state: also a service that fell over, or is too busy.
_RETRIED_STATUSES = (408, 429, 500, 502, 503, 504)

#: Takes the status and a piece of the body of an answer of 2xx.
Sink = Callable[[int, bytes], None]


class Service(Repeating):
    """One service of a cloud. Any number of threads may ask it; each has a session of its own, which is kept.

    A request that got no answer in time is repeated as one whose connection was lost.
    """

    def __init__(
        self,
        name: str,
        url: str,
        auth: AuthMethod,
        transport: Transport,
        retried_statuses: Sequence[int] = _RETRIED_STATUSES,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        server_address(url)
        timeout_seconds, retries = transport.timeout_seconds, transport.retries
        super().__init__(url, auth, timeout_seconds, retries, sleep, service=name, retried_statuses=retried_statuses)
        self._transport = transport
        #: ``session`` and ``sink`` of each thread, None where it has none.
        self._own = threading.local()

    def close(self) -> None:
        """Close the connections of this thread; a later request opens them again."""
        session = getattr(self._own, "session", None)
        if session is not None:
            session.session.close()

    def at(self, url: str) -> Service:
        """The same service at another address."""
        return Service(self._service, url, self._auth, self._transport)

    def pour(self, path: str, headers: Mapping[str, str], sink: Sink) -> None:
        """Get what lies at a path, and give it to the sink piece by piece.

        A connection that is lost is told as Unreachable, since only the caller knows how to go on. Raises RestError.
        """
        self._own.sink = sink
        try:
            self.request("GET", path, headers=headers)
        finally:
            self._own.sink = None

    def _exchange(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Answer:
        what = f"A request to {self._service}"
        library = (
            imported("keystoneauth1.exceptions", what).ClientException,
            imported("requests", what).exceptions.RequestException,
            imported("urllib3", what).exceptions.HTTPError,
        )
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", **self._auth.headers(), **headers}
        session, sink = getattr(self._own, "session", None), getattr(self._own, "sink", None)
        if session is None:
            session = self._own.session = open_session(self._transport, what)
        response: Any = None
        done = False
        try:
            response = session.request(
                self.url + path,
                method,
                headers=headers,
                data=_content(body, headers),
                # A refused token is renewed by us, so that data are given anew.
                authenticated=False,
                raise_exc=False,
                redirect=False,
                log=False,
                stream=True,
            )
            if sink is not None and 200 <= response.status_code < 300:
                while block := response.raw.read(BLOCK_BYTES):
                    sink(response.status_code, block)
                _check_end(response.raw)
                content = b""
            else:
                content = self._whole(response.raw)
            done = True
            return Answer(response.status_code, content, headers_of(response.headers))
        except (OSError, http.client.HTTPException, *library) as error:
            request = f"{method} {self.url}{path}"
            fault = fault_of(error, self._service, self.url, request, self._timeout_seconds)
            if fault.kind == NEVER_SENT:
                raise NeverSent(fault.reason) from error
            raise fault.error if fault.kind == LASTING or sink is not None else Lost(fault.reason) from error
        finally:
            if not done:
                # The rest must not be the next answer.
                if response is not None:
                    response.close()
                self.close()

    def _whole(self, raw: Any) -> bytes:
        """The body, as far as it is one that fits into memory."""
        body = bytearray()
        while len(body) <= MOST_ANSWER_BYTES and (raw.length_remaining or 0) <= MOST_ANSWER_BYTES:
            block = raw.read(BLOCK_BYTES)
            if not block:
                _check_end(raw)
                return bytes(body)
            body += block
        raise WrongService(f"{self._service} answers with more than {MOST_ANSWER_BYTES >> 20} MiB at once.")


def _check_end(raw: Any) -> None:
    """Older releases of urllib3 take an answer that ends too early for a whole one."""
    if raw.length_remaining:
        raise http.client.IncompleteRead(b"", raw.length_remaining)


class _Sized:
    """Pieces that are so many bytes together."""

    def __init__(self, pieces: Iterable[bytes], size: int) -> None:
        self._pieces = pieces
        self._size = size

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)

    def __len__(self) -> int:
        return self._size


def _content(body: Any, headers: Mapping[str, str]) -> Any:
    """What requests takes: pieces of which it does not know how much they are together it sends in chunks."""
    if callable(body):
        size = int(headers.get("Content-Length", "0"))
        return _Sized(body(), size) if size else iter(body())
    if isinstance(body, (bytearray, memoryview)):
        # Of no length it would count as one whose length is not known.
        return body if len(body) else b""
    return body
