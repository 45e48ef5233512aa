# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The kinds of documents: clients, jobs, sessions and backups. That of actions stands with all else about them."""

from __future__ import annotations

from ..schedule.schema import RUN_KEYS, SCHEDULE_SCHEMA
from .action import FREEZER_ACTION_SCHEMA, JOB_ACTION_SCHEMA
from .kind import CLIENT_ID_PATTERN, ID_MAX_LENGTH, ID_SCHEMA, Kind

_TEXT_OR_NULL = {"type": ["string", "null"]}
_CLIENT_ID = {"type": "string", "pattern": CLIENT_ID_PATTERN, "maxLength": ID_MAX_LENGTH}
_WORDS = {"type": "array", "items": {"type": "string"}}

#: The nodes on which jobs run.
CLIENT = Kind(
    name="client",
    plural="clients",
    schema={
        "type": "object",
        "properties": {
            "client_id": _CLIENT_ID,
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

#: Each is a document of its own, which is looked for and stored with the job.
MAX_ACTIONS = 1000

#: Actions, the client that runs them, and when.
JOB = Kind(
    name="job",
    plural="jobs",
    schema={
        "type": "object",
        "properties": {
            "job_actions": {"type": "array", "items": JOB_ACTION_SCHEMA, "maxItems": MAX_ACTIONS},
            "job_schedule": SCHEDULE_SCHEMA,
            "job_id": ID_SCHEMA,
            "client_id": _CLIENT_ID,
            "session_id": {"type": ["string", "null"], "pattern": r"^[A-Za-z0-9_-]*$", "maxLength": ID_MAX_LENGTH},
            "session_tag": {"type": "integer"},
            "session_name": _TEXT_OR_NULL,
            "user_id": {"type": "string"},
            "project_id": {"type": "string"},
            "description": _TEXT_OR_NULL,
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
        *("job_schedule." + key for key in RUN_KEYS),
    ),
)

#: Jobs on several clients that run at the same time.
SESSION = Kind(
    name="session",
    plural="sessions",
    schema={
        "type": "object",
        "properties": {
            "session_id": ID_SCHEMA,
            "session_tag": {"type": "integer"},
            "description": _TEXT_OR_NULL,
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
        *("schedule." + key for key in RUN_KEYS),
    ),
)

BACKUP_STATUSES = ("creating", "available", "error", "deleting", "deleted")

#: Statuses in which a backup may have no location yet, or no longer.
INCOMPLETE_STATUSES = ("creating", "error", "deleting")

#: Freezer's README makes the id of container, host, name, time and level: host names have dots.
BACKUP_ID_PATTERN = r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$"

_NAME = {"type": "string", "minLength": 1}

#: What was stored, where, and with which result.
BACKUP = Kind(
    name="backup",
    plural="backups",
    schema={
        "type": "object",
        "properties": {
            "backup_id": {"type": "string", "pattern": BACKUP_ID_PATTERN, "maxLength": ID_MAX_LENGTH},
            "backup_name": _NAME,
            "container": {"type": "string"},
            "hostname": {"type": "string"},
            "time_stamp": {"type": ["integer", "string", "null"]},
            "status": {"type": "string", "enum": list(BACKUP_STATUSES)},
        },
        "additionalProperties": True,
        "required": ["backup_name"],
    },
    server_keys=("backup_id", "user_id", "user_name", "project_id", "status"),
    wrapped_in="backup_metadata",
    id_pattern=BACKUP_ID_PATTERN,
)
