# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The errors that the API answers with: a status, a title and a sentence."""

from __future__ import annotations

from collections.abc import Mapping


class ApiError(Exception):
    """A request that is answered with an error. ``description`` is a sentence for the caller."""

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
    """The request is not authenticated."""

    status = 401
    title = "Unauthorized"


class ForbiddenError(ApiError):
    """The caller may not do this."""

    status = 403
    title = "Access Forbidden"


class NotFoundError(ApiError):
    """There is no such document, or it belongs to another owner, which looks the same."""

    status = 404
    title = "Not Found"


class MethodError(ApiError):
    """A session has no such action."""

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
    """The body comes in chunks, which the server in front of this API does not pass on."""

    status = 411
    title = "Length Required"


class PreconditionError(ApiError):
    """The document has changed since the client read it."""

    status = 412
    title = "Precondition Failed"


class TooLargeError(ApiError):
    """The body is over the limit."""

    status = 413
    title = "Request Entity Too Large"


class MediaTypeError(ApiError):
    """The body is of a type that a foreign site can have a browser send."""

    status = 415
    title = "Unsupported Media Type"


class TooManyRequestsError(ApiError):
    """The caller has sent too many requests."""

    status = 429
    title = "Too Many Requests"


class UnavailableError(ApiError):
    """The store cannot serve the request now."""

    status = 503
    title = "Service Unavailable"


def not_found(kind: str, document_id: str) -> NotFoundError:
    """The error for a kind and an id of which the scope of the request has no document."""
    return NotFoundError(f"No {kind} found with ID {document_id}")


def sentence(error: Exception) -> str:
    """The message of a store's error as a sentence for the caller."""
    text = str(error)
    return text[:1].upper() + text[1:]
