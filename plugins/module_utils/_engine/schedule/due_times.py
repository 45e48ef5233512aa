# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The moments at which a job is due, as a schedule that was parsed says.

Moments are seconds since 1970. Calendar fields are worked out by APScheduler's cron trigger, which is imported only
where there are any: nothing else here needs a library.

Daylight saving time neither skips nor doubles a run:

* A time that the clock jumps over is due at the end of the jump.
* A time that the clock shows twice is due the first time.
* A job of every hour (its field of hours is not given, or has all of them) follows the real hours instead: it is due
  in both of the hours that the clock shows twice, and not in the one that it jumps over.
* An interval is real time, counted from ``schedule_start_date``, or from when the job was created.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .errors import MissingScheduler
from .grammar import FIELD_RANGES, Expression, Field, LastDayOfMonth, Schedule, Steps, parse

#: How far ahead the calendar is searched: any date with any weekday comes again within 40 years.
_HORIZON_YEARS = 41
_PLACES = {1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 5: "5th", -1: "last"}
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LOCALTIME = "/etc/localtime"


def local_zone() -> tzinfo:
    """The time zone of this machine, with all its changes: ``TZ``, else what /etc/localtime says, else UTC."""
    name = os.environ.get("TZ", "").lstrip(":")
    try:
        if name:
            return ZoneInfo(name)
        with open(_LOCALTIME, "rb") as file:
            return ZoneInfo.from_file(file, key=_local_name())
    except (OSError, ValueError, ZoneInfoNotFoundError):
        return timezone.utc


def named_zone(name: str) -> tzinfo:
    """The time zone of this name of the IANA's. Raises ScheduleError."""
    return ZoneInfo(str(parse({"schedule_timezone": name}).timezone))


def _local_name() -> str:
    _before, found, name = os.path.realpath(_LOCALTIME).partition("zoneinfo/")
    return name if found else "local"


