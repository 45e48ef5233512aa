# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The scheduling information that a job carries as ``job_schedule`` and a session as ``schedule``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

EVENTS = ("", "stop", "start", "abort", "remove")
STATUSES = ("", "completed", "stop", "scheduled", "running", "aborting", "removed")
RESULTS = ("", "success", "fail", "aborted")

#: What becomes of times that passed while nobody could run the job: the newest of them, all of them, or none is run.
CATCH_UPS = ("latest", "all", "none")

#: ISO 8601 as upstream Freezer accepts it: seconds are required, a fraction and a zone are not.
DATE_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?$"
INTERVAL_PATTERN = r"^(continuous|(\d+ +(weeks|days|hours|minutes|seconds)))$"

#: What the server and the scheduler write.
RUN_KEYS = (
    "time_created",
    "time_started",
    "time_ended",
    "event",
    "status",
    "result",
    "current_pid",
    "reason",
    "progress",
)

#: What the user writes.
TRIGGER_KEYS = (
    "schedule_date",
    "schedule_interval",
    "schedule_start_date",
    "schedule_end_date",
    "schedule_year",
    "schedule_month",
    "schedule_day",
    "schedule_week",
    "schedule_day_of_week",
    "schedule_hour",
    "schedule_minute",
    "schedule_second",
    "schedule_timezone",
    "schedule_misfire_grace_time",
    "schedule_catch_up",
)

#: A number is stored as text.
_CALENDAR_FIELD = {"type": ["string", "integer"], "minimum": 0, "maximum": 9999}

_PROPERTIES: dict[str, Any] = {
    "time_created": {"type": "integer"},
    "time_started": {"type": "integer"},
    "time_ended": {"type": "integer"},
    "event": {"type": "string", "enum": list(EVENTS)},
    "status": {"type": "string", "enum": list(STATUSES)},
    "result": {"type": "string", "enum": list(RESULTS)},
    "current_pid": {"type": "integer"},
    # Upstream's schema has neither of these two; our scheduler does without them there.
    "reason": {"type": "string"},
    "progress": {
        "type": "object",
        "properties": {
            "action": {"type": "integer"},
            "attempt": {"type": "integer"},
            "phase": {"type": "string"},
            "done_bytes": {"type": "integer"},
            "total_bytes": {"type": ["integer", "null"]},
            "done_files": {"type": "integer"},
            "time": {"type": "integer"},
        },
    },
    "schedule_date": {"type": "string", "pattern": DATE_PATTERN},
    "schedule_interval": {"type": "string", "pattern": INTERVAL_PATTERN},
    "schedule_start_date": {"type": "string", "pattern": DATE_PATTERN},
    "schedule_end_date": {"type": "string", "pattern": DATE_PATTERN},
    "schedule_year": {"type": ["string", "integer"], "pattern": r"^\d{4}$", "minimum": 1000, "maximum": 9999},
    "schedule_month": _CALENDAR_FIELD,
    "schedule_day": _CALENDAR_FIELD,
    "schedule_week": _CALENDAR_FIELD,
    "schedule_day_of_week": _CALENDAR_FIELD,
    "schedule_hour": _CALENDAR_FIELD,
    "schedule_minute": _CALENDAR_FIELD,
    "schedule_second": _CALENDAR_FIELD,
    # These three are this project's own.
    "schedule_timezone": {"type": "string", "maxLength": 64},
    "schedule_misfire_grace_time": {"type": "integer", "minimum": 1},
    "schedule_catch_up": {"type": "string", "enum": list(CATCH_UPS)},
}

SCHEDULE_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": _PROPERTIES,
    "additionalProperties": False,
}
