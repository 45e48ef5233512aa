# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Actions: what to back up or restore, and how.

An action document holds a ``freezer_action`` and how to repeat it. A job holds copies of them in ``job_actions``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .kind import ID_SCHEMA, Kind
from .verbs import ACTIONS

_TEXT_OR_NULL = {"type": ["string", "null"]}

#: The types that a few keys have had since the first days; the table of options says of all of them what is taken.
FREEZER_ACTION_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "action": {"type": "string", "enum": list(ACTIONS)},
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

_PROPERTIES: Mapping[str, Any] = {
    "max_retries": {"type": ["integer", "null"]},
    "max_retries_interval": {"type": ["integer", "null"]},
    "mandatory": {"type": ["boolean", "null"]},
    "freezer_action": FREEZER_ACTION_SCHEMA,
    "action_id": ID_SCHEMA,
    "user_id": {"type": "string"},
    "project_id": {"type": "string"},
}

#: One element of a job's ``job_actions``.
JOB_ACTION_SCHEMA: Mapping[str, Any] = {"type": "object", "properties": _PROPERTIES, "additionalProperties": True}

KIND = Kind(
    name="action",
    plural="actions",
    schema={
        "type": "object",
        "properties": {**_PROPERTIES, "description": _TEXT_OR_NULL},
        "additionalProperties": True,
        "required": ["freezer_action"],
    },
    server_keys=("action_id", "user_id", "project_id", "_version"),
)

#: Keys that servers add to every action, with the value that says nothing (upstream's SQL store fills them in).
ADDED_BY_SERVERS: Mapping[str, Any] = {"mandatory": False, "max_retries": 5, "max_retries_interval": 6}
