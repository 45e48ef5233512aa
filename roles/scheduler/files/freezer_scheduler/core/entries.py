# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A job in the scheduler's memory: its state and when it is due. The document itself is on disk."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.changes import is_reopened
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.due_times import DueTimes, anchor_of
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.errors import MissingScheduler
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.grammar import ScheduleError
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.runs import PLAYBOOK
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.schema import triggers_of
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.states import (
    ACTIVE,
    COMPLETED,
    NEW,
    REMOVED,
    RUNNING,
    SCHEDULED,
    STOP,
    STOPPED,
    State,
)

#: How late a run may start with ``schedule_catch_up: none``, since no start is exactly on time.
LATE_SECONDS = 30.0
#: The pause between two runs of a continuous job.
CONTINUOUS_PAUSE_SECONDS = 1.0


class Entry:
    """One job. ``problem`` says why it can never be due by its schedule; ``is_open`` that a run was requested, or is due
    because there is no schedule, and has not begun yet; ``is_in_playbook`` that a playbook runs it."""

    __slots__ = ("is_gone", "is_in_playbook", "is_open", "job_id", "last_due", "next_due", "problem", "run_id", "session_id",
                 "session_tag", "state", "tag", "times", "triggers")  # fmt: skip

    def __init__(self, job_id: str, state: State = State()) -> None:  # noqa: B008 - it cannot be changed
        self.job_id = job_id
        self.state = state
        self.tag: str | None = None
        self.times: DueTimes | None = None
        self.triggers = 0
        self.problem = ""
        self.session_id = ""
        self.session_tag = 0
        self.last_due: float | None = None
        self.next_due: float | None = None
        self.is_open = False
        self.is_gone = False
        self.is_in_playbook = False
        self.run_id = ""

    def read(self, job: Mapping[str, Any], zone: tzinfo) -> bool:
        """Read from the document when the job is due; True if that has changed."""
        schedule = job.get("job_schedule") or {}
        self.session_id = str(job.get("session_id") or "")
        given = list(triggers_of(schedule).items())
        triggers = zlib.crc32(repr((given, schedule.get("time_created"))).encode("utf-8", "replace"))
        if triggers == self.triggers and (self.times is not None or self.problem):
            return False
        self.triggers = triggers
        self.times, self.problem = None, ""
        try:
            self.times = DueTimes(schedule, zone, anchor_of(schedule))
        except (ScheduleError, MissingScheduler) as error:
            self.problem = f"{str(error).rstrip('.')}."
        return True

    def arm(self, now: float) -> None:
        """Compute when the job is due next."""
        self.next_due = None
        if self.times is None or self.state.status != SCHEDULED:
            return
        if self.is_open or self.times.once:
            self.next_due = now if self.is_open else None
            return
        since = self.last_due if self.last_due is not None else now
        if self.times.continuous:
            # The pause begins now; a start date may still be ahead.
            since = max(since, now - CONTINUOUS_PAUSE_SECONDS)
        self.next_due = self.times.after(since)

    def has_more(self, now: float) -> bool:
        """Whether the job will be due again."""
        return self.times is not None and self.times.has_more(self.last_due if self.last_due is not None else now, now)

    def take_due(self, now: float) -> float | None:
        """The due time to run now; None if all of them are too long ago. All times up to now are done then."""
        if self.times is None or self.next_due is None:
            return None
        if self.is_open or self.times.once:
            # A requested run does not replace one that is due by the schedule.
            self.is_open = False
            if self.times.continuous:
                self.last_due = now
            return self.next_due
        if self.times.continuous:
            self.last_due = now
            return self.next_due
        options = self.times.schedule
        oldest = now - (options.misfire_grace_seconds if options.catch_up != "none" else LATE_SECONDS)
        since = self.last_due if self.last_due is not None else self.next_due - 1
        since = max(since, oldest - 1e-6)
        if options.catch_up == "all":
            found = self.times.after(since)
            found = found if found is not None and found <= now else None
        else:
            found = self.times.newest(since, now)
        self.last_due = found if found is not None and options.catch_up == "all" else now
        return found


def first_state(job: Mapping[str, Any]) -> State:
    """The first state of a job that is new here."""
    schedule = job.get("job_schedule") or {}
    status = schedule.get("status") or NEW
    if status in (STOPPED, COMPLETED, REMOVED):
        return State(status)
    return State(RUNNING) if status in ACTIVE else State(NEW)


def state_in_playbook(job: Mapping[str, Any]) -> State | None:
    """The state of a job that a playbook runs, from its document; None if none does."""
    schedule = job.get("job_schedule") or {}
    progress = schedule.get("progress")
    if schedule.get("status") not in ACTIVE or not isinstance(progress, Mapping) or progress.get("phase") != PLAYBOOK:
        return None
    return State(RUNNING, STOP if progress.get("after") == STOP else "")


def first_last_due(job: Mapping[str, Any], now: float) -> float:
    """The time up to which due times are done, for a job that is new here: its last run, or its creation."""
    schedule = job.get("job_schedule") or {}
    if is_reopened(schedule):
        # Past due times of the new schedule are not caught up.
        return now
    for key in ("time_started", "time_created"):
        value = schedule.get(key)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= now:
            return float(value)
    return now
