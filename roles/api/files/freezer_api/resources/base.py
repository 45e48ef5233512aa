# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What all resources read from a request and write to a response."""

from __future__ import annotations

import json
from typing import Any, BinaryIO, cast

import falcon

from ..access import Access, Context, access
from ..errors import TooLargeError
from ..json_body import parse_object
from ..store.base import Stored


def access_of(request: falcon.Request, project_id: str | None) -> Access:
    """Whose documents a request is about; ``project_id`` comes from the URL of a v2 request. Raises ForbiddenError."""
    return access(sender_of(request), project_id)


def sender_of(request: falcon.Request) -> Context:
    """Who sent a request, as the authentication found."""
    return cast(Context, request.context.sender)


def body_of(request: falcon.Request) -> dict[str, Any]:
    """The JSON object in the body of a request, {} for none. Raises BadRequestError, TooLargeError."""
    limit: int = request.context.max_body_bytes
    length = request.content_length
    if length is not None:
        if length > limit:
            raise _too_large(limit)
        raw = request.bounded_stream.read(length)
    elif request.env.get("wsgi.input_terminated"):
        # A chunked body says only at its end how long it is.
        raw = cast(BinaryIO, request.stream).read(limit + 1)
        if len(raw) > limit:
            raise _too_large(limit)
    else:
        raw = b""
    return parse_object(raw)


def write_json(response: falcon.Response, value: Any) -> None:
    """Answer with a value as JSON."""
    response.content_type = falcon.MEDIA_JSON
    response.text = json.dumps(value, separators=(",", ":"))


def write_stored(response: falcon.Response, stored: Stored, *, with_version: bool) -> None:
    """Answer with a document as it is stored, without reading its JSON; v1 wants its ``_version`` in it."""
    response.content_type = falcon.MEDIA_JSON
    if with_version:
        separator = "," if stored.text != "{}" else ""
        response.text = f'{stored.text[:-1]}{separator}"_version":{stored.version}}}'
    else:
        response.text = stored.text


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"The body may have at most {limit} bytes")
