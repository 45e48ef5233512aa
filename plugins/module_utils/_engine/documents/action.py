# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Actions: what to back up or restore, and how.

An action document holds a ``freezer_action`` and how to repeat it. A job holds copies of them in ``job_actions``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .kind import ID_SCHEMA, Kind

ACTIONS = ("backup", "restore", "info", "admin", "exec")
MODES = ("fs", "mongo", "mysql", "sqlserver", "cinder", "glance", "cindernative", "nova")

_TEXT_OR_NULL = {"type": ["string", "null"]}

FREEZER_ACTION_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "action": {"type": "string", "enum": list(ACTIONS)},
        "mode": {"enum": [*list(MODES), None]},
        "path_to_backup": _TEXT_OR_NULL,
        # The name that path_to_backup had in the first years.
        "src_file": _TEXT_OR_NULL,
        "backup_name": _TEXT_OR_NULL,
        "container": _TEXT_OR_NULL,
        "restore_abs_path": _TEXT_OR_NULL,
        "cindernative_freezer_only": {"type": ["boolean", "null"]},
    },
    "additionalProperties": True,
}

_REPETITION = {
    "max_retries": {"type": ["integer", "null"]},
    "max_retries_interval": {"type": ["integer", "null"]},
    "mandatory": {"type": ["boolean", "null"]},
}

#: One element of a job's ``job_actions``.
JOB_ACTION_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": dict(
        _REPETITION,
        freezer_action=FREEZER_ACTION_SCHEMA,
        action_id=ID_SCHEMA,
        user_id={"type": "string"},
        project_id={"type": "string"},
    ),
    "additionalProperties": True,
}

KIND = Kind(
    name="action",
    plural="actions",
    schema={
        "type": "object",
        "properties": dict(
            _REPETITION,
            freezer_action=FREEZER_ACTION_SCHEMA,
            action_id=ID_SCHEMA,
            user_id={"type": "string"},
            project_id={"type": "string"},
            description=_TEXT_OR_NULL,
        ),
        "additionalProperties": True,
        "required": ["freezer_action"],
    },
    server_keys=("action_id", "user_id", "project_id", "_version"),
)

#: Keys that servers add to every action, with the value that says nothing (upstream's SQL store fills them in).
ADDED_BY_SERVERS: Mapping[str, Any] = {"mandatory": False, "max_retries": 5, "max_retries_interval": 6}

MASK = "********"


def is_secret(key: str) -> bool:
    """Whether the value of this key of a ``freezer_action`` must not be shown, logged or returned."""
    lowered = key.lower().replace("-", "_")
    if lowered.endswith(("_file", "_path")):
        # encrypt_pass_file says where the secret lies, which is no secret.
        return False
    words = ("password", "passphrase", "secret", "token", "private_key")
    return any(word in lowered for word in words)


def without_secrets(document: Any) -> Any:
    """A copy of a document, or a part of one, with every secret in it replaced by asterisks."""
    if isinstance(document, Mapping):
        return {
            key: MASK if is_secret(str(key)) and value not in (None, "") else without_secrets(value)
            for key, value in document.items()
        }
    if isinstance(document, (list, tuple)):
        return [without_secrets(element) for element in document]
    return document
