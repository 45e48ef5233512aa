# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Trees that change at random between levels of GNU tar: the plan gives exactly what was there."""

from __future__ import annotations

import os

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.tree_comparison import differences
from ansible_collections.freezer.backup.tests.support.soak import rounds
from ansible_collections.freezer.backup.tests.support.tar_chains import Chain, replay, restore
from ansible_collections.freezer.backup.tests.support.trees import RandomTree, remember

pytestmark = pytest.mark.rounds

SEEDS = rounds(6)
LEVELS = 5


@pytest.mark.parametrize("seed", range(SEEDS))
def test_after_every_level_the_plan_gives_what_is_on_disk_and_what_a_replay_gives(tmp_path, seed):
    tree = RandomTree(tmp_path / "source", tmp_path / "outside", seed)
    chain = Chain(tmp_path / "source", tmp_path / "work")
    owner = os.geteuid() == 0
    for level in range(LEVELS):
        if level:
            tree.mutate()
        levels = chain.write()
        tree.log.append(f"-- level {level}")
        copy, target = tmp_path / f"copy-{level}", tmp_path / f"plan-{level}"
        remember(tree.top, copy)
        restore(levels, target, chain.work)
        assert differences(str(copy), str(target), owner) == [], (level, tree.log)
    replay(levels, tmp_path / "replay")
    assert differences(str(tmp_path / "replay"), str(target), owner) == []
