# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""When a job is due: what the keys of a ``job_schedule`` say.

A job runs at one moment (``schedule_date``), at an interval (``schedule_interval``), again and again without a pause
(``schedule_interval: continuous``), by the calendar (``schedule_year`` to ``schedule_second``), at the times of several
of these, or, with none of them, once. The calendar fields have the grammar of APScheduler's cron trigger, to which Freezer's scheduler has
always handed them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any, Union
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..errors import quoted

SECONDS_PER_UNIT = {"weeks": 604800, "days": 86400, "hours": 3600, "minutes": 60, "seconds": 1}

#: Calendar field to its lowest and highest value, coarsest first. Weekday 0 is Monday.
FIELD_RANGES = {
    "year": (1970, 9999),
    "month": (1, 12),
    "day": (1, 31),
    "week": (1, 53),
    "day_of_week": (0, 6),
    "hour": (0, 23),
    "minute": (0, 59),
    "second": (0, 59),
}

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: The names that stand for the values of a field, from its lowest one on.
FIELD_NAMES = {"month": _MONTHS, "day_of_week": WEEKDAYS}
#: Where in its month a weekday is.
PLACES = {"1st": 1, "2nd": 2, "3rd": 3, "4th": 4, "5th": 5, "last": -1}

#: What becomes of times that passed while the job could not run: the newest of them, all of them, or none is run.
CATCH_UPS = ("latest", "all", "none")
#: As in Freezer's scheduler: a time that is missed by more than this is not made up for.
MISFIRE_GRACE_SECONDS = 3600
#: The longest that can be asked for: a year.
MAX_MISFIRE_GRACE_SECONDS = 366 * 86400

#: What a user writes in a schedule.
TRIGGER_KEYS = (
    "schedule_date",
    "schedule_interval",
    "schedule_start_date",
    "schedule_end_date",
    *("schedule_" + name for name in FIELD_RANGES),
    "schedule_timezone",
    "schedule_misfire_grace_time",
    "schedule_catch_up",
)

#: The most characters of a calendar field: all 60 minutes have room in it, with blanks between them.
MAX_FIELD_LENGTH = 1000

_DATE = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?(?:(Z)|([+-])([0-9]{2}):([0-5][0-9]))?"
)
_INTERVAL = re.compile(rf"([0-9]{{1,12}}) +({'|'.join(SECONDS_PER_UNIT)})")
_ALL = re.compile(r"\*(?:/([0-9]{1,9}))?")
_NUMBERS = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?(?:/([0-9]{1,9}))?")
_NAMES = re.compile(r"([a-z]+)(?:-([a-z]+))?")
_PLACE = re.compile(rf"({'|'.join(PLACES)}) +([a-z]+)")


class ScheduleError(ValueError):
    """A schedule cannot be followed; the message names the key, its value and what may stand there."""


@dataclass(frozen=True)
class Steps:
    """Every ``step`` from ``first`` to ``last``, both included."""

    first: int
    last: int
    step: int = 1


@dataclass(frozen=True)
class WeekdayOfMonth:
    """A weekday (0 is Monday) by its place in the month: 1 to 5, or -1 for the last one."""

    place: int
    weekday: int


@dataclass(frozen=True)
class LastDayOfMonth:
    """The last day of the month."""


Expression = Union[Steps, WeekdayOfMonth, LastDayOfMonth]


@dataclass(frozen=True)
class Field:
    """One calendar field, which fits where any of its expressions fits; ``name`` is without ``schedule_``."""

    name: str
    expressions: tuple[Expression, ...]


