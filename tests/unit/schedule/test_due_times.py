# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""When jobs are due, above all where the clock is changed."""

from __future__ import annotations

import random
import sys
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.changes import has_times
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.due_times import DueTimes, next_runs
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.errors import MissingScheduler
from ansible_collections.freezer.backup.tests.support.due_moments import up_to

BERLIN = ZoneInfo("Europe/Berlin")


def moment(text, zone=BERLIN):
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=zone)).timestamp()


def due(schedule, since, count, zone=BERLIN, anchor=None):
    """So many times after a moment, as texts with their offset."""
    times, found, last = DueTimes(schedule, zone, anchor), [], moment(since, zone)
    for _turn in range(count):
        last = times.after(last)
        if last is None:
            break
        found.append(datetime.fromtimestamp(last, zone).isoformat())
    return found


def test_a_time_that_the_clock_jumps_over_is_due_at_the_end_of_the_jump():
    assert due({"schedule_hour": "2", "schedule_minute": "30"}, "2026-03-28T12:00:00", 2) == [
        "2026-03-29T03:00:00+02:00",
        "2026-03-30T02:30:00+02:00",
    ]


def test_a_time_that_the_clock_shows_twice_is_due_once():
    assert due({"schedule_hour": "2", "schedule_minute": "30"}, "2026-10-24T12:00:00", 2) == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-26T02:30:00+01:00",
    ]


def test_several_times_in_a_jump_are_one_run():
    assert due({"schedule_hour": "2,3", "schedule_minute": "*/20"}, "2026-03-28T12:00:00", 3) == [
        "2026-03-29T03:00:00+02:00",
        "2026-03-29T03:20:00+02:00",
        "2026-03-29T03:40:00+02:00",
    ]


@pytest.mark.parametrize("schedule", [{"schedule_minute": "15"}, {"schedule_hour": "*", "schedule_minute": "15"}])
@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25", "2026-07-01"])
def test_a_job_of_every_hour_follows_the_real_hours(schedule, day):
    first = moment(f"{day}T00:00:00")
    times = DueTimes(schedule, BERLIN)
    assert list(up_to(times, first, first + 6 * 3600)) == [first + 900 + hour * 3600 for hour in range(6)]


# The first day of three in which the clock is changed: by an hour at two, at midnight, and by half an hour.
CHANGES = {
    "Europe/Berlin": ("2026-03-28", "2026-10-24"),
    "Australia/Sydney": ("2026-10-03", "2026-04-04"),
    "America/Santiago": ("2026-09-05", "2026-04-04"),
    "Australia/Lord_Howe": ("2026-10-03", "2026-04-04"),
}


