# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What all resources read from a request and write to a response."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any, BinaryIO, cast

import falcon

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.kind import Kind

from ..access import Access, Context, access
from ..errors import BadRequestError, TooLargeError
from ..json_body import parse_object
from ..policy import Policy
from ..secrets import masked_text
from ..store.base import Stored

_SKIP_BYTES = 8_388_608
_SKIP_STEP_BYTES = 65_536


def access_of(request: falcon.Request, project_id: str | None, rule: str) -> Access:
    """Whose documents a request is about, if a rule of the policy lets its sender act there.

    ``project_id`` comes from the URL of a v2 request. Raises ForbiddenError, NotFoundError.
    """
    found = access(sender_of(request), project_id)
    authorize(request, found, rule)
    return found


def authorize(request: falcon.Request, found: Access, rule: str) -> None:
    """Raise ForbiddenError unless a rule of the policy lets the sender of a request act there."""
    policy_of(request).authorize(sender_of(request), rule, found.owner.project_id)


def authorize_body(request: falcon.Request, found: Access, kind: Kind, body: Mapping[str, Any]) -> None:
    """Raise ForbiddenError unless the sender of a request may write what is special about a document."""
    if kind.name == "client" and body.get("is_central"):
        # It is said to run jobs of every project.
        authorize(request, found, "clients:create_central")


def may_see_secrets(request: falcon.Request, kind: Kind, project_id: str) -> bool:
    """Whether the sender of a request may see passwords and the like in documents of a kind in a project."""
    return policy_of(request).allows(sender_of(request), f"{kind.plural}:get_secrets", project_id)


def policy_of(request: falcon.Request) -> Policy:
    """What decides who may do what."""
    return cast(Policy, request.context.policy)


def sender_of(request: falcon.Request) -> Context:
    """Who sent a request, as the authentication found."""
    return cast(Context, request.context.sender)


def body_of(request: falcon.Request, times_usual: int = 1) -> dict[str, Any]:
    """The JSON object in the body of a request, {} for none. Raises BadRequestError, TooLargeError.

    ``times_usual`` is how many times the usual limit the body may have.
    """
    limit: int = request.context.max_body_bytes * times_usual
    length = request.content_length
    if length is not None and length > limit:
        raise _too_large(limit)
    raw = _read(request, limit + 1)
    if len(raw) > limit:
        raise _too_large(limit)
    if length is not None and len(raw) < length:
        raise BadRequestError("The body is shorter than Content-Length says")
    return parse_object(raw)


def skip_body(request: falcon.Request) -> None:
    """Read what is left of a body, within bounds: a client that is still sending would not see the answer."""
    with contextlib.suppress(BadRequestError):
        for _turn in range(_SKIP_BYTES // _SKIP_STEP_BYTES):
            if not _read(request, _SKIP_STEP_BYTES):
                break


def _read(request: falcon.Request, size: int) -> bytes:
    if request.content_length is not None:
        stream = cast(BinaryIO, request.bounded_stream)
    elif request.env.get("wsgi.input_terminated"):
        # A chunked body says only at its end how long it is.
        stream = cast(BinaryIO, request.stream)
    else:
        return b""
    try:
        return stream.read(size)
    except Exception as error:
        raise BadRequestError("The body could not be read to its end") from error


def is_unchanged(request: falcon.Request, response: falcon.Response, tag: str) -> bool:
    """Tell the client the state of what it asks for; whether it has seen that already, so that 304 is the answer."""
    response.set_header("ETag", tag)
    # Somebody else gets something else under the same address.
    response.set_header("Cache-Control", "private, no-cache")
    response.append_header("Vary", "X-Auth-Token, Authorization")
    seen = request.get_header("If-None-Match")
    if seen is None:
        return False
    # Weak comparison, as If-None-Match wants it.
    tags = [one.strip().removeprefix("W/") for one in seen.split(",")]
    if tag.removeprefix("W/") not in tags and "*" not in tags:
        return False
    response.status = falcon.HTTP_304
    return True


def write_json(response: falcon.Response, value: Any) -> None:
    """Answer with a value as JSON."""
    response.content_type = falcon.MEDIA_JSON
    response.text = json.dumps(value, separators=(",", ":"))


def write_stored(response: falcon.Response, stored: Stored, *, with_version: bool, with_secrets: bool) -> None:
    """Answer with a document as it is stored, where possible without reading its JSON; v1 wants its ``_version``."""
    text = stored.text if with_secrets else masked_text(stored)
    response.content_type = falcon.MEDIA_JSON
    if with_version:
        separator = "," if text != "{}" else ""
        response.text = f'{text[:-1]}{separator}"_version":{stored.version}}}'
    else:
        response.text = text


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"The body may have at most {limit} bytes")
