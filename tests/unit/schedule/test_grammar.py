# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What schedules mean, and which ones cannot be followed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.grammar import (
    LastDayOfMonth,
    Schedule,
    ScheduleError,
    Steps,
    WeekdayOfMonth,
    parse,
)


def expressions(**fields):
    """The expressions of the only calendar field of a schedule."""
    (found,) = parse({"schedule_" + name: value for name, value in fields.items()}).fields
    return found.expressions


def test_an_empty_schedule_runs_once():
    assert parse({}) == Schedule("none")
    assert parse({"schedule_date": None, "schedule_hour": ""}) == Schedule("none")


def test_keys_about_the_run_say_nothing_about_when_it_is_due():
    assert parse({"status": "scheduled", "event": "start", "time_created": 3}).kind == "none"


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2015-06-02T16:20:00", datetime(2015, 6, 2, 16, 20)),  # noqa: DTZ001
        ("2015-06-02T16:20:00.25", datetime(2015, 6, 2, 16, 20, 0, 250000)),  # noqa: DTZ001
        ("2015-06-02T16:20:00Z", datetime(2015, 6, 2, 16, 20, tzinfo=UTC)),
        ("2015-06-02T16:20:00-03:30", datetime(2015, 6, 2, 16, 20, tzinfo=timezone(-timedelta(hours=3, minutes=30)))),
        ("2015-06-02T16:20:00.1234567+01:00", datetime(2015, 6, 2, 16, 20, 0, 123456, timezone(timedelta(hours=1)))),
    ],
)
def test_a_date_is_read_with_and_without_fraction_and_zone(text, date):
    schedule = parse({"schedule_date": text})
    assert schedule.kind == "date"
    assert schedule.date == date
    assert schedule.date.tzinfo == date.tzinfo


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2 weeks", 1209600), ("1 days", 86400), ("36 hours", 129600), ("5  minutes", 300), ("30 seconds", 30)],
)
def test_an_interval_is_a_number_of_seconds(text, seconds):
    assert parse({"schedule_interval": text}) == Schedule("interval", interval_seconds=seconds)


def test_continuous_is_a_kind_of_its_own_and_has_bounds():
    schedule = parse({"schedule_interval": "continuous", "schedule_end_date": "2030-01-01T00:00:00Z"})
    assert schedule.kind == "continuous"
    assert schedule.interval_seconds is None
    assert schedule.end == datetime(2030, 1, 1, tzinfo=UTC)


def test_of_several_kinds_a_date_is_named_first_then_an_interval_then_calendar_fields():
    given = {"schedule_date": "2015-06-02T16:20:00", "schedule_interval": "1 days", "schedule_hour": "3"}
    assert parse(given).kind == "date"
    assert [other.kind for other in parse(given).others] == ["interval", "cron"]
    del given["schedule_date"]
    assert parse(given).kind == "interval"
    del given["schedule_interval"]
    assert parse(given).kind == "cron"


def test_every_calendar_field_is_read_with_its_bounds():
    schedule = parse(
        {
            "schedule_year": "2026",
            "schedule_month": "1-6, 9-12",
            "schedule_day": "*/2",
            "schedule_week": "53",
            "schedule_day_of_week": "0-4",
            "schedule_hour": "03",
            "schedule_minute": "0,30",
            "schedule_second": "*",
            "schedule_start_date": "2026-01-01T00:00:00",
        }
    )
    assert [field.name for field in schedule.fields] == [
        "year",
        "month",
        "day",
        "week",
        "day_of_week",
        "hour",
        "minute",
        "second",
    ]
    assert schedule.fields[1].expressions == (Steps(1, 6), Steps(9, 12))
    assert schedule.start == datetime(2026, 1, 1)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"minute": "*"}, (Steps(0, 59),)),
        ({"minute": "*/15"}, (Steps(0, 59, 15),)),
        ({"minute": "5"}, (Steps(5, 5),)),
        ({"minute": "5/10"}, (Steps(5, 59, 10),)),
        ({"minute": "10-30/5"}, (Steps(10, 30, 5),)),
        ({"minute": 7}, (Steps(7, 7),)),
        ({"month": "jan-MAR"}, (Steps(1, 3),)),
        ({"month": "dec"}, (Steps(12, 12),)),
        ({"day_of_week": "mon,wed-fri, 6"}, (Steps(0, 0), Steps(2, 4), Steps(6, 6))),
        ({"day": "last"}, (LastDayOfMonth(),)),
        ({"day": "2nd mon, last fri"}, (WeekdayOfMonth(2, 0), WeekdayOfMonth(-1, 4))),
    ],
    ids=str,
)
def test_calendar_expressions_mean_what_they_mean_to_apscheduler(fields, expected):
    assert expressions(**fields) == expected