def minutes(zone, day):
    """Each minute of three days: the moment, what the clock shows, and the minutes that it has just jumped over."""
    first, before = moment(f"{day}T00:00:00", zone), None
    for number in range(3 * 24 * 60):
        local = datetime.fromtimestamp(first + number * 60, zone)
        naive = local.replace(tzinfo=None, fold=0)
        lost = range(1, int((naive - before).total_seconds()) // 60) if before is not None else ()
        yield first + number * 60, local, [before + timedelta(minutes=minute) for minute in lost]
        before = naive


@pytest.mark.parametrize(
    ("schedule", "fits", "is_twice", "is_made_up"),
    [
        ({"schedule_hour": "2"}, lambda at: (at.hour, at.minute) == (2, 0), False, True),
        ({"schedule_hour": "0", "schedule_minute": "30"}, lambda at: (at.hour, at.minute) == (0, 30), False, True),
        (
            {"schedule_hour": "1,2,23", "schedule_minute": "45"},
            lambda at: at.hour in (1, 2, 23) and at.minute == 45, False, True,
        ),
        (
            {"schedule_day_of_week": "sun", "schedule_hour": "0-2", "schedule_minute": "*/20"},
            lambda at: at.weekday() == 6 and at.hour <= 2 and at.minute % 20 == 0, False, True,
        ),
        ({"schedule_hour": "*/2"}, lambda at: at.hour % 2 == 0 and at.minute == 0, True, True),
        ({"schedule_hour": "*/6"}, lambda at: at.hour % 6 == 0 and at.minute == 0, True, True),
        ({"schedule_hour": "*", "schedule_minute": "15"}, lambda at: at.minute == 15, True, False),
        ({"schedule_minute": "*/25"}, lambda at: at.minute % 25 == 0, True, False),
        (
            {"schedule_day_of_week": "mon", "schedule_minute": "15"},
            lambda at: at.weekday() == 0 and at.minute == 15, True, False,
        ),
    ],
    # A function's text is another one in each process, and processes that share tests have to name them alike.
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)  # fmt: skip
@pytest.mark.parametrize(("zone", "day"), [(zone, day) for zone, days in CHANGES.items() for day in days])
def test_a_change_of_the_clock_neither_skips_nor_doubles_a_run(schedule, fits, is_twice, is_made_up, zone, day):
    """Compared with a look at the clock in every minute."""
    place = ZoneInfo(zone)
    looks = list(minutes(place, day))
    assert len({local.utcoffset() for _at, local, _lost in looks}) == 2
    expected = [
        at
        for at, local, lost in looks
        if (fits(local) and (is_twice or local.fold == 0)) or (is_made_up and any(fits(one) for one in lost))
    ]
    assert list(up_to(DueTimes(schedule, place), looks[0][0] - 1, looks[-1][0])) == expected


def test_the_day_after_the_change_has_its_run_at_half_past_midnight():
    """Where the trigger is asked with the time zone, it has none: what is lost then is a whole day's backup."""
    assert due({"schedule_hour": "0", "schedule_minute": "30"}, "2026-03-29T00:45:00", 1) == [
        "2026-03-30T00:30:00+02:00"
    ]


def test_an_interval_is_real_time_from_its_start():
    assert due(
        {"schedule_interval": "12 hours", "schedule_start_date": "2026-10-24T14:00:00"}, "2026-10-24T13:00:00", 3
    ) == [
        "2026-10-24T14:00:00+02:00",
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T13:00:00+01:00",
    ]


@pytest.mark.parametrize(("zone", "day"), [(zone, day) for zone, days in CHANGES.items() for day in days])
def test_an_interval_is_as_long_across_a_change_of_the_clock(zone, day):
    first = moment(f"{day}T12:00:00", ZoneInfo(zone))
    times = DueTimes({"schedule_interval": "90 minutes", "schedule_start_date": f"{day}T12:00:00"}, ZoneInfo(zone))
    assert list(up_to(times, first - 1, first + 86400)) == [first + 5400 * number for number in range(17)]


def test_every_expression_of_the_grammar_is_evaluated():
    days = {"schedule_day": "2nd mon, last fri, last, 5-9/2", "schedule_month": "feb, nov-dec"}
    found = [text[5:10] for text in due({**days, "schedule_hour": "3"}, "2026-01-31T00:00:00", 12)]
    assert found == [
        "02-05", "02-07", "02-09", "02-27", "02-28", "11-05", "11-07", "11-09", "11-27", "11-30", "12-05", "12-07",
    ]  # fmt: skip
    assert due({"schedule_week": "53", "schedule_day_of_week": "sun", "schedule_hour": "*/23"}, "2026-01-10T00:00:00", 2) == [
        "2027-01-03T00:00:00+01:00",
        "2027-01-03T23:00:00+01:00",
    ]  # fmt: skip
    assert due({"schedule_year": "2028"}, "2026-01-10T00:00:00", 2) == ["2028-01-01T00:00:00+01:00"]


def test_an_interval_without_a_start_counts_from_when_the_job_was_made():
    made = moment("2026-06-01T08:07:00")
    schedule = {"schedule_interval": "4 hours"}
    assert due(schedule, "2026-06-01T08:00:00", 1, anchor=made) == ["2026-06-01T12:07:00+02:00"]
    assert due(schedule, "2026-06-03T08:00:00", 1, anchor=made) == ["2026-06-03T08:07:00+02:00"]


def test_start_and_end_bound_intervals_and_calendars_and_are_included():
    bounds = {"schedule_start_date": "2026-06-01T08:00:00", "schedule_end_date": "2026-06-01T10:00:00Z"}
    hours = ["2026-06-01T08:00:00+02:00", "2026-06-01T10:00:00+02:00", "2026-06-01T12:00:00+02:00"]
    assert due({"schedule_interval": "2 hours", **bounds}, "2026-01-01T00:00:00", 9) == hours
    assert due({"schedule_hour": "*/2", **bounds}, "2026-01-01T00:00:00", 9) == hours


def test_the_zone_of_the_schedule_goes_before_the_one_of_the_node():
    schedule = {"schedule_hour": "3", "schedule_timezone": "Asia/Tokyo"}
    assert due(schedule, "2026-06-01T00:00:00", 1) == ["2026-06-01T20:00:00+02:00"]


def test_several_kinds_are_due_at_the_times_of_each():
    schedule = {
        "schedule_date": "2026-06-01T03:00:00",
        "schedule_interval": "5 hours",
        "schedule_hour": "4",
        "schedule_start_date": "2026-06-01T00:00:00",
    }
    assert [text[11:16] for text in due(schedule, "2026-05-31T23:00:00", 5)] == [
        "00:00",
        "03:00",
        "04:00",
        "05:00",
        "10:00",
    ]


def test_weekdays_in_the_field_of_days_are_weekdays_as_in_the_readme():
    schedule = {
        "schedule_month": "1-6, 9-12",
        "schedule_day": "mon, wed, fri",
        "schedule_hour": "03",
        "schedule_minute": "25",
    }
    assert due(schedule, "2026-06-26T12:00:00", 3) == [
        "2026-06-29T03:25:00+02:00",
        "2026-09-02T03:25:00+02:00",
        "2026-09-04T03:25:00+02:00",
    ]


def test_what_no_calendar_has_is_never_due():
    assert due({"schedule_month": "2", "schedule_day": "30"}, "2026-01-01T00:00:00", 1) == []
    assert due({"schedule_date": "2026-01-01T00:00:00"}, "2026-01-01T00:00:00", 1) == []


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "UTC", "Pacific/Apia"])
def test_every_day_has_its_run_and_no_day_has_two(zone):
    """Whatever the clock does: one run a day, for times of the day at random, over years with all kinds of changes."""
    chance = random.Random(zone)
    place = ZoneInfo(zone)
    for _turn in range(4):
        hour, minute = chance.randrange(24), chance.randrange(60)
        times = DueTimes({"schedule_hour": str(hour), "schedule_minute": str(minute)}, place)
        first, last = moment("2010-01-01T00:00:00", place), moment("2013-01-01T00:00:00", place)
        found = [datetime.fromtimestamp(one, place) for one in up_to(times, first - 1, last - 1)]
        days = [one.date() for one in found]
        missing = {days[0] + timedelta(days=n) for n in range(len(days))} - set(days)
        assert len(set(days)) >= len(days) - 1
        # Samoa went over the date line on 30 December 2011: that day was nowhere.
        assert {str(day) for day in missing} <= ({"2011-12-30"} if zone == "Pacific/Apia" else set())
        assert all((one.hour, one.minute) == (hour, minute) for one in found if one.fold == 0 and one.minute == minute)