class DueTimes:
    """When a job is due. ``anchor`` is the moment from which an interval without a start date counts.

    ``continuous`` says that it is due again as soon as it has run. ``once`` says that it is due once, at once, since
    nothing says when. Raises ScheduleError for a schedule that makes no sense. For one thread: what works calendar
    fields out is shared.
    """

    def __init__(
        self, schedule: Mapping[str, Any] | Schedule, zone: tzinfo | None = None, anchor: float | None = None
    ) -> None:
        parsed = schedule if isinstance(schedule, Schedule) else parse(schedule)
        self.schedule = parsed
        zone = ZoneInfo(parsed.timezone) if parsed.timezone else zone or local_zone()
        kinds = (parsed, *parsed.others)
        self.once = parsed.kind == "none"
        self.continuous = any(kind.kind == "continuous" for kind in kinds)
        self._sources = [_source(kind, zone, anchor) for kind in kinds if kind.kind != "none"]

    @property
    def repeats(self) -> bool:
        """Whether it may be due more than once."""
        return any(not isinstance(source, _Date) for source in self._sources)

    def after(self, moment: float) -> float | None:
        """The first moment later than this one at which the job is due; None if there is none."""
        found = [due for due in (source.after(moment) for source in self._sources) if due is not None]
        return min(found) if found else None

    def has_more(self, since: float, now: float) -> bool:
        """Whether the job will be due again. ``since`` is the moment up to which times have been dealt with."""
        return not self.once and self.after(max(since, now) if self.continuous else since) is not None

    def newest(self, since: float, until: float) -> float | None:
        """The last of the moments later than ``since`` and not later than ``until``; None if there is none.

        However many there are, few of them are worked out.
        """
        found = [due for due in (source.newest(since, until) for source in self._sources) if due is not None]
        return max(found) if found else None

    def up_to(self, since: float, until: float) -> Iterator[float]:
        """The moments later than ``since`` and not later than ``until``. A continuous job has none between two runs."""
        due = self.after(since)
        while due is not None and due <= until:
            yield due
            due = self.after(due)


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
    def __init__(self, date: float) -> None:
        self._date = date

    def after(self, moment: float) -> float | None:
        return self._date if self._date > moment else None


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
    def __init__(self, fields: tuple[Field, ...], zone: tzinfo, start: float | None, end: float | None) -> None:
        super().__init__(start, end)
        self._zone = zone
        self._trigger = _cron_trigger(fields)
        hours = next((field.expressions for field in fields if field.name == "hour"), None)
        finer = any(field.name in ("minute", "second") for field in fields)
        every_hour = Steps(*FIELD_RANGES["hour"])
        self._in_real_hours = finer if hours is None else every_hour in hours

    def _next_after(self, moment: float) -> float | None:
        return self._next_real(moment) if self._in_real_hours else self._next_on_the_clock(moment)

    def _fire(self, clock: datetime) -> datetime | None:
        """The first time on the clock from this one on that fits the fields. Both are written as if in UTC."""
        try:
            self._trigger.end_date = clock.replace(year=clock.year + _HORIZON_YEARS, day=min(clock.day, 28))
            found: datetime | None = self._trigger.get_next_fire_time(None, clock)
        except (OverflowError, ValueError):
            return None
        return None if found is None or found == self._trigger.end_date else found

    def _next_on_the_clock(self, moment: float) -> float | None:
        clock: datetime | None = self._clock(moment)
        while clock is not None:
            clock = self._fire(clock)
            if clock is None:
                return None
            due = self._moment(clock)
            if due > moment:
                return due
            clock += timedelta(microseconds=1)
        return None

    def _next_real(self, moment: float) -> float | None:
        """The same where each hour counts: within a time of one offset from UTC, clock and real time are alike."""
        first = moment + 1e-6
        while True:
            offset = self._offset(first)
            clock = self._fire(datetime.fromtimestamp(first, timezone.utc) + offset)
            if clock is None:
                return None
            due = (clock - offset).timestamp()
            change = self._change_between(first, due)
            if change is None:
                return due
            first = change

    def _change_between(self, first: float, last: float) -> float | None:
        """The first moment from which another offset holds, if that is one of the two or between them."""
        step = 6 * 3600.0
        before = first
        while before < last:
            after = min(before + step, last)
            if self._offset(after) != self._offset(first):
                low, high = int(before), int(after) + 1
                while high - low > 1:
                    middle = (low + high) // 2
                    low, high = (middle, high) if self._offset(middle) == self._offset(first) else (low, middle)
                return float(high)
            before = after
        return None

    def _offset(self, moment: float) -> timedelta:
        return datetime.fromtimestamp(moment, self._zone).utcoffset() or timedelta()

    def _clock(self, moment: float) -> datetime:
        return datetime.fromtimestamp(moment, self._zone).replace(tzinfo=timezone.utc, fold=0)

    def _moment(self, clock: datetime) -> float:
        """When the clock shows this for the first time; where it jumps over it, the end of the jump."""
        local = clock.replace(tzinfo=self._zone, fold=0)
        moment = local.timestamp()
        if self._clock(moment) == clock:
            return moment
        # In a jump the two readings of PEP 495 lie on its two sides: the later offset gives the earlier moment.
        early = local.replace(fold=1).timestamp()
        return self._change_between(min(early, moment), max(early, moment)) or moment


def _source(schedule: Schedule, zone: tzinfo, anchor: float | None) -> _Source:
    start, end = _moment_of(schedule.start, zone), _moment_of(schedule.end, zone)
    if schedule.kind == "date" and schedule.date is not None:
        return _Date(_moment_of(schedule.date, zone) or 0.0)
    if schedule.kind == "interval":
        return _Interval(schedule.interval_seconds or 1, start, end, anchor)
    if schedule.kind == "continuous":
        return _Continuous(start, end)
    return _Calendar(schedule.fields, zone, start, end)


def _moment_of(date: datetime | None, zone: tzinfo) -> float | None:
    if date is None:
        return None
    return (date if date.tzinfo is not None else date.replace(tzinfo=zone)).timestamp()


@functools.lru_cache(maxsize=4096)
def _cron_trigger(fields: tuple[Field, ...]) -> Any:
    try:
        cron = importlib.import_module("apscheduler.triggers.cron")
    except ImportError as error:
        raise MissingScheduler(
            f"Calendar fields need the Python library APScheduler 3, which {sys.executable} does not have ({error}). "
            "Install it there."
        ) from error
    texts = {field.name: ",".join(_text(field.name, one) for one in field.expressions) for field in fields}
    return cron.CronTrigger(timezone=timezone.utc, **texts)


def _text(name: str, expression: Expression) -> str:
    if isinstance(expression, LastDayOfMonth):
        return "last"
    if isinstance(expression, Steps):
        lowest, highest = FIELD_RANGES[name]
        step = f"/{expression.step}" if expression.step > 1 else ""
        if (expression.first, expression.last) == (lowest, highest):
            return "*" + step
        if expression.first == expression.last:
            return str(expression.first)
        return f"{expression.first}-{expression.last}{step}"
    return f"{_PLACES[expression.place]} {_WEEKDAYS[expression.weekday]}"
