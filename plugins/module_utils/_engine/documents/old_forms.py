# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The forms of documents that Freezer's README has besides the ones that are stored, and how these become them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..schedule.grammar import FIELD_RANGES
from .errors import DocumentError

#: The fields of a calendar, whose values the README writes as numbers too.
CALENDAR_KEYS = tuple("schedule_" + name for name in FIELD_RANGES)


def usual_job(body: Mapping[str, Any]) -> dict[str, Any]:
    """A job as it is stored, from one that may lie below ``job``, or have one ``job_action``, or ``max_retry_interval``.

    Raises DocumentError for one that says the same thing twice.
    """
    inner = body.get("job")
    job = dict(inner) if len(body) == 1 and isinstance(inner, Mapping) else dict(body)
    if "job_action" in job:
        if "job_actions" in job:
            raise DocumentError("job_action is the old name of job_actions; write only one of them")
        action = job.pop("job_action")
        # Its parameters by themselves, as the README has them, or an element of job_actions.
        is_bare = isinstance(action, Mapping) and "freezer_action" not in action and "action_id" not in action
        found = {"freezer_action": action} if is_bare else action
        job["job_actions"] = found if isinstance(found, list) else [found]
    actions = job.get("job_actions")
    if isinstance(actions, list):
        job["job_actions"] = [usual_action(action) for action in actions]
    if "job_schedule" in job:
        job["job_schedule"] = usual_schedule(job["job_schedule"])
    return job


def usual_action(action: Any) -> Any:
    """An action with ``max_retries_interval``, which the README also calls ``max_retry_interval``."""
    return _renamed(action, "max_retry_interval", "max_retries_interval")


def usual_schedule(schedule: Any) -> Any:
    """A schedule with text in the fields of its calendar, and ``schedule_date``, which was once ``schedule_time``.

    Raises DocumentError for one that has both.
    """
    schedule = _renamed(schedule, "schedule_time", "schedule_date")
    if not isinstance(schedule, Mapping):
        return schedule
    return {key: str(value) if key in CALENDAR_KEYS and _is_number(value) else value for key, value in schedule.items()}


def usual_session(body: Mapping[str, Any]) -> dict[str, Any]:
    """A session with an object of its jobs, which may be in a list of such objects. Raises DocumentError."""
    inner = body.get("session")
    session = dict(inner) if len(body) == 1 and isinstance(inner, Mapping) else dict(body)
    if "schedule" in session:
        session["schedule"] = usual_schedule(session["schedule"])
    jobs = session.get("jobs")
    if isinstance(jobs, list) and all(isinstance(part, Mapping) for part in jobs):
        session["jobs"] = {job_id: entry for part in jobs for job_id, entry in part.items()}
    return session


def _renamed(document: Any, old: str, new: str) -> Any:
    if not isinstance(document, Mapping) or old not in document:
        return document
    if new in document and document[new] != document[old]:
        raise DocumentError(f"{old} is the old name of {new}; write only one of them")
    return {new if key == old else key: value for key, value in document.items()}


def _is_number(value: Any) -> bool:
    # The schema refuses the others as they are.
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 9999
