# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The common parts of the operations of the contract: parameters, headers, errors."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.kind import ID_SCHEMA, Kind

from ...domain.kinds.all import RULES
from ..searching import MAX_LIMIT, MAX_OFFSET, filters
from .schemas import INTEGER, TEXT, Schema, id_schema, reference, stored_name

Described = dict[str, Any]

#: Errors of every authenticated request, and of every one with a body.
ALWAYS = (401, 403, 406, 415, 429, 431, 503)
WITH_BODY = (400, *ALWAYS, 411, 413)

_ERRORS = (400, 401, 403, 404, 405, 406, 409, 411, 412, 413, 415, 429, 431, 503)
#: Errors of the server, in a line of text without a request id; 413 can come from the application too.
_OF_THE_SERVER = {413: ("application/json", "text/plain"), 431: ("text/plain",)}
_HEADERS = ("ETag", "Location", "Retry-After", "WWW-Authenticate", "x-openstack-request-id")
_EVERYWHERE = ("x-openstack-request-id",)


def json_body(schema: Schema) -> Described:
    """The content of a body in JSON."""
    return {"content": {"application/json": {"schema": schema}}}


def operation(
    name: str,
    summary: str,
    succeeds: Mapping[int, Mapping[str, Any]],
    fails: tuple[int, ...] = (),
    parameters: tuple[str, ...] = (),
    body: str | None = None,
    *,
    body_is_required: bool = True,
) -> Described:
    """One method of one path. ``parameters`` and ``body`` are names of components."""
    responses: Described = {
        str(status): {
            "description": HTTPStatus(status).phrase,
            **response,
            "headers": headers(*response.get("headers", ())),
        }
        for status, response in succeeds.items()
    }
    responses.update({str(status): error_reference(status) for status in sorted(fails)})
    described: Described = {"operationId": name, "summary": summary}
    if parameters:
        described["parameters"] = parameter_references(parameters)
    if body is not None:
        described["requestBody"] = {"required": body_is_required, **json_body(reference(body))}
    return {**described, "responses": responses}


def error_reference(status: int) -> Described:
    """A reference to an answer that is an error."""
    return {"$ref": f"#/components/responses/Error{status}"}


def headers(*names: str) -> Described:
    """References to headers of an answer."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*names, *_EVERYWHERE)}


def parameter_references(names: tuple[str, ...]) -> list[Described]:
    """References to parameters."""
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def list_parameters(kind: Kind) -> tuple[str, ...]:
    """The names of the parameters of a list."""
    search = "search_backups" if kind.name == "backup" else "search"
    return ("limit", "offset", "all_projects", "etags", search, *filters(kind), "If-None-Match")


def parameters() -> Described:
    """All parameters, by their names."""
    found: Described = {
        "limit": {"schema": {"type": "integer", "minimum": 0, "maximum": MAX_LIMIT, "default": 10}},
        "offset": {"schema": {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET, "default": 0}},
        "all_projects": {
            "schema": {"type": "boolean", "default": False},
            "description": "The documents of all projects.",
        },
        "etags": {"schema": {"type": "boolean", "default": False}, "description": "Also the ETags of the documents."},
        "search": {**json_body(reference("Search")), "description": "The search, which can be in the body instead."},
    }
    for rules in RULES.values():
        for name in filters(rules.kind):
            found[name] = {"schema": INTEGER if name.startswith("time_") else TEXT}
    found["search_backups"] = {**found["search"], "name": "search", **json_body(reference("BackupSearch"))}
    found = {name: {"name": name, "in": "query", **described} for name, described in found.items()}
    for name, description in (
        ("If-Match", "The ETag of the state that the change is based on."),
        ("If-None-Match", "The ETag of the answer that the client has."),
    ):
        found[name] = {"name": name, "in": "header", "schema": TEXT, "description": description}
    in_path = {"required": True, "in": "path"}
    found["path_project"] = {"name": "project_id", **in_path, "schema": {**ID_SCHEMA, "minLength": 1}}
    for rules in RULES.values():
        found["path_" + rules.kind.name] = {"name": rules.kind.id_key, **in_path, "schema": id_schema(rules.kind)}
    return found


def links(kind: Kind, version: int) -> Described:
    """The operations that take the id of a document that was created."""
    project = {"project_id": "$request.path.project_id"} if version == 2 else {}
    return {
        verb: {
            "operationId": f"{verb}{stored_name(kind)}V{version}",
            "parameters": {kind.id_key: f"$response.body#/{kind.id_key}", **project},
        }
        for verb in ("show", "change", "replace", "delete")
    }


def components() -> Described:
    """All components that operations refer to by name, except schemas."""
    return {
        "securitySchemes": {
            "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"},
            "basic": {"type": "http", "scheme": "basic"},
        },
        "parameters": parameters(),
        "headers": {name: {"schema": TEXT} for name in _HEADERS},
        "responses": {f"Error{status}": _error(status) for status in _ERRORS},
    }


def _error(status: int) -> Described:
    own = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}
    schemas = {"application/json": reference("Error"), "text/plain": TEXT}
    types = _OF_THE_SERVER.get(status, ("application/json",))
    return {
        "description": HTTPStatus(status).phrase,
        **({"headers": headers(*own.get(status, ()))} if "application/json" in types else {}),
        "content": {media_type: {"schema": schemas[media_type]} for media_type in types},
    }
