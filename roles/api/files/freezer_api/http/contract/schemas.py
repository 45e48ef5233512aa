# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The JSON schemas of bodies: those of the documents, and those of what contains them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.check import action_schema
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.action import FREEZER_ACTION_SCHEMA
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.kind import Kind
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.kinds import (
    BACKUP_STATUSES,
    INCOMPLETE_STATUSES,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.schema import (
    CHECKED_TRIGGERS,
    SCHEDULE_SCHEMA,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.states import EVENTS

from ...domain.batches import MAX_ITEMS
from ...domain.kinds.all import RULES
from ...store.base import MAX_INTEGER, MIN_INTEGER

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
#: All numbers have to fit in 64 bits.
INTEGER: Schema = {"type": "integer", "minimum": MIN_INTEGER, "maximum": MAX_INTEGER}
WARNINGS: Schema = {
    "type": "array",
    "items": TEXT,
    "description": "What is stored, but the agent of this release will not do as written.",
}
VERSION: Schema = {"type": "integer", "minimum": 1}


def reference(name: str) -> Schema:
    """A schema of ``components`` by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def stored_name(kind: Kind) -> str:
    """The name of the schema of a document as the API shows it: ``Job``."""
    return kind.name.capitalize()


def sent_name(kind: Kind) -> str:
    """The name of the schema of what creates a document: ``NewJob``."""
    return "New" + stored_name(kind)


def replacement_name(kind: Kind) -> str:
    """The name of the schema of what is sent to an id: ``JobUnderId``."""
    return stored_name(kind) + "UnderId"


def changes_name(kind: Kind) -> str:
    """The name of the schema of a change: ``JobChanges``."""
    return stored_name(kind) + "Changes"


def list_name(kind: Kind) -> str:
    """The name of the schema of a list: ``Jobs``."""
    return kind.plural.capitalize()


def batch_name(kind: Kind) -> str:
    """The name of the schema of a batch: ``JobBatch``."""
    return stored_name(kind) + "Batch"


def id_schema(kind: Kind) -> Schema:
    """The schema of the ids of a kind."""
    return {"type": "string", "pattern": kind.id_pattern, "minLength": 1, "maxLength": 255}


def schemas() -> dict[str, Schema]:
    """All schemas, by their names."""
    found: dict[str, Schema] = {
        "Error": _object({"title": TEXT, "description": TEXT}, required=("title", "description")),
        "Value": _value(),
        "Search": _search(),
        "BackupSearch": _search_of_backups(),
        "ActionPart": _action({key: part for key, part in action_schema().items() if key != "anyOf"}),
        "CompleteAction": _action(action_schema()),
        "Schedule": _schedule(),
        "Event": _event(),
        "SessionAction": _session_action(),
    }
    for rules in RULES.values():
        kind = rules.kind
        found[sent_name(kind)] = _sent(kind)
        found[replacement_name(kind)] = _without_id(kind)
        found[changes_name(kind)] = _changes(kind)
        found[stored_name(kind)] = _stored(kind)
        found[list_name(kind)] = _list(kind)
        found[batch_name(kind)] = _batch(kind)
        found[batch_name(kind) + "Outcome"] = _batch_outcome(kind)
    return {name: schema if name == "Value" else _within_64_bits(schema) for name, schema in found.items()}


def search_name(kind: Kind) -> str:
    """The name of the schema of a search."""
    return "BackupSearch" if kind.name == "backup" else "Search"


def _object(properties: Mapping[str, Schema], required: tuple[str, ...] = (), **further: Any) -> Schema:
    schema: Schema = {"type": "object", "properties": dict(properties), **further}
    if required:
        schema["required"] = list(required)
    return schema


def _without_required(schema: Mapping[str, Any]) -> Schema:
    return {key: value for key, value in schema.items() if key != "required"}


def _sent(kind: Kind) -> Schema:
    if kind.name == "backup":
        # An incomplete backup may have no location.
        incomplete = {"properties": {"status": {"enum": list(INCOMPLETE_STATUSES)}}, "required": ["status"]}
        named: Schema = {"type": "string", "minLength": 1}
        complete = {
            "properties": {"container": named},
            "required": ["container"],
            "anyOf": [{"properties": {name: named}, "required": [name]} for name in ("hostname", "host_name")],
        }
        return {**kind.schema, "anyOf": [incomplete, complete]}
    return _checked(kind, kind.schema)


def _checked(kind: Kind, schema: Mapping[str, Any]) -> Schema:
    """The schema of a kind as it is sent, with stricter schemas of actions and schedules than for what is stored."""
    properties = dict(schema["properties"])
    if kind.name == "session":
        properties["schedule"] = reference("Schedule")
    elif kind.name == "action":
        properties["freezer_action"] = reference("CompleteAction")
    elif kind.name == "job":
        # An action is complete, or names another one by its id, or the job has defaults.
        element = properties["job_actions"]["items"]
        keys = {key: part for key, part in element["properties"].items() if key != "freezer_action"}
        complete: Schema = {
            "anyOf": [
                {"properties": {"freezer_action": reference("CompleteAction")}, "required": ["freezer_action"]},
                {"not": {"required": ["freezer_action"]}, "required": ["action_id"]},
            ]
        }
        properties["job_actions"] = {
            **properties["job_actions"],
            "items": {**element, "properties": {**keys, "freezer_action": reference("ActionPart")}},
        }
        properties["action_defaults"] = reference("ActionPart")
        properties["job_schedule"] = reference("Schedule")
        sufficient = [
            {"properties": {"action_defaults": reference("CompleteAction")}, "required": ["action_defaults"]},
            {"properties": {"job_actions": {"items": complete}}},
        ]
        return {**schema, "properties": properties, "anyOf": sufficient}
    return {**schema, "properties": properties}


def _action(schema: Mapping[str, Any]) -> Schema:
    """An action with the values that are accepted, and the narrower types of the stored schema."""
    known = FREEZER_ACTION_SCHEMA["properties"]
    properties = {**schema["properties"], **{key: part for key, part in known.items() if key != "action"}}
    return {**schema, "properties": properties, "additionalProperties": True}


def _schedule() -> Schema:
    """A valid schedule, as far as a schema can say: it cannot say that a range ascends."""
    return {**SCHEDULE_SCHEMA, "properties": {**SCHEDULE_SCHEMA["properties"], **CHECKED_TRIGGERS}}


def _without_id(kind: Kind) -> Schema:
    """The schema of what is sent to an id: the id in the body is ignored, and can be left out."""
    schema = _sent(kind)
    required = [name for name in schema["required"] if name != kind.id_key]
    properties = {name: part for name, part in schema["properties"].items() if name != kind.id_key}
    return {**schema, "properties": properties, "required": required, "minProperties": 1}


def _changes(kind: Kind) -> Schema:
    schema = _checked(kind, kind.patch_schema)
    if kind.name == "action":
        # The change is merged into a complete action.
        schema["properties"]["freezer_action"] = reference("ActionPart")
    return schema


def _stored(kind: Kind) -> Schema:
    owner = {"user_id": TEXT, "project_id": TEXT}
    names = ("user_id", "project_id")
    if kind.wrapped_in is not None:
        wrapped = _without_required(kind.schema)
        if kind.name == "client":
            wrapped["required"] = ["client_id"]
        properties = {**owner, kind.wrapped_in: wrapped}
        if kind.name == "backup":
            properties.update(backup_id=id_schema(kind), user_name=TEXT, status={"enum": list(BACKUP_STATUSES)})
            return _object(properties, ("backup_id", *names, "status", "backup_metadata"))
        return _object(properties, (*names, kind.wrapped_in))
    properties = {**kind.schema["properties"], **owner, kind.id_key: id_schema(kind), "_version": VERSION}
    required: tuple[str, ...] = tuple(kind.schema["required"])
    if kind.name == "job":
        del properties["action_defaults"]
        required += ("job_schedule",)
    if kind.name == "session":
        # The schedulers of a session write about its jobs here.
        properties["jobs"] = {"type": "object", "additionalProperties": {"type": "object"}}
        required += ("session_tag", "jobs")
    return _object(properties, (*required, kind.id_key, *names))


def _list(kind: Kind) -> Schema:
    etags = {
        "type": "array",
        "items": TEXT,
        "description": "With etags=true: the ETags, in the order of the documents.",
    }
    documents = {"type": "array", "items": reference(stored_name(kind)), "maxItems": 1000}
    return _object({kind.plural: documents, "etags": etags}, (kind.plural,), additionalProperties=False)


def _batch(kind: Kind) -> Schema:
    base = {kind.id_key: id_schema(kind), "if_match": {"type": ["string", "null"]}}
    items = [
        _object(
            {**base, "op": {"const": operation}, **payload},
            ("op", kind.id_key, *payload),
            additionalProperties=False,
        )
        for operation, payload in (
            # The id need not be repeated in the document.
            ("replace", {"document": {"type": "object"}}),
            ("patch", {"changes": reference(changes_name(kind))}),
            ("delete", {}),
        )
    ]
    listed = {"type": "array", "items": {"oneOf": items}, "maxItems": MAX_ITEMS}
    return _object({"items": listed}, ("items",), additionalProperties=False)


def _batch_outcome(kind: Kind) -> Schema:
    item = _object(
        {
            kind.id_key: {"type": ["string", "null"]},
            "status": {"enum": [200, 201, 204, 400, 404, 409, 412, 413, 503]},
            "version": VERSION,
            "warnings": WARNINGS,
            "title": TEXT,
            "description": TEXT,
        },
        (kind.id_key, "status"),
        additionalProperties=False,
    )
    return _object({"items": {"type": "array", "items": item}}, ("items",), additionalProperties=False)


def _scalar() -> Schema:
    return {"type": ["string", "number", "boolean", "null"], "minimum": MIN_INTEGER, "maximum": MAX_INTEGER}


def _value() -> Schema:
    """Any JSON whose numbers fit in 64 bits."""
    return {
        "anyOf": [
            _scalar(),
            {"type": "array", "items": reference("Value")},
            {"type": "object", "additionalProperties": reference("Value")},
        ]
    }


def _within_64_bits(schema: Any) -> Any:
    """A schema of a document, with bounds on all numbers, also on those of keys that it does not name."""
    if isinstance(schema, list):
        return [_within_64_bits(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    bounded = {key: _within_64_bits(part) for key, part in schema.items()}
    types = schema.get("type", ())
    if types == "integer" or "integer" in types:
        bounded = {"minimum": MIN_INTEGER, "maximum": MAX_INTEGER, **bounded}
    if (types == "object" or "object" in types) and schema.get("additionalProperties", True) is True:
        bounded["additionalProperties"] = reference("Value")
    return bounded


def _search() -> Schema:
    pairs = {
        "type": "object",
        "patternProperties": {r"^(?!_all$)[\w-]+(\.[\w-]+)*$": _scalar()},
        "properties": {"_all": {**_scalar(), "type": ["string", "number"], "minLength": 1}},
        "additionalProperties": False,
    }
    conditions = {"type": ["array", "null"], "items": pairs, "maxItems": 100}
    return _object(
        {
            "match": {**conditions, "description": "All of these have to match."},
            "match_not": {**conditions, "description": "None of these may match."},
        },
        additionalProperties=False,
    )


def _search_of_backups() -> Schema:
    search = _search()
    seconds = {"type": ["integer", "null"], "minimum": MIN_INTEGER, "maximum": MAX_INTEGER}
    search["properties"].update(
        time_after={**seconds, "description": "Not earlier than this, in seconds since 1970."},
        time_before={**seconds, "description": "Not later than this, in seconds since 1970."},
    )
    return search


def _event() -> Schema:
    return _object(
        {event: reference("Value") for event in EVENTS},
        minProperties=1,
        maxProperties=1,
        additionalProperties=False,
        description="One event; its value is ignored.",
    )


def _session_action() -> Schema:
    # The command line of freezerclient sends the number as a string.
    tag = {"anyOf": [INTEGER, {"type": "string", "pattern": "^-?[0-9]{1,18}$"}]}
    job = {"job_id": TEXT, "current_tag": tag}
    start = _object(job, ("job_id", "current_tag"))
    end = _object({**job, "result": TEXT}, ("job_id", "result"))
    return _object({"start": start, "end": end}, minProperties=1, maxProperties=1, additionalProperties=False)
