# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What is looked at when a document is stored."""

from __future__ import annotations

import zoneinfo

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.action import check, options
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule import grammar
from ansible_collections.freezer.backup.roles.api.files.freezer_api.domain.kinds import looking
from ansible_collections.freezer.backup.roles.api.files.freezer_api.domain.kinds.job import JobRules
from ansible_collections.freezer.backup.roles.api.files.freezer_api.errors import BadRequestError


def test_hints_are_looked_for_no_more_once_a_document_has_all_its_warnings(monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(check, "did_you_mean", lambda word, known: asked.append(word) or "")
    monkeypatch.setattr(options, "did_you_mean", lambda word, known: asked.append(word) or "")
    monkeypatch.setattr(check, "closest", lambda word, known: asked.append(word) or "")
    unknown = {f"path_to_bakup_{number}": "/x" for number in range(100)}
    action = {"freezer_action": {"action": "backup", "path_to_backup": "/etc", **unknown}}
    warnings = JobRules().remarks(None, {"job_schedule": {}, "job_actions": [action, action, action]})
    assert len(warnings) == len(asked) == check.MAX_WARNINGS
    # A value that is impossible is refused all the same, wherever it stands.
    late = {"freezer_action": {**action["freezer_action"], "max_level": "six"}}
    with pytest.raises(BadRequestError, match=r"max_level .* \(in job_actions.1.freezer_action.max_level\)"):
        JobRules().remarks(None, {"job_schedule": {}, "job_actions": [action, late]})
    asked.clear()
    with pytest.raises(BadRequestError, match="path_to_backup is missing"):
        looking.look_at_action({"action": "backup", **unknown}, "freezer_action")
    assert len(asked) == 2 * check.MAX_WARNINGS


@pytest.mark.parametrize(
    "value", [" " * 60_000, "9" * 60_000, "mon" + " " * 60_000, "1," * 20_000 + "1", "x,y" * 300], ids=len
)
@pytest.mark.parametrize("key", grammar.TRIGGER_KEYS)
def test_what_is_told_of_a_schedule_is_short_however_long_its_values_are(key, value):
    with pytest.raises(BadRequestError) as refused:
        looking.look_at_schedule({}, {key: value}, "job_schedule")
    assert key in str(refused.value)
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize(
    "key", ["remove_older_than", "max_level", "mode", "action", "bogus" * 12_000, "path_to_backup"]
)
def test_what_is_told_of_an_action_is_short_however_long_its_values_are(key):
    action = {"action": "backup", "path_to_backup": "/etc", key: " " * 60_000}
    try:
        told = looking.look_at_action(action, "freezer_action")
    except BadRequestError as error:
        told = [str(error)]
    assert all(len(one) < 500 for one in told)


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