@pytest.mark.parametrize(
    ("schedule", "says"),
    [
        ({"schedule_hours": "3"}, "schedule_hours"),
        ({"schedule_date": "2015-06-02"}, "schedule_date"),
        ({"schedule_date": "2015-06-02T16:20"}, "schedule_date"),
        ({"schedule_date": "2015-02-30T16:20:00"}, "no calendar"),
        ({"schedule_date": "2015-06-02T16:20:00+99:00"}, "no calendar"),
        ({"schedule_date": 20150602}, "20150602"),
        ({"schedule_start_date": "soon"}, "schedule_start_date"),
        ({"schedule_interval": "1 day"}, "'1 day'"),
        ({"schedule_interval": "0 days"}, "above 0"),
        ({"schedule_interval": "days"}, "schedule_interval"),
        ({"schedule_interval": 5}, "schedule_interval"),
        ({"schedule_interval": "999999999999 weeks"}, "longer"),
        ({"schedule_year": "26"}, "four digits"),
        ({"schedule_month": "0"}, "1 to 12"),
        ({"schedule_month": "foo"}, "jan"),
        ({"schedule_month": "mon"}, "jan"),
        ({"schedule_day": "32"}, "1 to 31"),
        ({"schedule_day": "mon, 3"}, "'mon'"),
        ({"schedule_day": "6th mon"}, "2nd mon"),
        ({"schedule_day": "2nd foo"}, "'foo'"),
        ({"schedule_week": "54"}, "1 to 53"),
        ({"schedule_day_of_week": "7"}, "0 to 6"),
        ({"schedule_day_of_week": "fri-mon"}, "lower value"),
        ({"schedule_hour": "24"}, "0 to 23"),
        ({"schedule_hour": "5-3"}, "lower value"),
        ({"schedule_minute": "*/0"}, "at least 1"),
        ({"schedule_minute": "*/60"}, "at most 59"),
        ({"schedule_minute": "10-20/11"}, "at most 10"),
        ({"schedule_minute": "1,,2"}, "schedule_minute"),
        ({"schedule_minute": "9" * 5000}, "schedule_minute"),
        ({"schedule_second": "-1"}, "schedule_second"),
        (
            {"schedule_start_date": "2026-01-02T00:00:00", "schedule_end_date": "2026-01-01T00:00:00"},
            "before schedule_start_date",
        ),
        (
            {"schedule_date": "2026-01-02T00:00:00Z", "schedule_end_date": "2026-01-01T00:00:00Z"},
            "before schedule_date, 2026-01-02",
        ),
    ],
    ids=str,
)
def test_a_schedule_that_cannot_be_followed_is_told_by_key_and_value(schedule, says):
    with pytest.raises(ScheduleError, match=says):
        parse(schedule)


def test_an_unused_kind_is_checked_too():
    with pytest.raises(ScheduleError, match="schedule_hour"):
        parse({"schedule_date": "2015-06-02T16:20:00", "schedule_hour": "25"})


def test_weekdays_in_two_fields_are_said_to_be():
    assert parse({"schedule_day": "mon"}).fields[0].name == "day_of_week"
    with pytest.raises(ScheduleError, match="schedule_day is 'mon' and schedule_day_of_week is 'fri', and both name"):
        parse({"schedule_day": "mon", "schedule_day_of_week": "fri"})
