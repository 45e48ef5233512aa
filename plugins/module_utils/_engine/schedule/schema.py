# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The scheduling information that a job carries as ``job_schedule`` and a session as ``schedule``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import states
from .grammar import CATCH_UPS, MAX_MISFIRE_GRACE_SECONDS
from .runs import ABORTED, FAIL, SUCCESS

EVENTS = ("", states.STOP, states.START, states.ABORT, states.REMOVE)
STATUSES = (
    states.NEW, states.COMPLETED, states.STOPPED, states.SCHEDULED, states.RUNNING, states.ABORTING, states.REMOVED,
)  # fmt: skip
RESULTS = ("", SUCCESS, FAIL, ABORTED)

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
            # What becomes of a job that a playbook runs: "stop" if it was stopped before.
            "after": {"type": "string"},
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
    "schedule_misfire_grace_time": {"type": "integer", "minimum": 1, "maximum": MAX_MISFIRE_GRACE_SECONDS},
    "schedule_catch_up": {"type": "string", "enum": list(CATCH_UPS)},
}

_HOUR, _SIXTIETH = "([01]?[0-9]|2[0-3])", "[0-5]?[0-9]"
_MONTH = "(0?[1-9]|1[0-2]|[jJ]an|[fF]eb|[mM]ar|[aA]pr|[mM]ay|[jJ]un|[jJ]ul|[aA]ug|[sS]ep|[oO]ct|[nN]ov|[dD]ec)"
_WEEKDAY = "([0-6]|[mM]on|[tT]ue|[wW]ed|[tT]hu|[fF]ri|[sS]at|[sS]un)"
_DAY = rf"(0?[1-9]|[12][0-9]|3[01]|last|(1st|2nd|3rd|4th|5th|last) +[a-zA-Z]{{3}}|{_WEEKDAY})"
_CHECKED_DATE = (
    r"^[0-9]{3}[1-9]-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    r"(\.[0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])?$"
)


def _field(value: str, lowest: int, highest: int) -> dict[str, Any]:
    """A calendar field: ranges, lists and steps of values as text, or one value as a number."""
    each = rf"(\*|{value}(-{value})?)(/[1-9])?"
    pattern = rf"^( *{each} *(, *{each} *)*)?$"
    return {"type": ["string", "integer"], "pattern": pattern, "minimum": lowest, "maximum": highest}


#: What can stand in a schedule that is sent, as far as a schema can tell; ``grammar.parse`` decides.
CHECKED_TRIGGERS: Mapping[str, Mapping[str, Any]] = {
    "schedule_interval": {
        "type": "string",
        "pattern": r"^(continuous|0*[1-9][0-9]{0,6} +(weeks|days|hours|minutes|seconds))$",
    },
    **{
        key: {"type": "string", "pattern": _CHECKED_DATE}
        for key in ("schedule_date", "schedule_start_date", "schedule_end_date")
    },
    "schedule_year": {
        "type": ["string", "integer"],
        "pattern": r"^(19[7-9][0-9]|[2-9][0-9]{3})$",
        "minimum": 1970,
        "maximum": 9999,
    },
    "schedule_month": _field(_MONTH, 1, 12),
    "schedule_day": _field(_DAY, 1, 31),
    "schedule_week": _field("(0?[1-9]|[1-4][0-9]|5[0-3])", 1, 53),
    "schedule_day_of_week": _field(_WEEKDAY, 0, 6),
    "schedule_hour": _field(_HOUR, 0, 23),
    "schedule_minute": _field(_SIXTIETH, 0, 59),
    "schedule_second": _field(_SIXTIETH, 0, 59),
}

#: Keys of a schedule that an API of upstream's does not take.
OWN_RUN_KEYS = ("reason", "progress")

SCHEDULE_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": _PROPERTIES,
    "additionalProperties": False,
}


def triggers_of(schedule: Mapping[str, Any]) -> dict[str, str]:
    """What a schedule says about when a job is due, as text: two that are equal mean the same times."""
    return {key: str(schedule[key]) for key in TRIGGER_KEYS if schedule.get(key) not in (None, "")}
