# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Which level comes next: tables, and rules that hold for every policy."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.levels import (
    SECONDS_PER_DAY,
    LevelPolicy,
    plan_level,
)

NOW = 1_800_000_000.0


def chain(*levels, days_ago=1.0):
    """Backups of these levels, the first one so many days ago and one second between them."""
    begin = NOW - days_ago * SECONDS_PER_DAY
    return [SimpleNamespace(level=level, began=begin + number) for number, level in enumerate(levels)]


@pytest.mark.parametrize(
    ("policy", "levels", "days_ago", "level", "parent"),
    [
        # Without a policy every backup is full.
        ({}, [], 1, 0, None),
        ({}, [0], 1, 0, None),
        ({"no_incremental": True, "max_level": 5}, [0, 1], 1, 0, None),
        # max_level: so many increments, then a full one.
        ({"max_level": 2}, [], 1, 0, None),
        ({"max_level": 2}, [0], 1, 1, 0),
        ({"max_level": 2}, [0, 1], 1, 2, 1),
        ({"max_level": 2}, [0, 1, 2], 1, 0, None),
        ({"max_level": 0}, [0], 1, 0, None),
        ({"max_level": 1}, [0, 1], 1, 0, None),
        # A policy that was changed in the middle of a chain.
        ({"max_level": 1}, [0, 1, 2, 3], 1, 0, None),
        ({"max_level": 9}, [0, 1, 2], 1, 3, 2),
        # always_level: that level again and again, on the newest backup of the level below.
        ({"always_level": 1}, [0], 1, 1, 0),
        ({"always_level": 1}, [0, 1], 1, 1, 0),
        ({"always_level": 1}, [0, 1, 1, 1], 1, 1, 0),
        ({"always_level": 2}, [0, 1], 1, 2, 1),
        ({"always_level": 2}, [0, 1, 2], 1, 2, 1),
        ({"always_level": 2}, [0, 1, 2, 2], 1, 2, 1),
        ({"always_level": 0}, [0], 1, 0, None),
        # Lowered later: the newest backup of the level below is what it builds on.
        ({"always_level": 1}, [0, 1, 2, 3], 1, 1, 0),
        ({"always_level": 3}, [0, 1, 1], 1, 2, 2),
        # Nothing to build on is left.
        ({"always_level": 3}, [0, 4], 1, 0, None),
        # restart_always_level: days, counted from the full backup.
        ({"restart_always_level": 7}, [0, 1, 2], 6.9, 3, 2),
        ({"restart_always_level": 7}, [0, 1, 2], 7, 0, None),
        ({"restart_always_level": 7}, [0, 1, 2], 700, 0, None),
        ({"restart_always_level": 0}, [0], 0, 0, None),
        ({"restart_always_level": 0.5}, [0], 0.4, 1, 0),
        ({"restart_always_level": 0.5}, [0], 0.6, 0, None),
        # Together: whatever ends the chain first.
        ({"restart_always_level": 7, "always_level": 1}, [0, 1, 1], 3, 1, 0),
        ({"restart_always_level": 7, "always_level": 1}, [0, 1, 1], 8, 0, None),
        ({"restart_always_level": 7, "max_level": 2}, [0, 1, 2], 3, 0, None),
        ({"max_level": 4, "always_level": 2}, [0, 1, 2], 1, 2, 1),
        ({"max_level": 2, "always_level": 4}, [0, 1, 2], 1, 0, None),
    ],
)
def test_the_next_level_and_what_it_is_built_on(policy, levels, days_ago, level, parent):
    arguments = dict(policy)
    arguments["restart_always_days"] = arguments.pop("restart_always_level", None)
    backups = chain(*levels, days_ago=days_ago)
    plan = plan_level(LevelPolicy(**arguments), backups, NOW)
    assert plan.level == level
    assert plan.parent is (None if parent is None else backups[parent])
    assert plan.reason


@pytest.mark.parametrize("policy", list(itertools.product([None, 0, 1, 2, 5], [None, 0, 1, 2, 3], [None, 0, 0.001, 2])))
def test_whatever_the_policy_every_increment_is_one_above_its_parent_and_bounds_hold(policy):
    max_level, always_level, days = policy
    taken = []
    for number in range(30):
        now = NOW + number * SECONDS_PER_DAY / 4
        plan = plan_level(LevelPolicy(max_level, always_level, days), taken, now)
        if plan.parent is None:
            assert plan.level == 0
            taken = []
        else:
            assert plan.level == plan.parent.level + 1
            assert plan.parent in taken
            newest_of_its_level = [one for one in taken if one.level == plan.parent.level][-1]
            assert plan.parent is newest_of_its_level
            assert days is None or now - taken[0].began < days * SECONDS_PER_DAY
        assert max_level is None or plan.level <= max_level
        assert always_level is None or plan.level <= always_level
        if policy == (None, None, None):
            assert plan.level == 0
        taken.append(SimpleNamespace(level=plan.level, began=now))
