# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Jobs: actions, the client that runs them, and when."""

from __future__ import annotations

from ..schedule.schema import RUN_KEYS, SCHEDULE_SCHEMA
from .action import FREEZER_ACTION_SCHEMA, JOB_ACTION_SCHEMA
from .kind import CLIENT_ID_PATTERN, ID_MAX_LENGTH, ID_SCHEMA, Kind

#: Each is a document of its own, which is looked for and stored with the job.
MAX_ACTIONS = 1000

KIND = Kind(
    name="job",
    plural="jobs",
    schema={
        "type": "object",
        "properties": {
            "job_actions": {"type": "array", "items": JOB_ACTION_SCHEMA, "maxItems": MAX_ACTIONS},
            "job_schedule": SCHEDULE_SCHEMA,
            "job_id": ID_SCHEMA,
            "client_id": {"type": "string", "pattern": CLIENT_ID_PATTERN, "maxLength": ID_MAX_LENGTH},
            "session_id": {"type": ["string", "null"], "pattern": r"^[A-Za-z0-9_-]*$", "maxLength": ID_MAX_LENGTH},
            "session_tag": {"type": "integer"},
            "session_name": {"type": ["string", "null"]},
            "user_id": {"type": "string"},
            "project_id": {"type": "string"},
            "description": {"type": ["string", "null"]},
            "_version": {"type": "integer"},
            "action_defaults": FREEZER_ACTION_SCHEMA,
            "user_credentials": {
                "type": ["object", "null"],
                "properties": {"trust_id": {"type": "string"}, "trustor_user_id": {"type": "string"}},
            },
        },
        "additionalProperties": False,
        "required": ["job_actions", "client_id"],
    },
    server_keys=(
        "job_id",
        "user_id",
        "project_id",
        "_version",
        "session_id",
        "session_tag",
        "session_name",
        "user_credentials",
        *tuple("job_schedule." + key for key in RUN_KEYS),
    ),
)
