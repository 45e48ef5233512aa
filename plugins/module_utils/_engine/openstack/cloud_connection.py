# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""Requests to a service of a cloud, sent by a session of keystoneauth1. What is repeated, and when, is ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..http.auth import AuthMethod
from ..http.connection import server_address
from ..http.errors import WrongService
from ..http.repeating import BLOCK_BYTES, MOST_ANSWER_BYTES, Lost, NeverSent, Repeating, Reply, Sink, headers_of
from .faults import LOST, NEVER_SENT, SILENT, fault_of
from .libraries import imported, open_session
from .transport import Transport


class CloudConnection(Repeating):
    """A connection to a service, which is kept. Not for use by several threads at once."""

    def __init__(self, url: str, auth: AuthMethod, transport: Transport, **options: Any) -> None:
        server_address(url)
        super().__init__(url, auth, transport.timeout_seconds, transport.retries, **options)
        self._transport = transport
        self._session: Any = None

    def close(self) -> None:
        """Close the connection; a later request opens it again."""
        if self._session is not None:
            self._session.session.close()

    def _exchange(
        self, method: str, path: str, body: Any, headers: Mapping[str, str], sink: Sink | None = None
    ) -> Reply:
        what = f"A request to {self._service}"
        library = (
            imported("keystoneauth1.exceptions", what).ClientException,
            imported("requests", what).exceptions.RequestException,
            imported("urllib3", what).exceptions.HTTPError,
        )
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", **self._auth.headers(), **headers}
        if self._session is None:
            self._session = open_session(self._transport, what)
        response: Any = None
        done = False
        try:
            response = self._session.request(
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
                self._pour(response, sink)
                content = b""
            else:
                content = self._whole(response.raw)
            done = True
            return Reply(response.status_code, headers_of(response.headers), content)
        except (OSError, *library) as error:
            request = f"{method} {self.url}{path}"
            fault = fault_of(error, self._service, self.url, request, self._timeout_seconds)
            if fault.kind == NEVER_SENT:
                raise NeverSent(fault.reason) from error
            if fault.kind == LOST:
                raise Lost(fault.reason) from error
            raise self._silent(request) if fault.kind == SILENT else fault.error from error
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

    def _pour(self, response: Any, sink: Sink) -> None:
        while block := response.raw.read(BLOCK_BYTES):
            sink(response.status_code, block)
        _check_end(response.raw)


def _check_end(raw: Any) -> None:
    """Older releases of urllib3 take an answer that ends too early for a whole one."""
    if raw.length_remaining:
        raise Lost("it ended in the middle of the answer")


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
