# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What is looked at when a document is stored."""

from __future__ import annotations

import zoneinfo

import pytest

from ansible_collections.freezer.backup.roles.api.files.freezer_api.domain.kinds import looking
from ansible_collections.freezer.backup.roles.api.files.freezer_api.errors import BadRequestError


@pytest.fixture
def reads(monkeypatch):
    """A list that grows with each read of the whole database of zones."""
    found: list[int] = []
    read = zoneinfo.available_timezones
    monkeypatch.setattr(zoneinfo, "available_timezones", lambda: found.append(1) or read())
    looking._knows_zones.cache_clear()
    yield found
    looking._knows_zones.cache_clear()


def test_the_database_of_zones_is_read_once_and_for_a_zone_only(reads):
    looking.look_at_schedule({}, {"schedule_interval": "5 minutes"}, "job_schedule")
    assert reads == []
    for _time in range(3):
        looking.look_at_schedule({}, {"schedule_hour": 3, "schedule_timezone": "Europe/Berlin"}, "job_schedule")
    assert reads == [1]
    with pytest.raises(BadRequestError, match="schedule_timezone"):
        looking.look_at_schedule({}, {"schedule_hour": 3, "schedule_timezone": "Europe/Nowhere"}, "job_schedule")


def test_without_a_database_of_zones_any_zone_is_stored(reads, monkeypatch):
    monkeypatch.setattr(zoneinfo, "available_timezones", set)
    looking.look_at_schedule({}, {"schedule_hour": 3, "schedule_timezone": "Europe/Nowhere"}, "job_schedule")
    assert reads == []
