# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""What can go wrong between us and a server that speaks REST. Every message is a sentence for the user."""

from __future__ import annotations

from typing import Any

from ..errors import FreezerError


class RestError(FreezerError):
    """A server could not do what was asked of it.

    ``status`` is the HTTP status, or None when there was no answer. ``title`` and ``description`` are what it
    said, word for word, and empty when it said nothing. ``values`` is what was found out before.
    """

    def __init__(
        self,
        message: str,
        status: int | None = None,
        title: str = "",
        description: str = "",
        values: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.title = title
        self.description = description
        self.values = values or {}


class BadAddress(RestError):
    """The address or the options of the connection cannot be used."""


class Unreachable(RestError):
    """There was no answer: no server listens, the connection was lost, the time was up."""


class Untrusted(Unreachable):
    """The server could not prove over TLS that it is the one that was meant."""


class WrongService(RestError):
    """What answered is not the service that was meant."""


class Rejected(RestError):
    """The server understood the request and does not accept it (400, 413, 422)."""


class Unauthorized(RestError):
    """The server does not accept the credentials (401)."""


class Forbidden(RestError):
    """The server knows us, but we may not do this (403)."""


class NotFound(RestError):
    """What was named does not exist (404)."""


class NotAllowed(RestError):
    """This server does not offer this operation (405)."""


class Conflict(RestError):
    """Another client has the id, or was faster (409, 412)."""


class ServerError(RestError):
    """The server failed (5xx)."""


_BY_STATUS: dict[int, type[RestError]] = {
    400: Rejected,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    405: NotAllowed,
    409: Conflict,
    412: Conflict,
    413: Rejected,
    422: Rejected,
}

_SENTENCES: dict[type[RestError], str] = {
    Rejected: "{service} rejects {request}",
    Unauthorized: "{service} does not accept the credentials for {request}",
    Forbidden: "{service} does not permit {request}",
    NotFound: "{service} does not know what {request} names",
    NotAllowed: "{service} does not offer {request}",
    Conflict: "{service} sees a conflict in {request}",
    ServerError: "{service} failed on {request}",
    RestError: "{service} gave an answer that does not fit {request}",
}


def error_from(request: str, status: int, document: Any, service: str) -> RestError:
    """The error for an answer with this status. ``request`` is method and address, ``document`` the parsed body."""
    kind = ServerError if status >= 500 else _BY_STATUS.get(status, RestError)
    title, description = "", ""
    if isinstance(document, dict):
        # Keystone has the same in one object more, and calls the description a message; Elasticsearch a reason.
        # Nova and Cinder call that object by the kind of error, such as conflictingRequest.
        only = next(iter(document.values())) if len(document) == 1 else None
        said = only if isinstance(only, dict) else document.get("error")
        said = said if isinstance(said, dict) else document
        title = str(said.get("title") or said.get("type") or "")
        description = str(said.get("description") or said.get("message") or said.get("reason") or "")
    words = ": ".join(part for part in (title, description) if part)
    sentence = _SENTENCES[kind].format(service=service, request=request)
    message = f"{sentence} (status {status})" + (f": {words}" if words else "")
    if kind is Unauthorized:
        message += ". Check the user, password, token or key"
    return kind(message.rstrip(".") + ".", status=status, title=title, description=description)
