# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Trees that change at random between levels, and every backup of them restored."""

from __future__ import annotations

import random

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.compressions import COMPRESSIONS
from ansible_collections.freezer.backup.tests.support.sets import Set, differences
from ansible_collections.freezer.backup.tests.support.soak import rounds
from ansible_collections.freezer.backup.tests.support.trees import RandomTree, remember

pytestmark = [pytest.mark.rounds, pytest.mark.usefixtures("tiny_segments")]

SEEDS = rounds(12)
LEVELS = 5


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_level_of_a_randomly_changing_tree_restores_to_what_was_there(tmp_path, seed):
    choose = random.Random(f"options {seed}")
    options = choose.choice(
        [
            {"max_level": LEVELS},
            {"max_level": 2},
            {"always_level": choose.choice([1, 2, 3])},
            {"max_level": 4, "always_level": 2},
            {"restart_always_level": 1},
            {"restart_always_level": 1, "always_level": 1},
        ]
    )
    (tmp_path / "source").mkdir()
    some = Set(tmp_path, **options, compression=choose.choice(COMPRESSIONS), max_segment_size="4k")
    some.source.rmdir()
    tree = RandomTree(some.source, tmp_path / "outside", seed)
    backups = []
    for level in range(LEVELS):
        if level:
            tree.mutate()
        result = some.backup()
        assert result["outcome"] == "success", (tree.log, result)
        copy = tmp_path / f"copy-{level}"
        remember(some.source, copy)
        backups.append((result, copy))
        tree.log.append(f"-- level {result['level']}: {result['reason']}")
    for result, copy in backups:
        by_id, by_date = some.new_target(), some.new_target()
        some.restore(by_id, backup_id=result["backup_id"])
        assert differences(copy, by_id) == [], (result["backup_id"], tree.log)
        some.restore(by_date, restore_from_date=result["timestamp"])
        assert differences(copy, by_date) == [], (result["timestamp"], tree.log)
