# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Clients: the nodes on which jobs run."""

from __future__ import annotations

from .kind import CLIENT_ID_PATTERN, ID_MAX_LENGTH, Kind

_TEXT_OR_NULL = {"type": ["string", "null"]}
_WORDS = {"type": "array", "items": {"type": "string"}}

KIND = Kind(
    name="client",
    plural="clients",
    schema={
        "type": "object",
        "properties": {
            "client_id": {"type": "string", "pattern": CLIENT_ID_PATTERN, "maxLength": ID_MAX_LENGTH},
            "hostname": _TEXT_OR_NULL,
            "description": _TEXT_OR_NULL,
            "uuid": {"type": "string"},
            "config_id": {"type": "string"},
            "supported_actions": _WORDS,
            "supported_modes": _WORDS,
            "supported_storages": _WORDS,
            "supported_engines": _WORDS,
            "is_central": {"type": "boolean"},
        },
        "additionalProperties": True,
        "required": ["client_id"],
    },
    server_keys=("uuid", "user_id", "project_id"),
    wrapped_in="client",
    id_pattern=CLIENT_ID_PATTERN,
)
