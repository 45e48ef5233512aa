# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""Requests to a server that speaks REST, JSON both ways, repeated where that is safe, whatever sends them."""

from __future__ import annotations

import abc
import email.utils
import json
import random
import time
from collections.abc import Iterable, Mapping, Sequence
from email.message import Message
from typing import Any, Callable, NamedTuple, Union

from .auth import AuthMethod, NoAuth
from .errors import BadAddress, RestError, Unreachable, WrongService, error_from

TIMEOUT_SECONDS = 30.0
RETRIES = 3
FIRST_BACK_OFF_SECONDS = 0.25
# A server that asks for more patience than this gets an error instead of a task that seems to hang.
LONGEST_WAIT_SECONDS = 30.0
RETRIED_STATUSES = (502, 503, 504)
BLOCK_BYTES = 1 << 20
#: Of an answer that is taken into memory; what is longer is asked for in parts.
MOST_ANSWER_BYTES = 256 << 20

#: Bytes to send, or what gives them anew each time that they are sent.
Data = Union[bytes, bytearray, memoryview, Callable[[], Iterable[bytes]]]


class Answer(NamedTuple):
    """What the server said: the status, the body, which is parsed in the end, and the headers with names in lower case."""

    status: int
    document: Any
    headers: Mapping[str, str]

    @property
    def etag(self) -> str | None:
        """The tag of this state of a document (RFC 9110, 8.8.3), or None where the server has none."""
        return self.headers.get("etag")


class NeverSent(Exception):
    """No connection came about, so the server has seen nothing of the request."""


class Lost(Exception):
    """The connection broke; the server may or may not have acted on the request."""


class Repeating(abc.ABC):
    """What asks the server at ``url``.

    ``timeout_seconds`` is the longest silence of the server that is borne. ``retries`` is how often a request is
    repeated after a lost connection or one of the ``retried_statuses``, with a pause that doubles each time, or as long
    as the server's ``Retry-After`` says. A status of 401 makes ``auth`` renew itself once. ``service`` is what messages
    call the server.
    """

    def __init__(
        self,
        url: str,
        auth: AuthMethod | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        retries: int = RETRIES,
        sleep: Callable[[float], None] = time.sleep,
        *,
        service: str = "The server",
        retried_statuses: Sequence[int] = RETRIED_STATUSES,
    ) -> None:
        if timeout_seconds <= 0:
            raise BadAddress(f"timeout_seconds has to be more than 0, it is {timeout_seconds}.")
        self.url = url.rstrip("/")
        self._auth = auth or NoAuth()
        self._timeout_seconds = timeout_seconds
        self._retries = retries
        self._sleep = sleep
        self._service = service
        self._retried_statuses = retried_statuses

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
    ) -> Answer:
        """Send a request below ``url`` and return the answer. ``lines`` are documents to send as one line each.

        ``data`` are bytes to send as they are, ``headers`` go with the request, and with ``raw`` the answer's document
        is the bytes of its body.

        ``if_match`` is the tag of the only state of a document to which the request may be applied. ``if_none_match`` is
        the tag of a state that we know: the answer has status 304 and no document if it is still that.
        ``repeatable`` says that the server ends in the same state however often it receives the request; only then is
        it sent again when it is unknown whether the first one arrived. Raises a ``RestError`` for every status
        outside of 2xx, and if no credentials can be had for it.
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
                reply = self._exchange(method, path, body, headers)
                if reply.status == 401 and self._auth.renew():
                    # Refused before it was looked at; so this is no repetition.
                    reply = self._exchange(method, path, body, headers)
            except NeverSent as fault:
                if last:
                    raise Unreachable(f"{self._service} at {self.url} cannot be reached: {fault}.") from fault
            except Lost as fault:
                if last or not repeatable:
                    message = f"The connection was lost during {request}: {fault}."
                    if not repeatable:
                        message += " Whether the server acted on it is unknown; look before you repeat it."
                    raise Unreachable(message) from fault
            else:
                asked_seconds = retry_after_seconds(reply.headers.get("retry-after"))
                pause_seconds = asked_seconds if asked_seconds is not None else pause_seconds
                # What came too often (429) has not been acted on.
                refused = reply.status in self._retried_statuses and (repeatable or reply.status == 429)
                if last or not refused or pause_seconds > LONGEST_WAIT_SECONDS:
                    return _answer(self._service, request, reply, raw)
            self._sleep(pause_seconds)
        raise AssertionError("the last attempt returns or raises")

    @abc.abstractmethod
    def close(self) -> None:
        """Close the connection; a later request opens it again."""

    @abc.abstractmethod
    def _exchange(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Answer:
        """Send the request once, with what ``auth`` adds to it; the answer with the bytes of its body.

        Raises NeverSent, Lost or RestError.
        """


def _body(method: str, document: Any, lines: Sequence[Any] | None) -> tuple[bytes | None, dict[str, str]]:
    """The body of a request and the headers that go with it."""
    if lines is not None:
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        return text.encode("utf-8"), {"Content-Type": "application/x-ndjson"}
    if document is not None:
        return json.dumps(document).encode("utf-8"), {"Content-Type": "application/json"}
    return None, {} if method in ("GET", "HEAD") else {"Content-Length": "0"}


def headers_of(headers: Mapping[str, str] | Message) -> dict[str, str]:
    """The headers of an answer, with their names in lower case."""
    return {name.lower(): value for name, value in headers.items()}


def back_off_seconds(attempt: int) -> float:
    """The pause after an attempt that failed, the first of which is number 0: about twice the one before."""
    return FIRST_BACK_OFF_SECONDS * float(2**attempt) * random.uniform(0.5, 1.0)


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


def _answer(service: str, request: str, reply: Answer, raw: bool = False) -> Answer:
    """The answer with its body parsed, or the error that its status stands for."""
    document: Any = reply.document if raw and 200 <= reply.status < 300 else None
    if reply.document and document is None:
        try:
            document = json.loads(reply.document)
        except ValueError:
            if 200 <= reply.status < 300:
                message = "{0} was answered with something that is not JSON. Is this the address of {1}?"
                raise WrongService(
                    message.format(request, service.replace("The ", "the ")), status=reply.status
                ) from None
    if 200 <= reply.status < 300 or reply.status == 304:
        return reply._replace(document=document)
    if reply.headers.get("location") and 300 <= reply.status < 400:
        # Following it would hand the credentials to the server that it names.
        message = "{0} is redirected to {1}. Use that server's address as url."
        raise RestError(message.format(request, reply.headers["location"]), status=reply.status)
    raise error_from(request, reply.status, document, service)
