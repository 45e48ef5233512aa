# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Converting the documents of an old Freezer's index to documents of this API.

The old index has all kinds together, in several forms: ``""`` for numbers that were not given, both ``time_stamp`` and
``timestamp``, both ``hostname`` and ``host_name``; a client's id is only inside the document; documents of version 1 have
no project; sessions have ``[]`` for no jobs. Unambiguous forms are converted, others are rejected with the reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..domain.kinds.all import RULES
from ..errors import ApiError
from ..store.base import Document, Owner

#: The plural of each kind, which is the name of its rules.
_PLURALS = {rules.kind.name: plural for plural, rules in RULES.items()}

_ACTION_NUMBERS = (
    *("max_level", "max_segment_size", "remove_older_than", "remove_older_then", "ssh_port", "restart_always_level"),
    *("max_retries", "max_retries_interval", "max_priority", "always_level"),
)
_ACTION_SWITCHES = ("snapshot", "dry_run", "no_incremental", "overwrite")
_BACKUP_NUMBERS = (
    *("backup_session", "backup_size_compressed", "backup_size_uncompressed", "level", "max_level", "ssh_port"),
    *("timestamp", "time_stamp", "total_backup_session_size", "total_broken_links", "total_directories"),
    *("total_fs_files", "curr_backup_level", "always_level", "restart_always_level"),
)
_BACKUP_SWITCHES = ("dry_run", "encrypted", "no_incremental", "overwrite")
_SCHEDULE_NUMBERS = ("time_created", "time_started", "time_ended", "current_pid")
_REPETITION_NUMBERS = ("max_retries", "max_retries_interval")
_SESSION_NUMBERS = ("session_tag", "hold_off", "time_start", "time_end", "time_started", "time_ended")


class Rejected(Exception):
    """A document cannot be converted; the message is the reason."""


@dataclass(frozen=True)
class Converted:
    """A document of this API."""

    kind: str
    id: str
    owner: Owner
    document: Document


def kind_of(source: Mapping[str, Any]) -> str | None:
    """The kind of an old document, from the keys that only one kind has."""
    if "backup_metadata" in source or "backup_id" in source:
        return "backup"
    if "job_actions" in source or "job_schedule" in source:
        return "job"
    if isinstance(source.get("client"), Mapping):
        return "client"
    if "freezer_action" in source:
        return "action"
    if "session_id" in source or "session_tag" in source:
        return "session"
    # In the oldest clients all keys are at the top.
    if "client_id" in source and "hostname" in source:
        return "client"
    return None


def convert(hit_id: str, source: Any, project_id: str | None = None) -> Converted:
    """The document for one of the old index; ``project_id`` is for those without a project. Raises Rejected."""
    if not isinstance(source, Mapping):
        raise Rejected("it is no object")
    kind = kind_of(source)
    if kind is None:
        raise Rejected("it has no key of a backup, client, job, action or session")
    rules = RULES[_PLURALS[kind]]
    part, whole = _PARTS[kind](source)
    document_id = rules.kind.id_of({**whole, **part}) or (hit_id if kind != "client" else None)
    if not rules.kind.is_id(document_id):
        raise Rejected(f"its id {document_id!r} cannot be the id of a {kind}")
    owner = _owner(source, project_id)
    try:
        rules.checked({**part, rules.kind.id_key: document_id})
    except ApiError as error:
        raise Rejected(error.description) from error
    owned = {"user_id": owner.user_id, "project_id": owner.project_id}
    wrapped = rules.kind.wrapped_in
    if wrapped is None:
        document = {**part, rules.kind.id_key: document_id, **owned}
    else:
        document = {**whole, wrapped: dict(part), **owned}
    return Converted(kind, str(document_id), owner, document)


def _owner(source: Mapping[str, Any], project_id: str | None) -> Owner:
    user = source.get("user_id")
    project = source.get("project_id") or project_id
    if not isinstance(user, str) or not user:
        raise Rejected("it has no user_id, so no owner")
    if not isinstance(project, str) or not project:
        raise Rejected("it has no project_id, as documents of version 1; name the project with --project-id")
    return Owner(user, project)


