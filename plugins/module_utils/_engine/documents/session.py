# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Sessions: jobs on several clients that run at the same time."""

from __future__ import annotations

from ..schedule.schema import RUN_KEYS, SCHEDULE_SCHEMA
from .kind import ID_SCHEMA, Kind

KIND = Kind(
    name="session",
    plural="sessions",
    schema={
        "type": "object",
        "properties": {
            "session_id": ID_SCHEMA,
            "session_tag": {"type": "integer"},
            "description": {"type": ["string", "null"]},
            "hold_off": {"type": "integer"},
            "schedule": SCHEDULE_SCHEMA,
            "jobs": {
                # Upstream takes a list of such objects as well, an empty one for "no jobs".
                "type": ["object", "array", "null"],
                "additionalProperties": {"type": "object"},
                "items": {"type": "object", "additionalProperties": {"type": "object"}},
            },
            "time_start": {"type": "integer"},
            "time_end": {"type": "integer"},
            "time_started": {"type": "integer"},
            "time_ended": {"type": "integer"},
            "status": {"type": "string"},
            "result": {"type": "string"},
            "user_id": {"type": "string"},
            "project_id": {"type": "string"},
            "_version": {"type": "integer"},
        },
        "additionalProperties": True,
        "required": ["schedule"],
    },
    server_keys=(
        "session_id",
        "session_tag",
        "jobs",
        "time_start",
        "time_end",
        "time_started",
        "time_ended",
        "last_start",
        "status",
        "result",
        "user_id",
        "project_id",
        "_version",
        *tuple("schedule." + key for key in RUN_KEYS),
    ),
)
