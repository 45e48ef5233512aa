# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The contract of the API as an OpenAPI document, made from the routes and from the schemas of the documents.

``python -m ansible_collections.freezer.backup.roles.api.files.freezer_api.http.contract.document`` writes it for docs/.
"""

from __future__ import annotations

import functools
import json
import sys
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.kind import Kind

from ...domain.kinds.all import RULES
from .parts import (
    ALWAYS,
    WITH_BODY,
    Described,
    components,
    error_reference,
    json_body,
    links,
    list_parameters,
    operation,
    parameter_references,
)
from .schemas import (
    INTEGER,
    TEXT,
    VERSION,
    WARNINGS,
    batch_name,
    changes_name,
    id_schema,
    list_name,
    reference,
    replacement_name,
    schemas,
    search_name,
    sent_name,
    stored_name,
)

_LINE_WIDTH = 120


@functools.cache
def text() -> str:
    """The document as JSON."""
    return _laid_out(document()) + "\n"


def document() -> Described:
    """The document."""
    paths = _discovery()
    for version in (1, 2):
        for rules in RULES.values():
            paths.update(_in_version(version, rules.kind.plural, _kind_paths(version, rules.kind)))
        paths.update(_in_version(version, "jobs", _job_paths(version)))
        paths.update(_in_version(version, "sessions", _session_paths(version)))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Freezer REST API of freezer.backup",
            "version": "2",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "Clients, jobs, actions, sessions and backups. v1 shows the documents of a user, v2 those of a"
            " project. docs/api.md describes what a schema cannot.",
        },
        "security": [{"token": []}, {"basic": []}, {}],
        "paths": paths,
        "components": {**components(), "schemas": schemas()},
    }


def _laid_out(value: Any, indent: int = 0, used: int = 0) -> str:
    """JSON in which every value that fits on one line is on one."""
    line = json.dumps(value)
    if used + len(line) < _LINE_WIDTH or not isinstance(value, (dict, list)) or not value:
        return line
    inner = indent + 1
    if isinstance(value, dict):
        entries = [f"{json.dumps(key)}: {_laid_out(part, inner, inner + len(key) + 4)}" for key, part in value.items()]
        opening, closing = "{", "}"
    else:
        entries = [_laid_out(part, inner, inner) for part in value]
        opening, closing = "[", "]"
    lines = ",\n".join(" " * inner + entry for entry in entries)
    return f"{opening}\n{lines}\n{' ' * indent}{closing}"


def _discovery() -> Described:
    described: Described = {}
    for path, name, status, media_type, summary in (
        ("/", "versions", 300, "application/json", "The versions of the API"),
        ("/v1", "homeV1", 200, "application/json-home", "The resources of v1"),
        ("/v2", "homeV2", 200, "application/json-home", "The resources of v2"),
        ("/healthcheck", "health", 200, "text/plain", "Whether requests can be served"),
        ("/openapi.json", "contract", 200, "application/json", "This document"),
    ):
        schema = TEXT if media_type == "text/plain" else {"type": "object"}
        show = operation(name, summary, {status: {"content": {media_type: {"schema": schema}}}}, (503,))
        described[path] = {"get": {**show, "security": []}}
    return described


def _in_version(version: int, tag: str, paths: Described) -> Described:
    """Paths below their version, with its parameters, and a tag on each operation."""
    base, project = ("/v1", ()) if version == 1 else ("/v2/{project_id}", ("path_project",))
    placed: Described = {}
    for path, (names, methods) in paths.items():
        tagged = {method: {"tags": [f"{tag} v{version}"], **described} for method, described in methods.items()}
        if version == 2:
            # No project may have this id.
            for described in tagged.values():
                described["responses"].setdefault("404", error_reference(404))
        common = parameter_references((*project, *names))
        placed[base + path] = {**({"parameters": common} if common else {}), **tagged}
    return placed


def _kind_paths(version: int, kind: Kind) -> Described:
    one, many, suffix = kind.name, kind.plural, f"V{version}"
    title = stored_name(kind)
    stored = json_body(reference(title))
    created_id = {kind.id_key: id_schema(kind)}
    told = {"warnings": WARNINGS} if kind.name in ("action", "job") else {}
    created = json_body({"type": "object", "properties": {**created_id, **told}, "required": [kind.id_key]})
    versioned = {**created_id, "version": VERSION}
    written = json_body({"type": "object", "properties": {**versioned, **told}, "required": list(versioned)})
    is_updated = kind.name == "client" and version == 2
    return {
        f"/{many}": (
            (),
            {
                "get": operation(
                    f"list{list_name(kind)}{suffix}",
                    f"{list_name(kind)}, in the order in which they were created",
                    {200: {**json_body(reference(list_name(kind))), "headers": ["ETag"]}, 304: {"headers": ["ETag"]}},
                    WITH_BODY,
                    list_parameters(kind),
                    search_name(kind),
                    body_is_required=False,
                ),
                "post": operation(
                    f"create{title}{suffix}",
                    f"Create a {one} with the id in the body, or with a new one",
                    {201: {**created, "headers": ["Location"], "links": links(kind, version)}},
                    WITH_BODY if is_updated else (*WITH_BODY, 409),
                    (),
                    sent_name(kind),
                ),
            },
        ),
        f"/{many}:batch": (
            (),
            {
                "post": operation(
                    f"batch{title}{suffix}",
                    f"Write many {many}, with a result for each",
                    {200: json_body(reference(batch_name(kind) + "Outcome"))},
                    WITH_BODY,
                    (),
                    batch_name(kind),
                )
            },
        ),
        f"/{many}/{{{kind.id_key}}}": (
            ("path_" + kind.name,),
            {
                "get": operation(
                    f"show{title}{suffix}",
                    f"Show the {one}",
                    {200: {**stored, "headers": ["ETag"]}, 304: {"headers": ["ETag"]}},
                    (*ALWAYS, 404),
                    ("If-None-Match",),
                ),
                "post": operation(
                    f"replace{title}{suffix}",
                    f"Create the {one} under this id, or replace it",
                    {201: written},
                    (*WITH_BODY, 409, 412),
                    ("If-Match",),
                    replacement_name(kind),
                ),
                "patch": operation(
                    f"change{title}{suffix}",
                    f"Change what the body names of the {one}",
                    {200: stored if kind.name == "backup" else written},
                    (*WITH_BODY, 404, 412),
                    ("If-Match",),
                    changes_name(kind),
                    body_is_required=False,
                ),
                "delete": operation(
                    f"delete{title}{suffix}", f"Remove the {one}", {204: {}}, (*ALWAYS, 404, 412), ("If-Match",)
                ),
            },
        ),
    }


def _job_paths(version: int) -> Described:
    requested = json_body({"type": "object", "properties": {"result": TEXT}, "required": ["result"]})
    event = operation(
        f"requestEventV{version}",
        "Ask the scheduler of the job for an event",
        {202: requested},
        (*WITH_BODY, 404),
        (),
        "Event",
    )
    return {"/jobs/{job_id}/event": (("path_job",), {"post": event})}


def _session_paths(version: int) -> Described:
    properties = {"result": {"enum": ["success", "hold-off", "out-of-sync"]}, "session_tag": INTEGER}
    action = operation(
        f"actInSessionV{version}",
        "Start or end a job in a round of the session",
        {202: json_body({"type": "object", "properties": properties, "required": list(properties)})},
        (*WITH_BODY, 404, 405),
        (),
        "SessionAction",
    )
    add, remove = (
        operation(f"{name}V{version}", summary, {204: {}}, (*ALWAYS, 404))
        for name, summary in (
            ("addJobToSession", "Put the job into the session"),
            ("removeJobFromSession", "Take the job out of the session"),
        )
    )
    return {
        "/sessions/{session_id}/action": (("path_session",), {"post": action}),
        "/sessions/{session_id}/jobs/{job_id}": (("path_session", "path_job"), {"put": add, "delete": remove}),
    }


if __name__ == "__main__":
    sys.stdout.write(text())
