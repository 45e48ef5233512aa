# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What a client is told when a request cannot be served: a status, a title and a sentence."""

from __future__ import annotations

from collections.abc import Mapping


class ApiError(Exception):
    """A request that is answered with an error. ``description`` is a sentence for whoever sent the request."""

    status = 500
    title = "Internal Server Error"

    def __init__(self, description: str, *, title: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(description)
        self.description = description
        self.title = title or type(self).title
        self.headers = dict(headers or {})


class BadRequestError(ApiError):
    """The request is not what the API expects."""

    status = 400
    title = "Bad request format"


class UnauthorizedError(ApiError):
    """Nobody that the API knows has sent the request."""

    status = 401
    title = "Unauthorized"


class ForbiddenError(ApiError):
    """Whoever sent the request may not do this."""

    status = 403
    title = "Access Forbidden"


class NotFoundError(ApiError):
    """There is no such document, or it belongs to somebody else, which looks the same."""

    status = 404
    title = "Not Found"


class MethodError(ApiError):
    """The action that is asked of a session does not exist."""

    status = 405
    title = "Bad Method"


class NotAcceptableError(ApiError):
    """The client does not take JSON, and the API has nothing else."""

    status = 406
    title = "Not Acceptable"


class ConflictingError(ApiError):
    """The request contradicts a document that exists."""

    status = 409
    title = "Conflict"


class LengthRequiredError(ApiError):
    """The body comes in chunks, which the server in front of this API does not hand on."""

    status = 411
    title = "Length Required"


class PreconditionError(ApiError):
    """The document is no longer as the client has seen it."""

    status = 412
    title = "Precondition Failed"


class TooLargeError(ApiError):
    """The body is larger than the API takes."""

    status = 413
    title = "Request Entity Too Large"


class MediaTypeError(ApiError):
    """The body is of a type that a foreign site can have a browser send."""

    status = 415
    title = "Unsupported Media Type"


class TooManyRequestsError(ApiError):
    """The sender has asked too often."""

    status = 429
    title = "Too Many Requests"


class UnavailableError(ApiError):
    """The store cannot serve the request now."""

    status = 503
    title = "Service Unavailable"


def not_found(kind: str, document_id: str) -> NotFoundError:
    """There is no document of this kind and id in the scope of the request."""
    return NotFoundError(f"No {kind} found with ID {document_id}")


def sentence(error: Exception) -> str:
    """What an error of the store says, as a sentence for whoever sent the request."""
    text = str(error)
    return text[:1].upper() + text[1:]
