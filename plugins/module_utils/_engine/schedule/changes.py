# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What the schedule of a job becomes when something is asked of it, or another one takes its place.

An API opens a job that is completed, and its scheduler finds it open: both parts of that are here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .grammar import TRIGGER_KEYS, ScheduleError, parse
from .schema import triggers_of
from .states import COMPLETED, NEW, REMOVE, REMOVED, START


def without_unset(schedule: Mapping[str, Any]) -> dict[str, Any]:
    """A schedule without the keys that are null: in a change that is how one is taken away."""
    return {key: value for key, value in schedule.items() if value is not None or key not in TRIGGER_KEYS}


def answerable(schedule: Mapping[str, Any]) -> dict[str, Any]:
    """A schedule with an event that its scheduler sees and answers, as the table in docs/scheduler.md says.

    Schedulers look for jobs that are not completed: one that is to start again, or to be removed, is open again. An
    event that changes nothing about a job that has ended is dropped, for it would wait for ever.
    """
    event, status = schedule.get("event"), schedule.get("status")
    if not event or status not in (COMPLETED, REMOVED):
        return dict(schedule)
    if event == START or (event == REMOVE and status == COMPLETED):
        return {**schedule, "status": NEW}
    return {**schedule, "event": ""}


def rescheduled(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What a schedule becomes when it takes the place of another one: a completed job with other times is open again.

    One without times ran once, and does not run again because its schedule was taken away.
    """
    both_completed = before.get("status") == COMPLETED and after.get("status") == COMPLETED
    if not both_completed or triggers_of(before) == triggers_of(after) or not has_times(after):
        return dict(after)
    return {**after, "status": NEW}


def is_reopened(schedule: Mapping[str, Any]) -> bool:
    """Whether ``rescheduled`` has opened a job that was completed: it is new, with a past."""
    started = schedule.get("time_started")
    has_run = isinstance(started, (int, float)) and started > 0
    return not schedule.get("status") and (has_run or bool(schedule.get("reason")))


def has_times(schedule: Mapping[str, Any]) -> bool:
    """Whether a schedule says when; one that makes no sense does, for its scheduler has to say what is wrong with it."""
    try:
        parsed = parse(schedule)
        return parsed.kind != "none" or parsed.start is not None
    except ScheduleError:
        return True