@pytest.mark.parametrize("interval", ["999999999999 seconds", "9999999 weeks"])
def test_a_time_behind_the_end_of_the_calendar_is_never_due(interval):
    job = {"job_schedule": {"schedule_interval": interval, "time_created": 1}}
    assert next_runs(job, moment("2026-01-01T00:00:00"), 2, BERLIN) == []
    assert next_runs({"schedule_date": "9999-12-31T23:59:59-12:00"}, moment("2026-01-01T00:00:00"), 2, BERLIN) == []


def test_the_next_runs_of_a_job_say_what_the_scheduler_will_do():
    job = {"job_schedule": {"schedule_hour": "2", "status": "scheduled"}}
    now = moment("2026-06-01T12:00:00")
    assert [run.isoformat() for run in next_runs(job, now, 2, BERLIN)] == [
        "2026-06-02T02:00:00+02:00",
        "2026-06-03T02:00:00+02:00",
    ]
    for status, event in (("stop", ""), ("completed", ""), ("scheduled", "stop"), ("running", "abort")):
        assert next_runs({"job_schedule": {"schedule_hour": "2", "status": status, "event": event}}, now) == []
    assert len(next_runs({"job_schedule": {"schedule_interval": "continuous"}}, now, 5)) == 1
    assert len(next_runs({"job_schedule": {}}, now, 5)) == 1
    assert next_runs({"job_schedule": {"status": "completed"}}, now, 5) == []


