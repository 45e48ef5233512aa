# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The schema of a schedule in the contract of the API says what the grammar takes."""

from __future__ import annotations

import json
import random
from pathlib import Path

import jsonschema
import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.grammar import (
    FIELD_RANGES,
    TRIGGER_KEYS,
    ScheduleError,
    parse,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.schema import (
    CHECKED_TRIGGERS,
    SCHEDULE_SCHEMA,
)

#: What no schema can tell: two numbers that do not go together.
BEYOND = ("a range goes from", "a step is at least", "longer than any calendar", "no calendar has")
NAMES = ("jan", "DEC", "mon", "Sun", "foo", "last", "2nd mon", "last FRI", "6th mon", "3rd", "mon wed")


def taken(key, value):
    """Whether the schema takes a value, and what the grammar says against it."""
    valid = jsonschema.Draft202012Validator(CHECKED_TRIGGERS[key]).is_valid(value)
    try:
        parse({key: value})
    except ScheduleError as error:
        return valid, str(error)
    return valid, ""


def expressions(name):
    """Expressions around the bounds of a calendar field, right and wrong ones."""
    lowest, highest = FIELD_RANGES[name]
    numbers = [lowest - 1, lowest, lowest + 1, (lowest + highest) // 2, highest - 1, highest, highest + 1]
    steps = [0, 1, 2, 9, 10, 15, highest - lowest, highest - lowest + 1]
    yield from ("*", "", "**", "-", "*-3", "1/", "/2", "1-", "1 - 2", *NAMES)
    for one in numbers:
        yield from (str(one), f"{one:02}", f"{one:03}", f" {one} ")
        yield from (f"{one}-{other}" for other in numbers)
        yield from (f"{one}/{step}" for step in steps)
        yield from (f"{one}-{highest}/{step}" for step in steps)
    yield from (f"*/{step}" for step in steps)
    yield from (f"{one}-{other}" for one in NAMES for other in NAMES)
    yield from (f"{one}/2" for one in NAMES)


@pytest.mark.parametrize("name", FIELD_RANGES)
def test_the_schema_takes_the_calendar_fields_that_the_grammar_takes(name):
    key, chance, single = "schedule_" + name, random.Random(name), list(expressions(name))
    lists = [chance.choice((", ", ",", " ,")).join(chance.sample(single, 3)) for _turn in range(500)]
    for text in single + lists:
        valid, problem = taken(key, text)
        assert valid == (not problem) or (valid and any(part in problem for part in BEYOND)), (text, problem)
    for number in range(FIELD_RANGES[name][0] - 2, min(FIELD_RANGES[name][1] + 3, 3000)):
        valid, problem = taken(key, number)
        assert valid == (not problem), (number, problem)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("schedule_minute", "*/15"),
        ("schedule_second", "5/10"),
        ("schedule_hour", "*/12"),
        ("schedule_day", "MON-fri, sun"),
        ("schedule_date", "2030-01-01T00:00:00"),
        ("schedule_interval", "10000000 seconds"),
    ],
)
def test_what_was_missing_in_the_contract_is_in_it(key, value):
    assert taken(key, value) == (True, "")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "continuous",
            "1 days",
            "007  weeks",
            "0 days",
            "1 day",
            "000 seconds",
            "999999999999 weeks",
            "1days",
            "-1 days",
        ),
        *("1" * 12 + " minutes", "1" * 13 + " minutes"),
    ],
)
def test_the_schema_takes_the_intervals_that_the_grammar_takes(text):
    valid, problem = taken("schedule_interval", text)
    # The grammar takes no more than twelve digits, zeros included.
    assert valid == (not problem) or (valid and any(part in problem for part in BEYOND)), (text, problem)


@pytest.mark.parametrize(
    "text",
    [
        *("2026-01-01T00:00:00", "2030-12-31T23:59:59.5Z", "2026-02-30T00:00:00", "2026-01-01T00:00:00+23:59", "0000-01-01T00:00:00"),
        *("2026-01-01T00:00:00+01:60", "2026-01-01T00:00:00-24:00", "2026-13-01T00:00:00", "2026-01-01", "2026-01-01T24:00:00"),
    ],
)  # fmt: skip
def test_the_schema_takes_the_dates_that_the_grammar_takes(text):
    for key in ("schedule_date", "schedule_start_date", "schedule_end_date"):
        valid, problem = taken(key, text)
        assert valid == (not problem) or (valid and any(part in problem for part in BEYOND)), (text, problem)


def test_the_schema_takes_calendar_fields_as_long_as_the_grammar_takes():
    for length in (1000, 1001):
        text = f"{'1, ' * 400}"[: length - 1] + "1"
        assert taken("schedule_minute", text) == (
            (True, "") if length == 1000 else (False, "schedule_minute has 1001 characters; write 1000 at most")
        )


def test_every_key_of_the_grammar_is_in_the_schema_and_in_the_contract():
    properties = {**SCHEDULE_SCHEMA["properties"], **CHECKED_TRIGGERS}
    assert [key for key in TRIGGER_KEYS if key not in properties] == []
    document = json.loads((Path(__file__).parents[3] / "docs/openapi.json").read_text())
    published = [
        part["properties"]
        for part in walk(document)
        if isinstance(part.get("properties"), dict) and "schedule_minute" in part["properties"]
    ]
    patterns = {part["schedule_minute"].get("pattern") for part in published}
    assert CHECKED_TRIGGERS["schedule_minute"]["pattern"] in patterns


def walk(part):
    """Every object in a JSON document."""
    if isinstance(part, dict):
        yield part
        part = list(part.values())
    for one in part if isinstance(part, list) else ():
        yield from walk(one)
