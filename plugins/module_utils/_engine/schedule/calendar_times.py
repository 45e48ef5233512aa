# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The moments at which the calendar fields of a schedule fit, in a time zone: APScheduler's cron trigger, and its clock.

Daylight saving time neither skips nor doubles a run:

* A time that the clock jumps over is due at the end of the jump.
* A time that the clock shows twice is due the first time.
* A job whose field of hours is ``*`` or ``*/n``, or is not given beside minutes, follows the real hours as well: it is
  due in both of the hours that the clock shows twice. One of every hour has nothing to make up for after a jump.

The trigger is asked about what a clock shows, and never about the zone. With the zone it works in real time across a
change, and loses what it steps over: a job at 00:30 in Europe/Berlin not only has no run at a time that is jumped over,
it has none on the whole day after the change in spring, which has 23 hours (APScheduler 3.11). So the trigger has the
calendar, and what is here has the zone.
"""

from __future__ import annotations

import functools
import importlib
import sys
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any

from .errors import MissingScheduler
from .grammar import FIELD_RANGES, PLACES, Expression, Field, LastDayOfMonth, Steps

#: How far ahead the calendar is searched: any date with any weekday comes again within 40 years.
_HORIZON_YEARS = 41
_PLACE_NAMES = {place: name for name, place in PLACES.items()}
#: The smallest step of a clock.
_TICK = timedelta(microseconds=1)


class CalendarTimes:
    """When calendar fields fit in a time zone. Raises MissingScheduler where APScheduler is not installed."""

    def __init__(self, fields: tuple[Field, ...], zone: tzinfo) -> None:
        self._zone = zone
        self._trigger = _trigger_of(fields)
        steps = _steps_of_hours(fields)
        self._ways = [] if 1 in steps else [self._next_on_the_clock]
        if steps:
            self._ways.append(self._next_in_real_hours)

    def after(self, moment: float) -> float | None:
        """The first moment later than this one at which the fields fit; None if there is none."""
        found = [due for due in (way(moment) for way in self._ways) if due is not None]
        return min(found, default=None)

    def _next_on_the_clock(self, moment: float) -> float | None:
        clock = self._fit(self._clock(moment) + _TICK)
        while clock is not None:
            due = self._moment(clock)
            if due > moment:
                return due
            clock = self._fit(clock + _TICK)
        return None

    def _next_in_real_hours(self, moment: float) -> float | None:
        """The same where each hour counts: within a time of one offset from UTC, clock and real time are alike."""
        first = moment + 1e-6
        while True:
            offset = self._offset(first)
            clock = self._fit(datetime.fromtimestamp(first, timezone.utc) + offset)
            if clock is None:
                return None
            due = (clock - offset).timestamp()
            change = self._change_between(first, due)
            if change is None:
                return due
            first = change

    def _fit(self, clock: datetime) -> datetime | None:
        """The first time on the clock from this one on that fits the fields. Both are written as if in UTC."""
        try:
            self._trigger.end_date = clock.replace(year=clock.year + _HORIZON_YEARS, day=min(clock.day, 28))
            found: datetime | None = self._trigger.get_next_fire_time(None, clock)
        except (OverflowError, ValueError):
            return None
        return None if found is None or found == self._trigger.end_date else found

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

    def _offset(self, moment: float) -> timedelta:
        return datetime.fromtimestamp(moment, self._zone).utcoffset() or timedelta()

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


def _steps_of_hours(fields: tuple[Field, ...]) -> set[int]:
    """Every how many hours, of all of a day, the fields fit; empty where they fit at hours that are given."""
    hours = next((field.expressions for field in fields if field.name == "hour"), None)
    if hours is None:
        # Without minutes and seconds it is midnight.
        return {1} if any(field.name in ("minute", "second") for field in fields) else set()
    whole_day = FIELD_RANGES["hour"]
    return {one.step for one in hours if isinstance(one, Steps) and (one.first, one.last) == whole_day}


@functools.lru_cache(maxsize=4096)
def _trigger_of(fields: tuple[Field, ...]) -> Any:
    """APScheduler's trigger with the expressions that the grammar has found, for a clock without a zone.

    What finer fields default to is the trigger's: it has to know which ones are given.
    """
    try:
        cron = importlib.import_module("apscheduler.triggers.cron")
        kinds = importlib.import_module("apscheduler.triggers.cron.expressions")
    except ImportError as error:
        raise MissingScheduler(
            f"Calendar fields need the Python library APScheduler 3, which {sys.executable} does not have ({error}). "
            "Install it there."
        ) from error
    expressions = {field.name: [_expression_of(kinds, one) for one in field.expressions] for field in fields}
    trigger = cron.CronTrigger(timezone=timezone.utc, **dict.fromkeys(expressions, "*"))
    for field in trigger.fields:
        field.expressions = expressions.get(field.name, field.expressions)
    return trigger


def _expression_of(kinds: Any, expression: Expression) -> Any:
    if isinstance(expression, LastDayOfMonth):
        return kinds.LastDayOfMonthExpression()
    if isinstance(expression, Steps):
        return kinds.RangeExpression(expression.first, expression.last, expression.step)
    return kinds.WeekdayPositionExpression(_PLACE_NAMES[expression.place], kinds.WEEKDAYS[expression.weekday])
