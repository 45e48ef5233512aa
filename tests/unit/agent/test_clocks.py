# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Names put the backups of a set in order; what is removed, and what a date means, goes by when each of them began."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import DamagedArchive
from ansible_collections.freezer.backup.tests.support.sets import Set
from ansible_collections.freezer.backup.tests.support.trees import write

_DAY = 86_400
_FUTURE = "4102444800_0"

Clock = Callable[[float], None]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Sets the clock of the host so many seconds ahead of the real one."""
    real = time.time

    def ahead(seconds: float) -> None:
        monkeypatch.setattr(time, "time", lambda: real() + seconds)

    return ahead


def days_of_backups(some: Set, clock: Clock, days: int = 4) -> None:
    """One for each of the last days; the file has the number of the day."""
    for day in range(days, 0, -1):
        write(some.source / "file", b"%d" % day)
        clock(-day * _DAY)
        some.backup()
    clock(0)


def restored(some: Set, days_ago: float) -> bytes:
    target = some.new_target()
    some.restore(target, restore_from_date=time.time() - days_ago * _DAY)
    return (target / "file").read_bytes()


def with_a_folder_of_the_future(some: Set, _clock: Clock) -> None:
    write(some.source / "file", b"first")
    _clock(-9 * _DAY)
    some.backup()
    (some.set_folder / _FUTURE).mkdir()


def with_a_clock_that_was_ahead_once(some: Set, clock: Clock) -> None:
    write(some.source / "file", b"first")
    clock(3000 * _DAY)
    some.backup()


@pytest.mark.parametrize("begins", [with_a_folder_of_the_future, with_a_clock_that_was_ahead_once])
def test_a_number_of_the_future_changes_neither_what_is_removed_nor_what_a_date_means(one_set, clock, begins):
    begins(one_set, clock)
    days_of_backups(one_set, clock)
    assert [restored(one_set, days + 0.5) for days in (0, 1, 2, 3)] == [b"1", b"2", b"3", b"4"]
    kept = one_set.prune(keep_daily=5)["kept"]
    assert sum(reason.startswith("keep_daily") for one in kept for reason in one["reasons"]) == 5
    assert [restored(one_set, days + 0.5) for days in (0, 1, 2, 3)] == [b"1", b"2", b"3", b"4"]


def test_an_empty_folder_of_the_future_names_no_backup_after_it(one_set):
    write(one_set.source / "file")
    (one_set.set_folder / _FUTURE).mkdir(parents=True)
    made = one_set.backup()
    assert (abs(made["timestamp"] - time.time()) < 60, made["problems"]) == (True, [])
    number = int(os.path.basename(made["storages"][0]["folder"]).partition("_")[0])
    assert abs(number - time.time()) < 60


def test_no_backup_takes_the_name_of_a_folder_that_is_there(one_set):
    write(one_set.source / "file")
    for seconds in range(120):
        (one_set.set_folder / f"{int(time.time()) + seconds}_0").mkdir(parents=True)
    before = set(one_set.backup_folders())
    made = one_set.backup()
    assert os.path.basename(made["storages"][0]["folder"]) not in before


def test_a_backup_of_a_clock_that_was_ahead_is_followed_in_order_and_told(one_set, clock):
    write(one_set.source / "file", b"old")
    clock(3000 * _DAY)
    one_set.backup()
    clock(0)
    write(one_set.source / "file", b"new")
    made = one_set.backup(min_age=_DAY)
    assert made["outcome"] == "success"
    assert ["ahead of this host's clock" in one for one in made["problems"]] == [True]
    assert abs(made["timestamp"] - time.time()) < 60
    target = one_set.new_target()
    one_set.restore(target)
    assert (target / "file").read_bytes() == b"new"
    assert one_set.backup(min_age=_DAY)["outcome"] == "unchanged"


def test_a_damaged_backup_behind_a_clock_that_was_ahead_is_not_passed_over_for_a_date(one_set, clock):
    with_a_clock_that_was_ahead_once(one_set, clock)
    days_of_backups(one_set, clock, days=3)
    damaged = sorted(Path(one_set.set_folder).glob("*_0"))[-2]  # of two days ago
    with (damaged / "manifest.json").open("ab") as manifest:
        manifest.write(b"x")
    with pytest.raises(DamagedArchive, match="restore_from_date"):
        restored(one_set, 1.5)
    assert restored(one_set, 0.5) == b"1"
