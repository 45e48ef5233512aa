# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What will run when: the next runs of a job, from its document."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, tzinfo
from typing import Any

from .due_times import DueTimes, local_zone
from .grammar import ScheduleError, named_zone
from .states import ABORT, IDLE, NEW, REMOVE, SCHEDULED, START, STOP


def anchor_of(schedule: Mapping[str, Any]) -> float | None:
    """The moment from which an interval of a job counts if it has no start date."""
    created = schedule.get("time_created")
    return float(created) if isinstance(created, (int, float)) and created >= 0 else None


def next_runs(document: Mapping[str, Any], since: float, count: int = 1, zone: tzinfo | None = None) -> list[datetime]:
    """The next runs of a job, or of a session, or of what is a schedule itself, after a moment; at most ``count``.

    A job that is stopped or completed has none. One that has never run and says nothing about when is due at once. A
    continuous job has one, because how long it runs is not known. ``zone`` is the node's time zone, and the one of the
    answer. Raises ScheduleError, MissingScheduler.
    """
    schedule = document
    for key in ("job_schedule", "schedule"):
        if isinstance(document.get(key), Mapping):
            schedule = document[key]
    zone = zone or local_zone()
    status, event = schedule.get("status") or "", schedule.get("event") or ""
    if event in (STOP, ABORT, REMOVE) or (status in IDLE and event != START):
        return []
    times = DueTimes(schedule, zone, anchor_of(schedule))
    if times.is_due_at_once(since):
        return [datetime.fromtimestamp(since, zone)] if status in (NEW, SCHEDULED) or event == START else []
    found: list[datetime] = []
    due = times.after(since)
    while due is not None and len(found) < count:
        found.append(datetime.fromtimestamp(due, zone))
        if times.continuous:
            break
        due = times.after(due)
    return found


def with_next_run_time(jobs: Iterable[Mapping[str, Any]], timezone: str | None = None) -> Iterator[dict[str, Any]]:
    """Jobs with ``next_run_time``, an ISO date or None, for nodes in this time zone. Raises ScheduleError."""
    zone = named_zone(timezone) if timezone else local_zone()
    now = time.time()
    for job in jobs:
        try:
            found = next_runs(job, now, zone=zone)
        except ScheduleError:
            # It can be stored, and is never run.
            found = []
        yield {**job, "next_run_time": found[0].isoformat(timespec="seconds") if found else None}