def test_without_the_library_a_sentence_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "apscheduler.triggers.cron", None)
    assert DueTimes({"schedule_interval": "1 days"}, BERLIN, anchor=0).after(0) == 86400
    with pytest.raises(MissingScheduler, match=r"APScheduler 3, which .*python.* does not have"):
        DueTimes({"schedule_second": "59", "schedule_minute": "59"}, BERLIN)


MADE = moment("2026-03-28T00:00:03")


@pytest.mark.parametrize(
    ("schedule", "anchor"),
    [
        ({"schedule_interval": "7 seconds"}, MADE),
        ({"schedule_interval": "7 seconds"}, None),
        ({"schedule_interval": "90 minutes", "schedule_start_date": "2026-03-27T00:00:00.5"}, MADE),
        ({"schedule_hour": "3", "schedule_second": "*/20"}, MADE),
        ({"schedule_hour": "2", "schedule_minute": "*/30", "schedule_end_date": "2026-03-29T12:00:00"}, None),
        ({"schedule_minute": "15", "schedule_interval": "5 hours", "schedule_date": "2026-03-28T20:00:00"}, MADE),
        ({"schedule_day": "29", "schedule_month": "2"}, None),
    ],
)
def test_the_newest_time_is_the_last_of_all_up_to_then(schedule, anchor):
    times, chance = DueTimes(schedule, BERLIN, anchor), random.Random(4)
    for _turn in range(10):
        since = moment("2026-03-28T12:00:00") + chance.uniform(0, 86400)
        until = since + chance.choice([1, 60, 3600, 86400])
        assert times.newest(since, until) == max(up_to(times, since, until), default=None)


@pytest.mark.parametrize("schedule", [{"schedule_interval": "1 seconds"}, {"schedule_second": "*"}])
def test_the_newest_of_millions_of_times_is_found_with_few_of_them(schedule, monkeypatch):
    times = DueTimes(schedule, BERLIN, anchor=moment("2020-01-01T00:00:00"))
    source, asked = times._sources[0], []
    after = type(source).after
    monkeypatch.setattr(type(source), "after", lambda self, since: asked.append(since) or after(self, since))
    until = moment("2026-11-01T00:00:00")
    assert times.newest(moment("2020-01-01T00:00:00"), until) == until
    assert len(asked) < 200


def test_nothing_is_due_behind_the_end_date_which_is_included():
    end = moment("2026-06-01T12:00:00")
    for schedule in ({}, {"schedule_start_date": "2026-05-01T12:00:00"}):
        schedule = {**schedule, "schedule_end_date": "2026-06-01T12:00:00"}
        assert [run.timestamp() for run in next_runs(schedule, end, 3, BERLIN)] == [end]
        assert next_runs(schedule, end + 1, 3, BERLIN) == []
    dated = {"schedule_date": "2026-06-01T12:00:00", "schedule_end_date": "2026-06-01T10:00:00Z"}
    assert [run.timestamp() for run in next_runs(dated, end - 60, 3, BERLIN)] == [end]
    assert next_runs({**dated, "schedule_end_date": "2026-06-01T09:59:59Z"}, end - 60, 3, BERLIN) == []


def test_a_start_date_alone_is_when_the_one_run_is_due():
    schedule = {"schedule_start_date": "2026-06-01T12:00:00+02:00"}
    start = moment("2026-06-01T12:00:00")
    assert [run.timestamp() for run in next_runs(schedule, start - 60, 3, BERLIN)] == [start]
    assert [run.timestamp() for run in next_runs(schedule, start + 60, 3, BERLIN)] == [start + 60]
    assert next_runs({**schedule, "status": "completed"}, start - 60, 3, BERLIN) == []
    times = DueTimes(schedule, BERLIN)
    assert times.has_more(start - 60, start - 60)
    assert not times.has_more(start + 60, start + 60)
    assert has_times(schedule)
