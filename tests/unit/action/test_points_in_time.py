# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Moments as people type them."""

from __future__ import annotations

import time
from datetime import datetime

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.values import point_in_time


@pytest.fixture
def now(monkeypatch):
    """Noon on the day after a night in which clocks were put back, in Berlin."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield datetime(2026, 10, 26, 12, 0).astimezone()
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("now", "2026-10-26T12:00:00+01:00"),
        ("3 hours ago", "2026-10-26T09:00:00+01:00"),
        ("1 day ago", "2026-10-25T12:00:00+01:00"),
        ("2 weeks ago", "2026-10-12T12:00:00+01:00"),
        ("yesterday 18:00", "2026-10-25T18:00:00+01:00"),
        ("Yesterday at 01:30", "2026-10-25T01:30:00+02:00"),
        ("today 08:05:09", "2026-10-26T08:05:09+01:00"),
        ("2026-10-20 08:30", "2026-10-20T08:30:00+02:00"),
        ("2026-10-20T08:30:00Z", "2026-10-20T08:30:00+00:00"),
        ("1792000000", "2026-10-14T17:46:40+00:00"),
    ],
)
def test_what_people_type_is_understood(now, text, meant):
    assert point_in_time(text, end_of_day=False, now=now) == datetime.fromisoformat(meant).timestamp()


@pytest.mark.parametrize("text", ["today", "2026-10-26"])
def test_a_day_without_a_time_is_its_beginning_or_its_end(now, text):
    begin, end = (point_in_time(text, end_of_day=one, now=now) for one in (False, True))
    assert begin == datetime.fromisoformat("2026-10-26T00:00:00+01:00").timestamp()
    assert end - begin == 86399


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "ago", "yesterday 25:00", "2026-13-01", "99999999 days ago", "next week"]
)
def test_what_is_not_understood_says_what_would_be(now, text):
    with pytest.raises(ValueError, match="a date such as .*yesterday 18:00 or 3 days ago"):
        point_in_time(text, end_of_day=False, now=now)
