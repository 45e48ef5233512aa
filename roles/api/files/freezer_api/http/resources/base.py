# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Reading requests and writing responses, for all resources."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

import falcon

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.kind import Kind

from ...access.context import Access, Context, access
from ...access.node_writes import body_of_node
from ...access.policy import Policy
from ...access.secrets import masked_text
from ...domain.planning import etag
from ...errors import LengthRequiredError, TooLargeError
from ...store.base import Stored
from ..json_body import parse_object

#: Stands for all projects when a rule is checked: no project has this name.
NO_PROJECT = ""


class Readable:
    """A resource that answers HEAD as GET, without the body (RFC 9110, 9.3.2)."""

    def on_head(self, request: falcon.Request, response: falcon.Response, **parameters: str) -> None:
        """Answer as to a GET; falcon leaves the body out."""
        cast(Any, self).on_get(request, response, **parameters)


def access_of(request: falcon.Request, project_id: str | None, rule: str) -> Access:
    """The documents that a request is about, if a rule of the policy lets its sender act there.

    ``project_id`` comes from the URL of a v2 request. A v1 URL names no project: there only callers whom the rule lets
    act in every project reach documents outside their own. Raises ForbiddenError, NotFoundError.
    """
    sender = sender_of(request)
    in_all_projects = project_id is None and policy_of(request).allows(sender, rule, NO_PROJECT)
    found = access(sender, project_id, in_all_projects=in_all_projects)
    authorize(request, found, rule)
    return found


def authorize(request: falcon.Request, found: Access, rule: str) -> None:
    """Raise ForbiddenError unless a rule of the policy lets the sender of a request act there."""
    policy_of(request).authorize(sender_of(request), rule, found.owner.project_id)


def authorized_body(
    request: falcon.Request,
    found: Access,
    kind: Kind,
    body: Mapping[str, Any],
    document_id: str | None = None,
    *,
    is_change: bool = False,
) -> dict[str, Any]:
    """A body that the sender of a request may write, with the client of a node's account added.

    ``document_id`` is the id in the URL of a whole document, None where the body has it. ``is_change`` says that the
    body changes a document and is not a whole one. Raises ForbiddenError.
    """
    if kind.name == "client" and body.get("is_central"):
        # A central client runs jobs of every project.
        authorize(request, found, "clients:create_central")
    client_id = found.scope.client_id
    if client_id is None:
        return dict(body)
    return body_of_node(kind, body, client_id, document_id, is_change=is_change)


def may_see_secrets(request: falcon.Request, kind: Kind, project_id: str) -> bool:
    """Whether the sender of a request may see passwords and the like in documents of a kind in a project."""
    return policy_of(request).allows(sender_of(request), f"{kind.plural}:get_secrets", project_id)


def policy_of(request: falcon.Request) -> Policy:
    """The policy of the application."""
    return cast(Policy, request.context.policy)


def sender_of(request: falcon.Request) -> Context:
    """The authenticated sender of a request."""
    return cast(Context, request.context.sender)


def body_of(request: falcon.Request, times_usual: int = 1) -> dict[str, Any]:
    """The JSON object in the body of a request, {} for none. Raises BadRequestError, TooLargeError.

    The body may have ``times_usual`` times the usual limit.
    """
    limit: int = request.context.max_body_bytes * times_usual
    length = request.content_length
    if length is not None and length > limit:
        raise _too_large(limit)
    if length is None and request.get_header("Transfer-Encoding") is not None:
        return parse_object(_chunked_body(request, limit))
    return parse_object(request.bounded_stream.read())


def _chunked_body(request: falcon.Request, limit: int) -> bytes:
    """A body without a length, as other WSGI servers pass it on. Raises LengthRequiredError, TooLargeError."""
    if not request.env.get("wsgi.input_terminated"):
        # uwsgi and mod_wsgi pass on an empty body then, which is not what was sent.
        raise LengthRequiredError(
            "The server in front of the API does not pass on a body in chunks; send it with Content-Length, or configure "
            "the server for chunks"
        )
    body = bytearray()
    while piece := request.stream.read(limit + 1 - len(body)):
        body += piece
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def is_unchanged(request: falcon.Request, response: falcon.Response, tag: str) -> bool:
    """Set the entity tag of the answer; True if the client has that state already, so that the answer is 304."""
    response.set_header("ETag", tag)
    # Other callers get other documents under the same URL.
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


def shown(stored: Stored, *, with_secrets: bool) -> tuple[str, str]:
    """The JSON of a document, with its secrets or with asterisks, and the entity tag of that form."""
    text = stored.text if with_secrets else masked_text(stored)
    return text, etag(stored, is_masked=text != stored.text)


def write_document(response: falcon.Response, text: str, version: int | None) -> None:
    """Answer with the JSON of a document, without parsing it; ``version`` is added as the ``_version`` of v1."""
    response.content_type = falcon.MEDIA_JSON
    if version is not None:
        separator = "," if text != "{}" else ""
        text = f'{text[:-1]}{separator}"_version":{version}}}'
    response.text = text


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"The body may have at most {limit} bytes")