@dataclass(frozen=True)
class Schedule:
    """What a ``job_schedule`` asks for.

    ``kind`` is ``date``, ``interval``, ``continuous``, ``cron`` or ``none``; where several are given, the first of them,
    and ``others`` are the rest. A time without a zone is in ``timezone``, a name of the IANA's, or in the local time of
    the node that runs the job. ``start`` and ``end`` bound ``interval``, ``continuous``, ``cron`` and the one run of
    ``none``, and ``end`` the one of ``date``. A time that is missed by more than ``misfire_grace_seconds`` is not run any
    more; ``catch_up`` is one of ``CATCH_UPS``.
    """

    kind: str
    date: datetime | None = None
    interval_seconds: int | None = None
    fields: tuple[Field, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    timezone: str | None = None
    misfire_grace_seconds: int = MISFIRE_GRACE_SECONDS
    catch_up: str = "latest"
    others: tuple[Schedule, ...] = ()

    @property
    def is_local(self) -> bool:
        """Whether it means the local time of the node that runs the job."""
        has_local = any(date is not None and date.tzinfo is None for date in (self.date, self.start, self.end))
        return self.timezone is None and (
            bool(self.fields) or has_local or any(other.is_local for other in self.others)
        )


def named_zone(name: Any, key: str = "timezone") -> tzinfo:
    """The time zone of this name of the IANA's; ``key`` is what has the name. Raises ScheduleError."""
    try:
        if not isinstance(name, str):
            raise ValueError
        return ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        # OSError: the name of a folder of the database.
        raise ScheduleError(
            f"{key} is {quoted(name)}, which this machine does not know; write a name of the IANA's such as Europe/Berlin or UTC"
        ) from None


def parse(schedule: Mapping[str, Any]) -> Schedule:
    """What a ``job_schedule``, or the ``schedule`` of a session, asks for.

    Every ``schedule_*`` key is checked; the others say how a run went, not when it is due. Several kinds may be given,
    and the job then runs at the times of each. A key that is None or empty is not given. Raises ScheduleError.
    """
    unknown = sorted(key for key in schedule if key.startswith("schedule_") and key not in TRIGGER_KEYS)
    if unknown:
        raise ScheduleError(
            f"{unknown[0][:100]} is no key of a schedule; the keys are {', '.join(sorted(TRIGGER_KEYS))}"
        )
    given: Mapping[str, Any] = {
        key: value for key, value in schedule.items() if key in TRIGGER_KEYS and value not in (None, "")
    }

    date = _date(given, "schedule_date")
    start, end = _date(given, "schedule_start_date"), _date(given, "schedule_end_date")
    interval_seconds = _interval_seconds(given)
    for key in ("schedule_" + name for name in FIELD_RANGES):
        length = len(str(given.get(key, "")))
        if length > MAX_FIELD_LENGTH:
            raise ScheduleError(f"{key} has {length} characters; write {MAX_FIELD_LENGTH} at most")
    given = _with_weekdays(given)
    fields = tuple(_field(name, str(given["schedule_" + name])) for name in FIELD_RANGES if "schedule_" + name in given)
    for key, first in (("schedule_start_date", start), ("schedule_date", date)):
        if first and end and (first.tzinfo is None) == (end.tzinfo is None) and end < first:
            raise ScheduleError(
                f"schedule_end_date is {given['schedule_end_date'][:40]}, before {key}, {given[key][:40]}; nothing would ever run "
                "between them"
            )

    options = _options(given)
    kinds: list[Schedule] = []
    if date is not None:
        kinds.append(Schedule("date", date=date, end=end, **options))
    if interval_seconds is not None:
        kind = "interval" if interval_seconds else "continuous"
        kinds.append(Schedule(kind, interval_seconds=interval_seconds or None, start=start, end=end, **options))
    if fields:
        kinds.append(Schedule("cron", fields=fields, start=start, end=end, **options))
    if not kinds:
        return Schedule("none", start=start, end=end, **options)
    return replace(kinds[0], others=tuple(kinds[1:]))


def _options(given: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "schedule_timezone" in given:
        named_zone(given["schedule_timezone"], "schedule_timezone")
        found["timezone"] = given["schedule_timezone"]
    if "schedule_misfire_grace_time" in given:
        text = str(given["schedule_misfire_grace_time"])
        if not re.fullmatch("[0-9]{1,9}", text) or int(text) == 0:
            raise ScheduleError(f"schedule_misfire_grace_time is {quoted(text)}; write a number of seconds above 0")
        # An API of an earlier release has stored longer ones.
        found["misfire_grace_seconds"] = min(int(text), MAX_MISFIRE_GRACE_SECONDS)
    if "schedule_catch_up" in given:
        policy = given["schedule_catch_up"]
        if policy not in CATCH_UPS:
            raise ScheduleError(f"schedule_catch_up is {quoted(policy)}; write one of {', '.join(CATCH_UPS)}")
        found["catch_up"] = policy
    return found


def _date(given: Mapping[str, Any], key: str) -> datetime | None:
    if key not in given:
        return None
    text = given[key]
    problem = (
        f"{key} is {quoted(text)}; write a date and a time such as 2026-11-22T03:25:00, with Z or +01:00 behind it"
    )
    match = _DATE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ScheduleError(problem + " for a time zone")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction, utc, sign, zone_hours, zone_minutes = match.groups()[6:]
    zone = timezone.utc if utc else None
    try:
        if sign:
            offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
            zone = timezone(-offset if sign == "-" else offset)
        microsecond = int(((fraction or "") + "000000")[:6])
        return datetime(year, month, day, hour, minute, second, microsecond, zone)
    except ValueError as error:
        raise ScheduleError(f"{key} is {quoted(text)}, which no calendar has: {error}") from error


def _interval_seconds(given: Mapping[str, Any]) -> int | None:
    """The interval in seconds, 0 for a continuous one, None where there is none."""
    if "schedule_interval" not in given:
        return None
    text = given["schedule_interval"]
    if text == "continuous":
        return 0
    match = _INTERVAL.fullmatch(text) if isinstance(text, str) else None
    if match is None or int(match[1]) == 0:
        raise ScheduleError(
            f"schedule_interval is {quoted(text)}; write 'continuous', or a number above 0 and weeks, days, hours, minutes "
            "or seconds, such as '1 days'"
        )
    seconds = int(match[1]) * SECONDS_PER_UNIT[match[2]]
    if seconds > timedelta.max.total_seconds():
        raise ScheduleError(f"schedule_interval is {quoted(text)}, which is longer than any calendar")
    return seconds


def _with_weekdays(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same with ``schedule_day_of_week`` in place of a ``schedule_day`` of weekdays, which Freezer's README has."""
    day = str(given.get("schedule_day", ""))
    names = re.split(r"[ ,-]+", day.strip().lower())
    if not all(name in WEEKDAYS for name in names):
        return given
    if "schedule_day_of_week" in given:
        raise ScheduleError(
            f"schedule_day is {quoted(day)} and schedule_day_of_week is {quoted(str(given['schedule_day_of_week']))}, and both name "
            "weekdays; keep one of them"
        )
    return {**{key: value for key, value in given.items() if key != "schedule_day"}, "schedule_day_of_week": day}


def _field(name: str, text: str) -> Field:
    if name == "year" and not re.fullmatch("[0-9]{4}", text):
        # The API takes nothing else, though APScheduler would.
        raise ScheduleError(f"schedule_year is {quoted(text)}; write one year with four digits")
    parts = [part.strip() for part in text.strip().lower().split(",")]
    return Field(name, tuple(_expression(name, part, text) for part in parts))


def _expression(name: str, part: str, text: str) -> Expression:
    """One of the comma-separated expressions of a calendar field; ``text`` is the whole field, for messages."""
    key = "schedule_" + name
    lowest, highest = FIELD_RANGES[name]

    match = _ALL.fullmatch(part)
    if match:
        return _steps(key, text, name, lowest, highest, match[1])
    match = _NUMBERS.fullmatch(part)
    if match:
        first, step = int(match[1]), match[3]
        # As APScheduler has it: "5" is 5 alone, "5/10" is every tenth from 5 on.
        last = int(match[2]) if match[2] else (highest if step else first)
        return _steps(key, text, name, first, last, step)
    match = _NAMES.fullmatch(part)
    if match and name == "day" and part == "last":
        return LastDayOfMonth()
    if match and name in FIELD_NAMES:
        first = _named(key, text, FIELD_NAMES[name], match[1]) + lowest
        last = _named(key, text, FIELD_NAMES[name], match[2]) + lowest if match[2] else first
        return _steps(key, text, name, first, last, None)
    match = _PLACE.fullmatch(part)
    if match and name == "day":
        return WeekdayOfMonth(PLACES[match[1]], _named(key, text, WEEKDAYS, match[2]))
    raise ScheduleError(f"{key} is {quoted(text)}; {quoted(part)} is none of {_grammar(name)}")


def _steps(key: str, text: str, name: str, first: int, last: int, step: str | None) -> Steps:
    lowest, highest = FIELD_RANGES[name]
    if first < lowest or last > highest:
        raise ScheduleError(f"{key} is {quoted(text)}; its values go from {lowest} to {highest}")
    if first > last:
        raise ScheduleError(f"{key} is {quoted(text)}; a range goes from the lower value to the higher one")
    width = int(step) if step else 1
    if width == 0 or (step and width > last - first):
        raise ScheduleError(
            f"{key} is {quoted(text)}; from {first} to {last} a step is at least 1 and at most {last - first}"
        )
    return Steps(first, last, width)


def _named(key: str, text: str, names: tuple[str, ...], word: str) -> int:
    if word not in names:
        raise ScheduleError(f"{key} is {quoted(text)}; {quoted(word)} is none of {', '.join(names)}")
    return names.index(word)


def _grammar(name: str) -> str:
    lowest, highest = FIELD_RANGES[name]
    forms = [f"a number from {lowest} to {highest}", "a range (a-b, a-b/step)", "* and */step"]
    if name in FIELD_NAMES:
        names = FIELD_NAMES[name]
        forms.append(f"a name or a range of names ({names[0]}-{names[-1]})")
    if name == "day":
        forms.append("'last' or a weekday of the month (2nd mon, last fri)")
    return ", ".join(forms)
