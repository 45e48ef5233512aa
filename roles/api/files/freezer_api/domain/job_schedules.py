# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What the schedule of a job becomes: with an event, or in the place of another one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.grammar import ScheduleError, parse
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.schema import triggers_of

from ..store.base import Document

_ENDED = ("completed", "removed")


def answerable(schedule: Mapping[str, Any]) -> Document:
    """A schedule with an event that its scheduler sees and answers, as the table in docs/scheduler.md says.

    Schedulers look for jobs that are not completed: one that is to start again, or to be removed, is open again. An
    event that changes nothing about a job that has ended is dropped, for it would wait for ever.
    """
    event, status = schedule.get("event"), schedule.get("status")
    if not event or status not in _ENDED:
        return dict(schedule)
    if event == "start" or (event == "remove" and status == "completed"):
        return {**schedule, "status": ""}
    return {**schedule, "event": ""}


def rescheduled(before: Mapping[str, Any], after: Mapping[str, Any]) -> Document:
    """What a schedule becomes when it takes the place of another one: a completed job with other times is open again.

    One without times ran once, and does not run again because its schedule was taken away.
    """
    both_completed = before.get("status") == "completed" and after.get("status") == "completed"
    if not both_completed or triggers_of(before) == triggers_of(after) or not has_times(after):
        return dict(after)
    return {**after, "status": ""}


def has_times(schedule: Mapping[str, Any]) -> bool:
    """Whether a schedule says when; one that makes no sense does, for its scheduler has to say what is wrong with it."""
    try:
        return parse(schedule).kind != "none"
    except ScheduleError:
        return True