def _client(source: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    inner = source.get("client")
    if not isinstance(inner, Mapping):
        inner = {key: value for key, value in source.items() if key not in ("user_id", "project_id", "_version")}
    part = {key: value for key, value in inner.items() if value is not None}
    if "uuid" not in part and isinstance(source.get("uuid"), str):
        part["uuid"] = source["uuid"]
    return part, {}


def _backup(source: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    metadata = source.get("backup_metadata")
    if not isinstance(metadata, Mapping):
        raise Rejected("it has no backup_metadata")
    part = _cleaned(metadata, _BACKUP_NUMBERS, _BACKUP_SWITCHES, "backup_metadata.")
    if part.get("time_stamp") is None and part.get("timestamp") is not None:
        part["time_stamp"] = part["timestamp"]
    if not part.get("hostname") and part.get("host_name"):
        part["hostname"] = part["host_name"]
    backup_id = source.get("backup_id")
    status = source.get("status") or "available"
    whole = {"backup_id": backup_id, "status": status}
    if isinstance(source.get("user_name"), str):
        whole["user_name"] = source["user_name"]
    if "status" not in part and status != "available":
        # The keys that a backup needs depend on its status.
        part["status"] = status
    return part, {key: value for key, value in whole.items() if value is not None}


def _job(source: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    part = {key: value for key, value in source.items() if key != "_version" and value is not None}
    part["job_schedule"] = _cleaned(_object(part, "job_schedule"), _SCHEDULE_NUMBERS, (), "job_schedule.")
    for key in ("session_tag",):
        part = _cleaned(part, (key,), (), "")
    actions = part.get("job_actions", [])
    if not isinstance(actions, list):
        raise Rejected("job_actions is no list")
    part["job_actions"] = [
        _job_action(action, number, str(part.get("job_id") or "")) for number, action in enumerate(actions)
    ]
    return part, {}


def _job_action(action: Any, number: int, job_id: str) -> dict[str, Any]:
    place = f"job_actions[{number}]."
    if not isinstance(action, Mapping):
        raise Rejected(f"{place[:-1]} is no object")
    cleaned = _action_parts(action, place)
    # Every action of a job has an id here, which has to be the same in every reading.
    cleaned.setdefault("action_id", hashlib.sha256(f"{job_id}/{number}".encode()).hexdigest()[:32])
    return cleaned


def _action(source: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    return _action_parts({key: value for key, value in source.items() if key != "_version"}, ""), {}


def _action_parts(action: Mapping[str, Any], place: str) -> dict[str, Any]:
    cleaned = _cleaned(action, _REPETITION_NUMBERS, ("mandatory",), place)
    inner = _object(cleaned, "freezer_action")
    cleaned["freezer_action"] = _cleaned(inner, _ACTION_NUMBERS, _ACTION_SWITCHES, f"{place}freezer_action.")
    return cleaned


def _session(source: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    part = _cleaned({key: value for key, value in source.items() if key != "_version"}, _SESSION_NUMBERS, (), "")
    part["schedule"] = _cleaned(_object(part, "schedule"), _SCHEDULE_NUMBERS, (), "schedule.")
    jobs = part.get("jobs") or {}
    if isinstance(jobs, list):
        named = [job.get("job_id") if isinstance(job, Mapping) else None for job in jobs]
        if not all(isinstance(name, str) for name in named):
            raise Rejected("an element of jobs has no job_id")
        jobs = {
            name: {key: value for key, value in job.items() if key != "job_id"}
            for name, job in zip(named, jobs, strict=True)
        }
    part["jobs"] = jobs
    part.setdefault("session_tag", 0)
    return part, {}


_PARTS = {"client": _client, "backup": _backup, "job": _job, "action": _action, "session": _session}


def _object(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Rejected(f"{key} is no object")
    return value


def _cleaned(
    document: Mapping[str, Any], numbers: tuple[str, ...], switches: tuple[str, ...], place: str
) -> dict[str, Any]:
    """A part of a document without values that mean "not given", and with numbers as numbers."""
    cleaned = dict(document)
    for key in (*numbers, *switches):
        value = cleaned.get(key)
        if key in cleaned and (value is None or value == ""):
            del cleaned[key]
        elif key in numbers and isinstance(value, str):
            cleaned[key] = _number(value, place + key)
    return cleaned


def _number(text: str, path: str) -> int:
    try:
        return int(text.strip())
    except ValueError:
        pass
    try:
        number = float(text)
        if number == int(number):
            return int(number)
    except (ValueError, OverflowError):
        pass
    raise Rejected(f"{path} has to be a number and is {text[:80]!r}")
