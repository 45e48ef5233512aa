# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""An increment is taken only where it can be restored; else a full backup is, and the result says why."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive import create, snar
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import (
    ArchiveError,
    DamagedArchive,
    ForeignBackup,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.stored_set import SIGNATURE_NAME
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.errors import SetBusy
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.local import LocalStorage
from ansible_collections.freezer.backup.tests.support.sets import Set, differences, tick
from ansible_collections.freezer.backup.tests.support.trees import remember, write
from ansible_collections.freezer.backup.tests.support.version_2 import read_manifest


@pytest.fixture
def chain(tmp_path):
    """Levels 0, 1, 2 of a tree that changes a little, and the results of the backups."""
    some = Set(tmp_path, max_level=9)
    write(some.source / "folder" / "file", b"0")
    tick()
    results = []
    for level in range(3):
        write(some.source / "folder" / "file", b"%d" % level)
        write(some.source / f"new {level}", b"%d" % level)
        results.append(some.backup())
    assert [result["level"] for result in results] == [0, 1, 2]
    return some, results


def damage(path, offset=-20):
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(bytes(content))


def assert_full_backup_that_restores(some, reason):
    result = some.backup()
    assert result["level"] == 0
    assert reason in result["reason"]
    target = some.new_target()
    some.restore(target)
    assert differences(some.source, target) == []
    assert some.backup()["level"] == 1


@pytest.mark.parametrize("lost", [0, 1])
def test_after_a_lost_level_the_next_backup_is_full(chain, lost):
    some, results = chain
    shutil.rmtree(some.folder_of(results[lost]))
    with pytest.raises(DamagedArchive, match="no longer has|continues nothing"):
        some.restore()
    with pytest.raises(DamagedArchive):
        some.verify()
    assert_full_backup_that_restores(some, "cannot be continued")


def test_after_the_newest_level_is_lost_the_one_before_is_continued(chain):
    some, results = chain
    shutil.rmtree(some.folder_of(results[2]))
    result = some.backup()
    assert (result["level"], result["parent_backup_id"]) == (2, results[1]["backup_id"])
    target = some.new_target()
    some.restore(target)
    assert differences(some.source, target) == []


@pytest.mark.parametrize("stem", ["manifest", "snar", "details"])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_after_damage_of_what_a_level_is_built_on_the_next_backup_is_full(chain, level, stem):
    some, results = chain
    (path,) = (one for one in some.folder_of(results[level]).glob(f"{stem}*") if one.name != SIGNATURE_NAME)
    damage(path)
    if stem != "manifest" and level < 2:
        assert some.backup()["level"] == 3  # only the newest one is needed to go on
    else:
        assert_full_backup_that_restores(some, "cannot be continued")


def test_a_damaged_newest_manifest_is_refused_and_not_passed_over(chain):
    some, results = chain
    damage(some.folder_of(results[2]) / "manifest.json")
    target = some.new_target()
    with pytest.raises(DamagedArchive):
        some.restore(target)
    assert not target.exists()
    assert some.restore(target, backup_id=results[1]["backup_id"])["level"] == 1
    assert len(some.info()["damaged"]) == 1


def test_a_manifest_of_another_backup_in_place_of_a_parent_is_noticed(chain):
    some, results = chain
    other = Set(some.folder, max_level=9, container=str(some.folder / "other container"))
    other.container = some.folder / "other container"
    swapped = other.backup(backup_name="tree")
    document = (other.folder_of(swapped) / "manifest.json").read_bytes()
    (some.folder_of(results[0]) / "manifest.json").write_bytes(document)
    with pytest.raises(DamagedArchive):
        some.restore()
    assert_full_backup_that_restores(some, "cannot be continued")


def test_a_parent_that_was_made_again_at_the_same_place_is_noticed(chain):
    """The same folder name and the same data, but another manifest: the chain keeps its hash."""
    some, results = chain
    folder = some.folder_of(results[1])
    manifest = read_manifest(folder)
    manifest = replace(manifest, time_ended=manifest.time_ended + 1)
    (folder / "manifest.json").write_bytes(manifest.to_bytes())
    (folder / SIGNATURE_NAME).unlink()
    with pytest.raises(DamagedArchive, match="is not the one that .* continues"):
        some.restore()
    assert some.restore(backup_id=results[1]["backup_id"])["level"] == 1


@pytest.mark.parametrize("level", [0, 1, 3, 7])
def test_a_chain_that_leaves_a_level_out_or_has_one_twice_is_refused(chain, level):
    some, results = chain
    folder = some.folder_of(results[2])
    manifest = replace(read_manifest(folder), level=level)
    (folder / "manifest.json").write_bytes(manifest.to_bytes())
    os.rename(folder, folder.with_name(f"{results[2]['timestamp']}_{level}"))
    with pytest.raises(DamagedArchive, match="not of the level below|not a manifest of a backup|is of level 0"):
        some.restore()
    with pytest.raises(DamagedArchive):
        some.verify(check="segments")
    assert_full_backup_that_restores(some, "")


def test_a_backup_folder_under_another_name_is_refused(chain):
    some, results = chain
    folder = some.folder_of(results[2])
    os.rename(folder, folder.with_name(f"{results[2]['timestamp'] + 500}_2"))
    with pytest.raises(DamagedArchive, match="belongs in the folder"):
        some.restore()


def test_a_set_whose_folder_name_is_the_same_is_not_written_into(tmp_path):
    first = Set(tmp_path, hostname="a_b", backup_name="c", max_level=3)
    write(first.source / "file")
    first.backup()
    for options in ({}, {"max_level": 3}, {"no_incremental": True}):
        with pytest.raises(ForeignBackup, match="belongs to 'c' of host 'a_b'.*choose another backup_name"):
            first.backup(hostname="a", backup_name="b_c", **options)
    with pytest.raises(ArchiveError, match="There is no backup"):
        first.restore(hostname="a", backup_name="b_c")
    assert len(first.info(hostname=None, backup_name=None)["backups"]) == 1
    assert first.backup()["level"] == 1


def test_a_clock_that_was_set_back_begins_a_new_chain(chain, monkeypatch):
    some, _results = chain
    real, real_ns = time.time, time.time_ns
    monkeypatch.setattr(time, "time", lambda: real() - 3600)
    monkeypatch.setattr(time, "time_ns", lambda: real_ns() - 3600 * 10**9)
    result = some.backup()
    assert (result["level"], "clock" in result["reason"]) == (0, True)
    target = some.new_target()
    some.restore(target)
    assert differences(some.source, target) == []


def test_folders_that_take_each_others_places_restore(tmp_path):
    """What GNU tar's own records of renames cannot do, each alone."""
    changes = {
        "into the place of a file": lambda top: ((top / "file").unlink(), (top / "a").rename(top / "file")),
        "parent and child": lambda top: (
            (top / "a" / "b").rename(top / "aside"),
            (top / "a").rename(top / "aside" / "a"),
            (top / "aside").rename(top / "b"),
        ),
        "two": lambda top: (
            (top / "a").rename(top / "aside"),
            (top / "c").rename(top / "a"),
            (top / "aside").rename(top / "c"),
        ),
        "into a new folder": lambda top: ((top / "new").mkdir(), (top / "a").rename(top / "new" / "a")),
    }
    for name, change in changes.items():
        (tmp_path / name).mkdir()
        some = Set(tmp_path / name, max_level=3)
        write(some.source / "a" / "in a", b"a")
        write(some.source / "a" / "b" / "in b", b"b")
        write(some.source / "c" / "in c", b"c")
        write(some.source / "file", b"file")
        tick()
        some.backup()
        change(some.source)
        assert some.backup()["level"] == 1
        target = some.new_target()
        some.restore(target)
        assert differences(some.source, target) == [], name


def test_a_folder_that_is_moved_in_the_moment_before_tar_begins_makes_the_backup_full(tmp_path, monkeypatch):
    """Then tar writes a rename after all, which might not replay."""
    some = Set(tmp_path, max_level=3)
    write(some.source / "a" / "in a", b"a")
    write(some.source / "file", b"file")
    tick()
    some.backup()

    def settle_and_move(*arguments):
        began = snar.settle(*arguments)
        (some.source / "file").unlink()
        (some.source / "a").rename(some.source / "file")
        return began

    monkeypatch.setattr(create, "settle", settle_and_move)
    result = some.backup()
    assert (result["level"], "was moved" in result["reason"]) == (0, True)
    target = some.new_target()
    some.restore(target)
    assert differences(some.source, target) == []
    assert len(some.backup_folders()) == 2


def test_a_moved_folder_takes_its_hard_links_along_or_the_backup_is_full(tmp_path):
    some = Set(tmp_path, max_level=3)
    write(some.source / "a" / "first", b"linked")
    (some.source / "b").mkdir()
    os.link(some.source / "a" / "first", some.source / "b" / "second")
    tick()
    some.backup()
    (some.source / "a").rename(some.source / "c")
    result = some.backup()
    assert (result["level"], "hard links" in result["reason"]) == (0, True)
    target = some.new_target()
    some.restore(target)
    assert differences(some.source, target) == []


def test_hard_links_to_files_outside_of_the_source_do_not_stand_in_the_way(tmp_path):
    some = Set(tmp_path, max_level=3)
    write(tmp_path / "outside" / "first", b"linked")
    write(some.source / "file")
    some.backup()
    os.link(tmp_path / "outside" / "first", some.source / "second")
    assert some.backup()["level"] == 1
    target = some.new_target()
    some.restore(target)
    assert differences(some.source, target) == []


def test_two_runs_of_one_set_at_once_the_second_is_told_to_wait(one_set):
    write(one_set.source / "file")
    with LocalStorage(str(one_set.container)).lock("host_tree"):
        with pytest.raises(
            SetBusy,
            match=r"Another run is writing to .*host_tree \(process \d+ of .*, since .*\); start this one when that has ended",
        ):
            one_set.backup()
    assert one_set.backup_folders() == []
    assert one_set.backup()["level"] == 0


def test_backups_in_the_same_second_have_folders_of_their_own_in_the_order_they_were_made(tmp_path):
    some = Set(tmp_path, max_level=50)
    write(some.source / "file")
    results = [some.backup() for _count in range(6)]
    assert [result["level"] for result in results] == list(range(6))
    timestamps = [result["timestamp"] for result in results]
    assert timestamps == sorted(set(timestamps))
    assert [one["backup_id"] for one in reversed(some.info()["backups"])] == [one["backup_id"] for one in results]


def test_always_level_builds_every_backup_on_the_level_below(tmp_path):
    some = Set(tmp_path, always_level=1)
    write(some.source / "base", b"base")
    tick()
    some.backup()
    copies = []
    for number in range(4):
        write(some.source / "base", b"%d" % number)
        (some.source / f"only {number}").mkdir()
        if number:
            (some.source / f"only {number - 1}").rmdir()
        result = some.backup()
        assert result["level"] == 1
        remember(some.source, tmp_path / f"copy {number}")
        copies.append((result, tmp_path / f"copy {number}"))
    for result, copy in copies:
        target = some.new_target()
        assert len(some.restore(target, backup_id=result["backup_id"])["chain"]) == 2
        assert differences(copy, target) == []


@pytest.mark.parametrize("name", ["a/b", "", ".", "..", ".hidden", "line\nbreak", "ends\n", "x" * 121, "nul\0"])
@pytest.mark.parametrize("option", ["backup_name", "hostname"])
def test_names_that_cannot_be_part_of_a_path_are_refused(one_set, option, name):
    write(one_set.source / "file")
    if option == "hostname" and not name:
        name = "/"  # an empty one means this host
    with pytest.raises(FreezerError, match="cannot name a folder|is missing|NUL"):
        one_set.backup(**{option: name})
    assert not one_set.container.exists()
