# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter next_runs."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.freezer.backup.plugins.filter.next_runs import next_runs


def test_the_next_runs_are_dates_in_the_zone_that_is_asked_for():
    schedule = {"schedule_hour": "2", "schedule_minute": "30"}
    assert next_runs({"job_schedule": schedule}, 2, since="2026-03-28T12:00:00", timezone="Europe/Berlin") == [
        "2026-03-29T03:00:00+02:00",
        "2026-03-30T02:30:00+02:00",
    ]
    assert next_runs(schedule, 1, since="2026-06-01T12:00:00Z", timezone="UTC") == ["2026-06-02T02:30:00+00:00"]
    assert len(next_runs(schedule)) == 5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"document": "nightly"}, "needs a job or a schedule, not str"),
        ({"document": {"schedule_hour": "25"}}, "its values go from 0 to 23"),
        ({"document": {"schedule_time": "a", "schedule_date": "b"}}, "schedule_time is the old name of schedule_date"),
        ({"document": {}, "since": "soon"}, "since is 'soon'"),
        ({"document": {}, "timezone": "Mars/Olympus"}, "^timezone is 'Mars/Olympus', which this machine does not know"),
    ],
)
def test_what_cannot_be_is_a_sentence(arguments, words):
    with pytest.raises(AnsibleFilterError, match=words):
        next_runs(**arguments)


@pytest.mark.parametrize("place", [None, "job_schedule", "schedule"])
def test_the_old_name_of_a_date_is_taken_as_the_api_takes_it(place):
    schedule = {"schedule_time": "2026-06-02T12:00:00Z"}
    document = {place: schedule} if place else schedule
    assert next_runs(document, since="2026-06-01T12:00:00Z", timezone="UTC") == ["2026-06-02T12:00:00+00:00"]
