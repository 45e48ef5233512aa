# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Backups: what was stored, where, and with which result."""

from __future__ import annotations

from .kind import ID_MAX_LENGTH, Kind

STATUSES = ("creating", "available", "error", "deleting", "deleted")

#: Statuses in which a backup may have no location yet, or no longer.
INCOMPLETE_STATUSES = ("creating", "error", "deleting")

#: Freezer's README makes the id of container, host, name, time and level: host names have dots.
ID_PATTERN = r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$"

_NAME = {"type": "string", "minLength": 1}

KIND = Kind(
    name="backup",
    plural="backups",
    schema={
        "type": "object",
        "properties": {
            "backup_id": {"type": "string", "pattern": ID_PATTERN, "maxLength": ID_MAX_LENGTH},
            "backup_name": _NAME,
            "container": {"type": "string"},
            "hostname": {"type": "string"},
            "time_stamp": {"type": ["integer", "string", "null"]},
            "status": {"type": "string", "enum": list(STATUSES)},
        },
        "additionalProperties": True,
        "required": ["backup_name"],
    },
    server_keys=("backup_id", "user_id", "user_name", "project_id", "status"),
    wrapped_in="backup_metadata",
    id_pattern=ID_PATTERN,
)
