# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Which backups stay: every rule by itself, and together with what restores need."""

from __future__ import annotations

import random
import time
from datetime import datetime

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.backup_set import StoredBackup
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.manifest import (
    Manifest,
    Parent,
    StoredObject,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.retention import Rules, decide

DAY = 86_400
NOTHING = StoredObject("x", 0, "")


def stored(timestamp, level=0, parent=None):
    """A backup with nothing in it, which continues another one."""
    above = parent and Parent(parent.manifest.folder, parent.manifest.backup_id, parent.manifest_sha256)
    manifest = Manifest(
        backup_id=f"id-{timestamp}",
        hostname="host",
        backup_name="tree",
        timestamp=timestamp,
        level=level,
        parent=above,
        path="/",
        real_path="/",
        single_file=None,
        selection={},
        codec="none",
        codec_level=0,
        segments=[],
        catalogue=NOTHING,
        snar=NOTHING,
        stream_bytes=0,
        source_bytes=0,
        counts={},
        tar={},
        host={},
        outcome="success",
        consistency="crash",
        time_started=timestamp,
        time_ended=timestamp,
    )
    return StoredBackup(manifest, f"host_tree/{manifest.folder}", f"sha-{timestamp}")


@pytest.fixture(autouse=True)
def _berlin(monkeypatch):
    """Days begin when they begin where the backups are made."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def at(text):
    return int(datetime.fromisoformat(text).timestamp())


def kept(backups, rules, now=None, untouched=()):
    now = max(one.manifest.timestamp for one in backups) + 60 if now is None else now
    decisions = decide(backups, untouched, rules, now)
    return [decision.backup.manifest.timestamp for decision in decisions if decision.reasons]


def every_twelve_hours(count, begin="2025-11-20T01:00:00+00:00"):
    return [stored(at(begin) + number * DAY // 2) for number in range(count)]


def test_without_a_rule_everything_stays():
    backups = every_twelve_hours(10)
    assert len(kept(backups, Rules())) == 10
    assert len(kept(backups, Rules(keep_last=0, keep_daily=0))) == 10
    assert decide([], [], Rules(keep_last=1), 0) == []


def test_a_number_of_0_is_named_where_there_is_no_other_rule():
    decided = decide(every_twelve_hours(2), [], Rules(keep_last=0, keep_weekly=0), 0)
    assert decided[1].reasons == ["no retention rule is given (keep_last, keep_weekly: 0 is no rule)"]
    assert decide(every_twelve_hours(2), [], Rules(), 0)[1].reasons == ["no retention rule is given"]


def test_what_is_older_goes_by_days_and_by_date():
    backups = every_twelve_hours(10)
    times = [one.manifest.timestamp for one in backups]
    now = times[-1]
    assert kept(backups, Rules(remove_older_than=1.25), now) == times[:-4:-1]
    assert kept(backups, Rules(remove_before=times[6]), now) == times[:6:-1]


def test_the_newest_stays_however_old_it_is():
    backups = every_twelve_hours(4)
    newest = backups[-1].manifest.timestamp
    assert kept(backups, Rules(remove_older_than=1), newest + 1000 * DAY) == [newest]
    assert kept(backups, Rules(remove_before=newest + 5)) == [newest]


def test_the_last_ones_are_kept_by_number():
    backups = every_twelve_hours(10)
    assert kept(backups, Rules(keep_last=3)) == [one.manifest.timestamp for one in backups[:-4:-1]]
    assert len(kept(backups, Rules(keep_last=30))) == 10


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        # In Berlin it is an hour later: 23:30 in UTC belongs to the next day, week, month and year.
        ("keep_daily", ["2026-01-02T12:00", "2026-01-01T12:00", "2025-12-31T12:00"]),
        ("keep_weekly", ["2026-01-02T12:00", "2025-12-28T12:00", "2025-12-14T12:00"]),
        ("keep_monthly", ["2026-01-02T12:00", "2025-12-31T12:00", "2025-10-01T12:00"]),
        ("keep_yearly", ["2026-01-02T12:00", "2025-12-31T12:00", "2024-06-01T12:00"]),
    ],
)
def test_the_newest_of_each_period_that_has_any_is_kept(rule, expected):
    moments = [
        "2023-06-01T12:00",
        "2024-06-01T12:00",
        "2025-10-01T12:00",
        "2025-12-14T12:00",
        "2025-12-28T12:00",
        "2025-12-31T08:00",
        "2025-12-31T12:00",
        "2025-12-31T23:30",
        "2026-01-01T12:00",
        "2026-01-02T12:00",
    ]
    backups = [stored(at(f"{moment}+00:00")) for moment in moments]
    assert kept(backups, Rules(**{rule: 3})) == [at(f"{moment}+00:00") for moment in expected]


def test_rules_add_up():
    backups = every_twelve_hours(100)
    by_day = set(kept(backups, Rules(keep_daily=7)))
    by_week = set(kept(backups, Rules(keep_weekly=4)))
    by_age = set(kept(backups, Rules(remove_older_than=3)))
    together = kept(backups, Rules(keep_daily=7, keep_weekly=4, remove_older_than=3))
    assert set(together) == by_day | by_week | by_age
    assert together == sorted(together, reverse=True)
    assert (len(by_day), len(by_week)) == (7, 4)


def test_what_an_increment_continues_stays():
    full = stored(1000)
    first = stored(2000, 1, full)
    other = stored(3000, 1, full)
    second = stored(4000, 2, first)
    assert kept([full, first, other, second], Rules(keep_last=1)) == [4000, 2000, 1000]
    reasons = {
        decision.backup.manifest.timestamp: decision.reasons
        for decision in decide([full, first, other, second], [], Rules(keep_last=1), 5000)
    }
    assert reasons == {
        4000: ["keep_last"],
        3000: [],
        2000: ["level 2 of 1970-01-01T02:06:40 continues it"],
        1000: ["level 1 of 1970-01-01T01:33:20 continues it"],
    }


def test_what_a_damaged_one_may_be_built_on_stays():
    older, full = stored(1000), stored(2000)
    first = stored(3000, 1, full)
    newest = stored(9000)
    backups = [older, full, first, newest]
    assert kept(backups, Rules(keep_last=1)) == [9000]
    assert kept(backups, Rules(keep_last=1), untouched=["host_tree/4000_2"]) == [9000, 3000, 2000]
    assert kept(backups, Rules(keep_last=1), untouched=["host_tree/4000_0"]) == [9000]


@pytest.mark.parametrize("seed", range(50))
def test_whatever_the_rules_every_chain_that_is_kept_is_whole_and_nothing_stays_without_a_reason(seed):
    chance = random.Random(seed)
    backups, timestamp = [], at("2024-01-01T00:00:00+00:00")
    for _number in range(chance.randrange(1, 60)):
        timestamp += chance.randrange(60, 3 * DAY)
        parent = chance.choice(backups[-3:]) if backups and chance.random() < 0.7 else None
        backups.append(stored(timestamp, parent.manifest.level + 1 if parent else 0, parent))
    names = ("keep_last", "keep_daily", "keep_weekly", "keep_monthly", "keep_yearly", "remove_older_than")
    chosen = chance.sample(names, chance.randrange(1, 4))
    rules = Rules(**{name: chance.randrange(1, 6) for name in chosen})
    shuffled = chance.sample(backups, len(backups))
    decisions = decide(shuffled, [], rules, timestamp + chance.randrange(10 * DAY))
    stays = {decision.backup.manifest.folder for decision in decisions if decision.reasons}
    for decision in decisions:
        parent = decision.backup.manifest.parent
        assert not decision.reasons or parent is None or parent.folder in stays
    needed = {one.manifest.parent.folder for one in backups if one.manifest.folder in stays and one.manifest.parent}
    for decision in decisions:
        for reason in decision.reasons:
            if reason.endswith("continues it"):
                assert decision.backup.manifest.folder in needed
            else:
                assert reason.partition(" ")[0] in (*chosen, "the")
    assert backups[-1].manifest.folder in stays
