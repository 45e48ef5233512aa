# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The scheduling information that a job carries as ``job_schedule`` and a session as ``schedule``.

What can stand in its fields is made from the grammar, so that the contract of the API says what the API takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from . import states
from .grammar import (
    CATCH_UPS,
    FIELD_NAMES,
    FIELD_RANGES,
    MAX_FIELD_LENGTH,
    MAX_MISFIRE_GRACE_SECONDS,
    PLACES,
    SECONDS_PER_UNIT,
    TRIGGER_KEYS,
    WEEKDAYS,
)
from .runs import ABORTED, FAIL, SUCCESS

EVENTS = ("", states.STOP, states.START, states.ABORT, states.REMOVE)
STATUSES = (
    states.NEW, states.COMPLETED, states.STOPPED, states.SCHEDULED, states.RUNNING, states.ABORTING, states.REMOVED,
)  # fmt: skip
RESULTS = ("", SUCCESS, FAIL, ABORTED)

#: ISO 8601 as upstream Freezer accepts it: seconds are required, a fraction and a zone are not.
DATE_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?$"
INTERVAL_PATTERN = rf"^(continuous|(\d+ +({'|'.join(SECONDS_PER_UNIT)})))$"

#: What the server and the scheduler write.
RUN_KEYS = (
    "time_created", "time_started", "time_ended", "event", "status", "result", "current_pid", "reason", "progress",
)  # fmt: skip

_TEXT_OR_UNSET = ["string", "null"]
#: A number is stored as text.
_CALENDAR_FIELD = {"type": ["string", "integer", "null"], "minimum": 0, "maximum": 9999}

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
    "schedule_date": {"type": _TEXT_OR_UNSET, "pattern": DATE_PATTERN},
    "schedule_interval": {"type": _TEXT_OR_UNSET, "pattern": INTERVAL_PATTERN},
    "schedule_start_date": {"type": _TEXT_OR_UNSET, "pattern": DATE_PATTERN},
    "schedule_end_date": {"type": _TEXT_OR_UNSET, "pattern": DATE_PATTERN},
    **{"schedule_" + name: _CALENDAR_FIELD for name in FIELD_RANGES},
    "schedule_year": {"type": ["string", "integer", "null"], "pattern": r"^\d{4}$", "minimum": 1000, "maximum": 9999},
    # These three are this project's own.
    "schedule_timezone": {"type": _TEXT_OR_UNSET, "maxLength": 64},
    "schedule_misfire_grace_time": {"type": ["integer", "null"], "minimum": 1, "maximum": MAX_MISFIRE_GRACE_SECONDS},
    "schedule_catch_up": {"type": _TEXT_OR_UNSET, "enum": [*CATCH_UPS, None]},
}

_DATE = (
    r"^(?!0000)[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    r"(\.[0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])?$"
)


def _numbers(lowest: int, highest: int) -> str:
    """The numbers from one below a hundred to another one, with the zeros that may stand before them."""
    tens: dict[tuple[str, bool], list[int]] = {}
    for ten in range(lowest // 10, highest // 10 + 1):
        ones = _digits(max(lowest - 10 * ten, 0), min(highest - 10 * ten, 9))
        tens.setdefault((ones, ten > 0), []).append(ten)
    numbers = ((_digits(of[0], of[-1]) if has_tens else "") + ones for (ones, has_tens), of in tens.items())
    return f"0{{0,7}}({'|'.join(numbers)})"


def _digits(first: int, last: int) -> str:
    return str(first) if first == last else f"[{first}-{last}]"


def _words(words: Iterable[str]) -> str:
    """One of these words, in letters of any size."""
    sizes = ("".join(f"[{one}{one.upper()}]" if one.isalpha() else one for one in word) for word in words)
    return f"({'|'.join(sizes)})"


def _list_of(*forms: str) -> str:
    each = f"({'|'.join(forms)})"
    return f" *{each} *(, *{each} *)*"


def _field(name: str) -> dict[str, Any]:
    """A calendar field: what ``grammar.parse`` takes as text, or one value as a number."""
    lowest, highest = FIELD_RANGES[name]
    schema = {"type": ["string", "integer", "null"], "minimum": lowest, "maximum": highest}
    if name == "year":
        return {**schema, "pattern": r"^(19[7-9][0-9]|[2-9][0-9]{3})?$"}
    number, step = _numbers(lowest, highest), f"(/{_numbers(1, highest - lowest)})?"
    forms = [rf"\*{step}", f"{number}(-{number})?{step}"]
    if name in FIELD_NAMES:
        one = _words(FIELD_NAMES[name])
        forms.append(f"{one}(-{one})?")
    lists = [_list_of(*forms)]
    if name == "day":
        weekday = _words(WEEKDAYS)
        lists = [
            _list_of(*forms, _words(["last"]), f"{_words(PLACES)} +{weekday}"),
            _list_of(f"{weekday}(-{weekday})?"),
        ]
    return {**schema, "pattern": f"^({'|'.join(lists)})?$", "maxLength": MAX_FIELD_LENGTH}


#: What can stand in a schedule that is sent, as far as a schema can tell; ``grammar.parse`` decides.
CHECKED_TRIGGERS: Mapping[str, Mapping[str, Any]] = {
    "schedule_interval": {
        "type": _TEXT_OR_UNSET,
        "pattern": rf"^(continuous|0{{0,11}}[1-9][0-9]{{0,11}} +({'|'.join(SECONDS_PER_UNIT)}))$",
    },
    **{
        key: {"type": _TEXT_OR_UNSET, "pattern": _DATE}
        for key in ("schedule_date", "schedule_start_date", "schedule_end_date")
    },
    **{"schedule_" + name: _field(name) for name in FIELD_RANGES},
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
