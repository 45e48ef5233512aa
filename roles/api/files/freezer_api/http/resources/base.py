# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What all resources read from a request and write to a response."""

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

#: What a rule is asked about to know whether it holds in whatever project: no project has this name.
NO_PROJECT = ""


class Readable:
    """What can be read by GET can be asked for by HEAD too (RFC 9110, 9.3.2): the same answer without its body."""

    def on_head(self, request: falcon.Request, response: falcon.Response, **parameters: str) -> None:
        """Answer as to a GET; falcon leaves the body out."""
        cast(Any, self).on_get(request, response, **parameters)


def access_of(request: falcon.Request, project_id: str | None, rule: str) -> Access:
    """Whose documents a request is about, if a rule of the policy lets its sender act there.

    ``project_id`` comes from the URL of a v2 request. On v1 no URL says which project a document is in: there only
    those whom the rule lets act in every project reach what lies outside their own. Raises ForbiddenError,
    NotFoundError.
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
    """A body that the sender of a request may write, completed by what the sender's account says.

    ``document_id`` is the id that a whole document is sent to, None where the body says it. ``is_change`` says that the
    body changes a document, and is no whole one. Raises ForbiddenError.
    """
    if kind.name == "client" and body.get("is_central"):
        # It is said to run jobs of every project.
        authorize(request, found, "clients:create_central")
    client_id = found.scope.client_id
    if client_id is None:
        return dict(body)
    return body_of_node(kind, body, client_id, document_id, is_change=is_change)


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
    if length is None and request.get_header("Transfer-Encoding") is not None:
        return parse_object(_chunked_body(request, limit))
    return parse_object(request.bounded_stream.read())


def _chunked_body(request: falcon.Request, limit: int) -> bytes:
    """A body without a length, as other servers than ours hand it on. Raises LengthRequiredError, TooLargeError."""
    if not request.env.get("wsgi.input_terminated"):
        # uwsgi and mod_wsgi give an empty body then: an empty one is not what was sent.
        raise LengthRequiredError(
            "The server in front of the API does not hand on a body in chunks; send it with Content-Length, or set the "
            "server up for chunks"
        )
    body = bytearray()
    while piece := request.stream.read(limit + 1 - len(body)):
        body += piece
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


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


def shown(stored: Stored, *, with_secrets: bool) -> tuple[str, str]:
    """The JSON of a document as somebody may see it, and the entity tag of just that."""
    text = stored.text if with_secrets else masked_text(stored)
    return text, etag(stored, is_masked=text != stored.text)


def write_document(response: falcon.Response, text: str, version: int | None) -> None:
    """Answer with the JSON of a document, without reading it; v1 wants its ``_version``."""
    response.content_type = falcon.MEDIA_JSON
    if version is not None:
        separator = "," if text != "{}" else ""
        text = f'{text[:-1]}{separator}"_version":{version}}}'
    response.text = text


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"The body may have at most {limit} bytes")
