# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Checks of the structure of documents from an API or a folder.

An API checks what it is sent, but it may be another release, one of upstream's, or a hostile one. Schedules and actions
are checked later, and errors in them reported to the API.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.kind import MAX_DEPTH
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.kinds import JOB, MAX_ACTIONS

#: The limit of a document.
MAX_BYTES = 16 * 1024 * 1024
_LARGEST_INTEGER = 2**63 - 1
_LARGEST_TIME = 253402300799
_SURROGATE = re.compile("[\ud800-\udfff]")
_TIMES = ("time_created", "time_started", "time_ended")


def job_problem(job: Any) -> str:
    """Why a document is no valid job, as the end of a sentence; empty if it is one."""
    if not isinstance(job, Mapping):
        return "it is no object"
    if not JOB.is_id(job.get("job_id")):
        # Files are named after it.
        return f"{str(job.get('job_id'))[:100]!r} is no id of a job: letters, digits, _ and - only"
    return _unusable(job, MAX_DEPTH) or _too_long(job) or _wrong_shape(job)


def session_problem(session: Any) -> str:
    """The same for a session."""
    if not isinstance(session, Mapping):
        return "it is no object"
    return _unusable(session, MAX_DEPTH)


def integer_problem(value: Any) -> str:
    """Why a value is no whole number of 64 bits; empty if it is one."""
    return _unusable(value, 0) if isinstance(value, int) else "it is no number"


def _wrong_shape(job: Mapping[str, Any]) -> str:
    schedule, actions = job.get("job_schedule"), job.get("job_actions")
    for key, value in (("job_schedule", schedule), ("action_defaults", job.get("action_defaults"))):
        if not isinstance(value, (Mapping, type(None))):
            return f"its {key} is no object"
    if not isinstance(actions, (list, type(None))) or len(actions or []) > MAX_ACTIONS:
        return f"its job_actions are no list of at most {MAX_ACTIONS}"
    for number, action in enumerate(actions or []):
        if not isinstance(action, Mapping):
            return f"its job_actions.{number} is no object"
        if not isinstance(action.get("freezer_action"), (Mapping, type(None))):
            return f"its job_actions.{number}.freezer_action is no object"
    for key in ("status", "event", "result"):
        if not isinstance((schedule or {}).get(key), (str, type(None))):
            return f"its job_schedule.{key} is no text"
    for key in _TIMES:
        value = (schedule or {}).get(key)
        if isinstance(value, (int, float)) and abs(value) > _LARGEST_TIME:
            return f"its job_schedule.{key} is out of range"
    return ""


def _unusable(value: Any, depth: int) -> str:
    """Why a value cannot be stored, or sent to an API; empty if it can."""
    if isinstance(value, str):
        return "a text in it contains half of a surrogate pair" if _SURROGATE.search(value) else ""
    if isinstance(value, float):
        return "" if math.isfinite(value) else "a number in it is not finite"
    if isinstance(value, int):  # a truth value as well
        return "" if abs(value) <= _LARGEST_INTEGER else "a number in it does not fit in 64 bits"
    if value is None:
        return ""
    if not isinstance(value, (Mapping, list)) or (isinstance(value, Mapping) and not all(map(_is_text, value))):
        return "a value in it is no JSON"
    if depth == 0:
        return f"objects and lists are nested deeper than {MAX_DEPTH} levels"
    parts = [*value.keys(), *value.values()] if isinstance(value, Mapping) else value
    return next(filter(None, (_unusable(part, depth - 1) for part in parts)), "")


def _is_text(key: Any) -> bool:
    return isinstance(key, str)


def _too_long(job: Mapping[str, Any]) -> str:
    return "" if len(json.dumps(job)) <= MAX_BYTES else f"it is longer than {MAX_BYTES} bytes"
