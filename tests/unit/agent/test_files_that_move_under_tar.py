# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Files that change while they are read. The fault is injected where tar waits for a storage that takes its time."""

from __future__ import annotations

import os
import shutil

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.media import files
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.local import LocalStorage
from ansible_collections.freezer.backup.tests.support.faulty_storage import FaultyStorage
from ansible_collections.freezer.backup.tests.support.sets import Set, differences, tick
from ansible_collections.freezer.backup.tests.support.trees import write

#: More than the pipe and the chunks in flight can hold, so that tar is still in this file when the first write comes.
BIG_BYTES = 32 << 20


@pytest.fixture
def moving(tmp_path, monkeypatch):
    """A set, and a way to let something happen while tar is in the middle of the file ``big``."""
    some = Set(tmp_path, max_level=3)
    write(some.source / "big", b"\1" * BIG_BYTES)
    write(some.source / "later", b"later\n")
    write(some.source / "stays", b"stays\n")
    write(some.source / "z folder" / "deep" / "file", b"deep\n")
    tick()

    def during(action):
        def storage_for(_kind, container, _access):
            return FaultyStorage(LocalStorage(container), {("write", 1): lambda _operation: action()})

        monkeypatch.setattr(files, "storage_for", storage_for)
        result = some.backup()
        monkeypatch.undo()
        return result

    some.backup_while = during
    return some


def remarks(result):
    return {remark["path"]: remark["kind"] for remark in result["remarks"]}


def assert_next_level_heals(some):
    """What changed under tar is read again by the next level, which is what is there then."""
    assert some.backup()["level"] == 1
    target = some.new_target()
    some.restore(target)
    assert differences(some.source, target) == []


def test_a_file_that_grows_is_archived_as_long_as_it_was_and_named(moving):
    def grow():
        with open(moving.source / "big", "ab") as big:
            big.write(b"\2" * 1000)

    result = moving.backup_while(grow)
    assert result["outcome"] == "success"
    assert remarks(result) == {"./big": "changed"}
    target = moving.new_target()
    moving.restore(target)
    assert (target / "big").read_bytes() == b"\1" * BIG_BYTES
    assert_next_level_heals(moving)


def test_a_file_that_shrinks_is_padded_and_named(moving):
    result = moving.backup_while(lambda: os.truncate(moving.source / "big", 1000))
    assert remarks(result)["./big"] == "shrank"
    assert moving.verify()["outcome"] == "success"
    target = moving.new_target()
    moving.restore(target)
    assert (target / "big").stat().st_size == BIG_BYTES
    assert (target / "stays").read_bytes() == b"stays\n"
    assert_next_level_heals(moving)


def test_a_file_that_is_overwritten_is_named(moving):
    def overwrite():
        with open(moving.source / "big", "r+b") as big:
            big.seek(BIG_BYTES - 10)
            big.write(b"\3" * 10)

    assert remarks(moving.backup_while(overwrite)) == {"./big": "changed"}
    assert_next_level_heals(moving)


def test_a_file_that_vanishes_before_it_is_read_is_named_and_nothing_else_is_lost(moving):
    result = moving.backup_while((moving.source / "later").unlink)
    assert result["outcome"] == "success"
    assert remarks(result) == {"./later": "vanished"}
    assert moving.verify()["outcome"] == "success"
    target = moving.new_target()
    moving.restore(target)
    assert sorted(path.name for path in target.iterdir()) == ["big", "stays", "z folder"]
    assert_next_level_heals(moving)


def test_a_folder_that_vanishes_before_it_is_read_is_named_and_nothing_else_is_lost(moving):
    result = moving.backup_while(lambda: shutil.rmtree(moving.source / "z folder"))
    assert result["outcome"] == "success"
    assert set(remarks(result).values()) == {"vanished"}
    assert moving.verify()["outcome"] == "success"
    assert_next_level_heals(moving)


def test_a_file_that_appears_while_tar_reads_is_in_the_next_level(moving):
    moving.backup_while(lambda: write(moving.source / "appeared", b"new"))
    assert_next_level_heals(moving)


def test_a_folder_that_is_moved_while_tar_reads_is_in_the_next_level(moving):
    moving.backup_while(lambda: os.rename(moving.source / "z folder", moving.source / "moved"))
    assert_next_level_heals(moving)


def test_a_file_that_becomes_a_folder_while_tar_reads_does_not_end_the_backup(moving):
    def swap():
        (moving.source / "later").unlink()
        (moving.source / "later").mkdir()
        write(moving.source / "later" / "inside", b"inside")

    result = moving.backup_while(swap)
    assert result["outcome"] in ("success", "partial")
    assert moving.verify()["outcome"] == "success"
    assert_next_level_heals(moving)
