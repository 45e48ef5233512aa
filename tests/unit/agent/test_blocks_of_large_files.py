# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Increments of large files have the blocks that differ, and each level restores."""

from __future__ import annotations

import os

import pytest

from ansible_collections.freezer.backup.tests.support.sets import Set, differences, tick

MEBIBYTE = 1 << 20


def write_at(path, where, content):
    with open(path, "r+b") as file:
        file.seek(where)
        file.write(content)


@pytest.mark.parametrize("engine", [{}, {"engine_name": "rsync"}], ids=["tar", "rsync"])
def test_an_increment_has_the_blocks_of_a_large_file_that_differ(tmp_path, engine):
    some = Set(tmp_path, max_level=9, compression="none", block_level_size="2M", **engine)
    large = some.source / "large"
    large.write_bytes(os.urandom(5 * MEBIBYTE + 7))
    changes = [
        (lambda: None, 6 * MEBIBYTE),
        (lambda: write_at(large, 2 * MEBIBYTE + 5, b"changed"), 1.2 * MEBIBYTE),
        (lambda: write_at(large, 8 * MEBIBYTE, b"further, with a hole before"), 1.2 * MEBIBYTE),
        (lambda: os.truncate(large, 3 * MEBIBYTE + 1), 0.2 * MEBIBYTE),
        (lambda: os.utime(large), 0.2 * MEBIBYTE),
    ]
    for level, (change, most_bytes) in enumerate(changes):
        tick()
        change()
        made = some.backup()
        assert (made["level"], made["outcome"]) == (level, "success")
        assert made["stored_bytes"] < most_bytes
        target = some.new_target()
        some.restore(target)
        assert differences(some.source, target) == []
    for number, one in enumerate(some.info()["backups"]):
        assert some.verify(backup_id=one["backup_id"], check="restore")["outcome"] == "success", number


def test_a_smaller_block_level_size_stores_a_file_whole_once_more(tmp_path):
    some = Set(tmp_path, max_level=9, compression="none")
    large = some.source / "large"
    large.write_bytes(os.urandom(3 * MEBIBYTE))
    stored = []
    for options in ({}, {}, {"block_level_size": "1M"}, {"block_level_size": "1M"}):
        tick()
        write_at(large, 5, os.urandom(9))
        stored.append(some.backup(**options)["stored_bytes"] // MEBIBYTE)
        target = some.new_target()
        some.restore(target)
        assert differences(some.source, target) == []
    assert stored == [3, 3, 3, 1]
