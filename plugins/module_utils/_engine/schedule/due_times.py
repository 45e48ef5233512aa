# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The moments at which a job is due, as a schedule that was parsed says.

Moments are seconds since 1970. Calendar fields need APScheduler, which is imported only where there are any: nothing
else here needs a library. An interval is real time, counted from ``schedule_start_date``, or from when the job was
created; daylight saving time is nothing to it. ``calendar_times`` has what it is to calendar fields.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .calendar_times import CalendarTimes
from .grammar import Schedule, ScheduleError, named_zone, parse
from .states import ABORT, IDLE, NEW, REMOVE, SCHEDULED, START, STOP

_LOCALTIME = "/etc/localtime"
#: The last day of the calendar, in all time zones.
_LAST_MOMENT = datetime(9999, 12, 31, tzinfo=timezone.utc).timestamp()


def local_zone() -> tzinfo:
    """The time zone of this machine, with all its changes: ``TZ``, else what /etc/localtime says, else UTC."""
    name = os.environ.get("TZ", "").lstrip(":")
    try:
        if name:
            return ZoneInfo(name)
        _before, found, key = os.path.realpath(_LOCALTIME).partition("zoneinfo/")
        with open(_LOCALTIME, "rb") as file:
            return ZoneInfo.from_file(file, key=key if found else "local")
    except (OSError, ValueError, ZoneInfoNotFoundError):
        return timezone.utc


class DueTimes:
    """When a job is due. ``anchor`` is the moment from which an interval without a start date counts.

    ``continuous`` says that it is due again as soon as it has run. ``once`` says that it is due once, at once, since
    nothing says when; with nothing but a start date it is due then, and never after its end date. Raises ScheduleError for a
    schedule that makes no sense. For one thread: what works calendar fields out is shared.
    """

    def __init__(
        self, schedule: Mapping[str, Any] | Schedule, zone: tzinfo | None = None, anchor: float | None = None
    ) -> None:
        parsed = schedule if isinstance(schedule, Schedule) else parse(schedule)
        self.schedule = parsed
        zone = ZoneInfo(parsed.timezone) if parsed.timezone else zone or local_zone()
        kinds = (parsed, *parsed.others)
        self._is_single = parsed.kind == "none"
        self._start, self._end = _moment_of(parsed.start, zone), _moment_of(parsed.end, zone)
        self.once = self._is_single and self._start is None and self._end is None
        self.continuous = any(kind.kind == "continuous" for kind in kinds)
        self._sources = [_source(kind, zone, anchor) for kind in kinds if kind.kind != "none"]
        if self._is_single and self._start is not None:
            self._sources = [_Date(self._start, self._end)]

    def is_due_at_once(self, now: float) -> bool:
        """Whether a job that has not run yet is due now: nothing says when, or only between which moments, and now is."""
        is_begun, is_ended = self._start is None or self._start <= now, self._end is not None and self._end < now
        return self._is_single and is_begun and not is_ended

    def after(self, moment: float) -> float | None:
        """The first moment later than this one at which the job is due; None if there is none in any calendar."""
        found = [due for due in (source.after(moment) for source in self._sources) if due is not None]
        return min((due for due in found if due <= _LAST_MOMENT), default=None)

    def has_more(self, since: float, now: float) -> bool:
        """Whether the job will be due again. ``since`` is the moment up to which times have been dealt with."""
        return not self.once and self.after(max(since, now) if self.continuous else since) is not None

    def newest(self, since: float, until: float) -> float | None:
        """The last of the moments later than ``since`` and not later than ``until``; None if there is none.

        However many there are, few of them are worked out.
        """
        found = [due for due in (source.newest(since, until) for source in self._sources) if due is not None]
        return max(found) if found else None


class _Source(ABC):
    @abstractmethod
    def after(self, moment: float) -> float | None:
        """The first moment later than this one; None if there is none."""

    def newest(self, since: float, until: float) -> float | None:
        """The last moment later than ``since`` and not later than ``until``; None if there is none.

        Found by halving: of a moment in the middle only what comes after it is asked, so that any calendar can tell.
        """
        found = self.after(since)
        if found is None or found > until:
            return None
        following = self.after(found)
        while following is not None and following <= until:
            middle = (found + until) / 2
            due = self.after(middle)
            if due is not None and due <= until:
                found = due
            else:
                # There is none from the middle on; in the half before it the last one is looked for.
                found, until = following, middle
            following = self.after(found)
        return found


class _Date(_Source):
    def __init__(self, date: float, end: float | None) -> None:
        self._date = date
        self._is_ever = end is None or date <= end

    def after(self, moment: float) -> float | None:
        return self._date if self._is_ever and self._date > moment else None


class _Bounded(_Source):
    """Something with a start and an end, both of which are included."""

    def __init__(self, start: float | None, end: float | None) -> None:
        self._start = start
        self._end = end

    def after(self, moment: float) -> float | None:
        if self._start is not None and moment < self._start:
            due = self._first_from(self._start)
        else:
            due = self._next_after(moment)
        return None if due is None or (self._end is not None and due > self._end) else due

    def _first_from(self, start: float) -> float | None:
        # Times of schedules are whole microseconds.
        return self._next_after(start - 1e-6)

    @abstractmethod
    def _next_after(self, moment: float) -> float | None:
        """The same without start and end."""


class _Interval(_Bounded):
    def __init__(self, seconds: int, start: float | None, end: float | None, anchor: float | None) -> None:
        super().__init__(start, end)
        self._seconds = seconds
        self._anchor = start if start is not None else anchor
        self._from_anchor = 0 if start is not None else 1

    def _first_from(self, start: float) -> float | None:
        return start

    def newest(self, since: float, until: float) -> float | None:
        if self._anchor is not None:
            return super().newest(since, until)
        # Each time counts from the one before, and so from the first moment.
        turns = int((min(until, self._end if self._end is not None else until) - since) // self._seconds)
        return since + turns * self._seconds if turns > 0 else None

    def _next_after(self, moment: float) -> float | None:
        if self._anchor is None:
            return moment + self._seconds
        # Without a start date the first time is one interval after the job was made, as in Freezer's scheduler.
        turn = max(int((moment - self._anchor) // self._seconds) + 1, self._from_anchor)
        due = self._anchor + turn * self._seconds
        return due if due > moment else due + self._seconds


class _Continuous(_Bounded):
    def _first_from(self, start: float) -> float | None:
        return start

    def _next_after(self, moment: float) -> float | None:
        return moment + 1


class _Calendar(_Bounded):
    def __init__(self, times: CalendarTimes, start: float | None, end: float | None) -> None:
        super().__init__(start, end)
        self._times = times

    def _next_after(self, moment: float) -> float | None:
        return self._times.after(moment)


def _source(schedule: Schedule, zone: tzinfo, anchor: float | None) -> _Source:
    start, end = _moment_of(schedule.start, zone), _moment_of(schedule.end, zone)
    if schedule.kind == "date" and schedule.date is not None:
        return _Date(_moment_of(schedule.date, zone) or 0.0, end)
    if schedule.kind == "interval":
        return _Interval(schedule.interval_seconds or 1, start, end, anchor)
    if schedule.kind == "continuous":
        return _Continuous(start, end)
    return _Calendar(CalendarTimes(schedule.fields, zone), start, end)


def _moment_of(date: datetime | None, zone: tzinfo) -> float | None:
    if date is None:
        return None
    return (date if date.tzinfo is not None else date.replace(tzinfo=zone)).timestamp()


# ---------------------------------------------------------------------- the next runs of a document


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
