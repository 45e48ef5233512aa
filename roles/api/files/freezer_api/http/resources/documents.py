# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The routes of the five kinds of documents. ``project_id`` is in the URL of v2 and is None on v1."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from typing import Any

import falcon

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.secrets import without_secrets

from ...access.secrets import without_secret_conditions
from ...domain.kinds.base import Rules
from ...domain.service import Service, Written
from ...errors import BadRequestError, ConflictingError
from ...store.base import ALL_OWNERS
from ..searching import filters, page, query
from .base import (
    NO_PROJECT,
    Readable,
    access_of,
    authorize,
    authorized_body,
    body_of,
    is_unchanged,
    may_see_secrets,
    sender_of,
    shown,
    write_document,
    write_json,
)
from .long_answers import LongAnswers

_PARAMETERS = ("limit", "offset", "all_projects", "search", "etags")
_TRUE = ("true", "1", "yes")
_FALSE = ("false", "0", "no")


class Collection(Readable):
    """``/jobs`` and the like."""

    def __init__(self, service: Service, rules: Rules, version: int, answers: LongAnswers) -> None:
        self._answers = answers
        self._service = service
        self._rules = rules
        self._kind = rules.kind
        self._version = version

    def on_get(self, request: falcon.Request, response: falcon.Response, project_id: str | None = None) -> None:
        """List the documents of a page, or the ones that a search finds."""
        access = access_of(request, project_id, f"{self._kind.plural}:get_all")
        scope = access.scope
        parameters = self._parameters(request)
        if _is_wanted(request, "all_projects"):
            authorize(request, access, f"{self._kind.plural}:get_all_projects")
            # A client has documents in one project only.
            scope = scope if scope.client_id else ALL_OWNERS
        # Secrets of several projects are shown to callers who may see them in every project.
        with_secrets = may_see_secrets(request, self._kind, scope.project_id or NO_PROJECT)
        with_etags = _is_wanted(request, "etags")
        wanted = page(request.get_param("limit"), request.get_param("offset"))
        search = query(self._kind, body_of(request), request.get_param("search"), parameters)
        if not with_secrets:
            search = without_secret_conditions(search)
        # Read before the documents, so that the next request sees what is written in between.
        state = self._service.store.state(self._kind.name, scope)
        asked = (scope, sorted(sender_of(request).roles), with_secrets, wanted, search, with_etags)
        if is_unchanged(request, response, f'W/"{state}-{zlib.crc32(repr(asked).encode("utf-8", "replace")):08x}"'):
            return
        found = self._service.store.stream(self._kind.name, scope, search, wanted.limit, wanted.offset)
        documents = (shown(stored, with_secrets=with_secrets) for stored in found)
        response.content_type = falcon.MEDIA_JSON
        self._answers.send(request.context.request_id, response, self._pieces(documents, with_etags=with_etags))

    def _pieces(self, documents: Iterator[tuple[str, str]], *, with_etags: bool) -> Iterator[str]:
        """The JSON of a list, document by document."""
        tags = []
        separator = f'{{"{self._kind.plural}":['
        for text, tag in documents:
            yield separator + text
            separator = ","
            if with_etags:
                tags.append(tag)
        begin = "" if separator == "," else separator
        etags = f',"etags":{json.dumps(tags)}' if with_etags else ""
        yield f"{begin}]{etags}}}"

    def _parameters(self, request: falcon.Request) -> list[tuple[str, str]]:
        """The query parameters that name fields. Raises BadRequestError for an unknown one."""
        found = []
        known = filters(self._kind)
        for name, given in request.params.items():
            if name in known:
                found += [(name, value) for value in (given if isinstance(given, list) else [given])]
            elif name not in _PARAMETERS:
                raise BadRequestError(
                    f"A list of {self._kind.plural} has no parameter {name[:100]!r}; it has "
                    f"{', '.join((*_PARAMETERS, *known))}",
                    title="Invalid parameter",
                )
        return found

    def on_post(self, request: falcon.Request, response: falcon.Response, project_id: str | None = None) -> None:
        """Create a document."""
        access = access_of(request, project_id, f"{self._kind.plural}:create")
        body = authorized_body(request, access, self._kind, self._rules.usual(body_of(request)))
        try:
            written = self._service.create(self._rules, access, body)
        except ConflictingError:
            if self._kind.name != "client" or self._version == 1:
                raise
            # Since freezer-api 19 registering a client again updates it.
            written = self._service.change(self._rules, access, body["client_id"], body)
        response.status = falcon.HTTP_201
        response.location = f"{request.root_path}{request.path}/{falcon.uri.encode_value(written.id)}"
        write_json(response, {self._kind.id_key: written.id, **_warnings(written)})


class Single(Readable):
    """``/jobs/{id}`` and the like."""

    def __init__(self, service: Service, rules: Rules, version: int) -> None:
        self._service = service
        self._rules = rules
        self._kind = rules.kind
        self._version = version

    def on_get(
        self, request: falcon.Request, response: falcon.Response, document_id: str, project_id: str | None = None
    ) -> None:
        """Show a document."""
        access = access_of(request, project_id, f"{self._kind.plural}:get")
        stored = self._service.get(self._rules, access, document_id)
        text, tag = shown(stored, with_secrets=may_see_secrets(request, self._kind, stored.owner.project_id))
        if not is_unchanged(request, response, tag):
            write_document(response, text, stored.version if self._version == 1 else None)

    def on_post(
        self, request: falcon.Request, response: falcon.Response, document_id: str, project_id: str | None = None
    ) -> None:
        """Create a document under this id, or replace the one that has it."""
        access = access_of(request, project_id, f"{self._kind.plural}:replace")
        if not self._kind.is_id(document_id):
            raise BadRequestError(f"{document_id[:100]!r} cannot be the ID of a {self._kind.name}")
        body = authorized_body(request, access, self._kind, self._rules.usual(body_of(request)), document_id)
        written = self._service.create_or_replace(
            self._rules, access, document_id, body, request.get_header("If-Match")
        )
        response.status = falcon.HTTP_201
        self._write_version(response, written)

    def on_patch(
        self, request: falcon.Request, response: falcon.Response, document_id: str, project_id: str | None = None
    ) -> None:
        """Change the keys of a document that the body names."""
        access = access_of(request, project_id, f"{self._kind.plural}:update")
        body = authorized_body(request, access, self._kind, self._rules.usual(body_of(request)), is_change=True)
        written = self._service.change(self._rules, access, document_id, body, request.get_header("If-Match"))
        if self._kind.name == "backup":
            # As the answer of freezer-api 19, which introduced this route.
            with_secrets = may_see_secrets(request, self._kind, written.document["project_id"])
            write_json(response, written.document if with_secrets else without_secrets(written.document))
        else:
            self._write_version(response, written)

    def on_delete(
        self, request: falcon.Request, response: falcon.Response, document_id: str, project_id: str | None = None
    ) -> None:
        """Remove a document."""
        access = access_of(request, project_id, f"{self._kind.plural}:delete")
        self._service.delete(self._rules, access, document_id, request.get_header("If-Match"))
        response.status = falcon.HTTP_204

    def _write_version(self, response: falcon.Response, written: Written) -> None:
        write_json(response, {self._kind.id_key: written.id, "version": written.version, **_warnings(written)})


def _warnings(written: Written) -> dict[str, Any]:
    """The warnings about a document that was stored. Freezer's clients ignore the key."""
    return {"warnings": list(written.warnings)} if written.warnings else {}


def _is_wanted(request: falcon.Request, parameter: str) -> bool:
    text = request.get_param(parameter, default="false").lower()
    if text not in _TRUE + _FALSE:
        raise BadRequestError(f"{parameter} is {text[:40]!r}; it must be true or false", title="Invalid parameter")
    return text in _TRUE
