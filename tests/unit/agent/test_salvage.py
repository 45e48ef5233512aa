# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What is whole of a damaged chain is restored, and what is not is told."""

from __future__ import annotations

import os
import random

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError, OptionError
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import (
    ArchiveError,
    DamagedArchive,
)
from ansible_collections.freezer.backup.tests.support.sets import Set, attempt, differences, tick
from ansible_collections.freezer.backup.tests.support.soak import rounds
from ansible_collections.freezer.backup.tests.support.trees import remember, write

MEBIBYTE = 1 << 20


@pytest.fixture
def saved(tmp_path):
    """A set with two levels; the stored bytes are those of tar, and each large file has frames of its own."""
    some = Set(tmp_path, max_level=5, compression="none")
    for name in ("a", "b", "c"):
        write(some.source / "first" / name, os.urandom(2 * MEBIBYTE))
    write(some.source / "first" / "small", b"before")
    (some.source / "first").chmod(0o710)
    os.link(some.source / "first" / "b", some.source / "linked")
    tick()
    some.made = [some.backup()]
    remember(some.source, tmp_path / "before")
    write(some.source / "first" / "small", b"after")
    write(some.source / "second" / "new", b"new")
    some.made.append(some.backup())
    return some


def damage(some, level, stem, place=None):
    """Flip a bit of an object, in its middle."""
    path = next(some.folder_of(some.made[level]).glob(f"{stem}*"))
    stored = bytearray(path.read_bytes())
    stored[len(stored) // 2 if place is None else place] ^= 1
    path.write_bytes(stored)


def lost(result):
    return {one["path"] for one in result["not_restored"]}


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


def test_a_damaged_file_is_left_out_and_named_and_all_else_is_restored(saved):
    place = (
        next(saved.folder_of(saved.made[0]).glob("data.000000*"))
        .read_bytes()
        .find((saved.source / "first" / "a").read_bytes()[MEBIBYTE : MEBIBYTE + 64])
    )
    damage(saved, 0, "data.000000", place)
    target = saved.new_target()
    with pytest.raises(DamagedArchive):
        saved.restore(target)
    result = saved.restore(target, salvage=True)
    assert (result["outcome"], "first/a" in lost(result)) == ("partial", True)
    assert "first/a" not in files(target)
    for name in files(target):
        assert (target / name).read_bytes() == (saved.source / name).read_bytes()
    assert {"first/small", "second/new"} <= set(files(target))
    assert (target / "first").stat().st_mode & 0o777 == 0o710


def test_a_hard_link_to_a_damaged_file_is_left_out_with_it(saved):
    place = (
        next(saved.folder_of(saved.made[0]).glob("data.000000*"))
        .read_bytes()
        .find((saved.source / "first" / "b").read_bytes()[MEBIBYTE : MEBIBYTE + 64])
    )
    damage(saved, 0, "data.000000", place)
    result = saved.restore(target := saved.new_target(), salvage=True)
    assert {"first/b", "linked"} <= lost(result)
    assert not {"first/b", "linked"} & set(files(target))


@pytest.mark.parametrize("stem", ["catalogue", "details", "frames"])
def test_of_a_level_that_cannot_be_read_the_states_before_stand_in(saved, tmp_path, stem):
    damage(saved, 1, stem)
    target = saved.new_target()
    result = saved.restore(target, salvage=True)
    assert result["outcome"] == "partial"
    assert "Nothing of host_tree/" in result["not_restored"][0]["message"]
    assert differences(tmp_path / "before", target) == []


def test_a_whole_backup_is_salvaged_as_it_is_restored(saved):
    result = saved.restore(target := saved.new_target(), salvage=True)
    assert (result["outcome"], result["not_restored"]) == ("success", [])
    assert differences(saved.source, target) == []


def test_where_nothing_is_whole_nothing_is_restored(saved):
    for level in (0, 1):
        damage(saved, level, "details")
    target = saved.new_target()
    with pytest.raises(ArchiveError, match="Nothing of host_tree/.* could be saved"):
        saved.restore(target, salvage=True)
    assert not target.exists()
    with pytest.raises(OptionError, match="salvage cannot be combined with delete"):
        saved.restore(target, salvage=True, delete=True)


def test_a_large_file_with_a_damaged_block_is_left_out(tmp_path):
    some = Set(tmp_path, max_level=5, compression="none", block_level_size=2 * MEBIBYTE)
    write(some.source / "image", os.urandom(4 * MEBIBYTE))
    write(some.source / "other", b"other")
    tick()
    some.made = [some.backup()]
    with open(some.source / "image", "r+b") as file:
        file.write(os.urandom(MEBIBYTE))
    some.made.append(some.backup())
    damage(some, 1, "blocks.000000")
    result = some.restore(target := some.new_target(), salvage=True)
    assert lost(result) == {"image"}
    assert files(target) == ["other"]


@pytest.mark.rounds
@pytest.mark.parametrize("seed", range(rounds(6)))
def test_whatever_is_damaged_every_file_that_is_restored_is_one_that_was_backed_up(tmp_path, seed):
    some = Set(tmp_path, max_level=5, compression="none")
    contents: dict[str, set[bytes]] = {}
    made = []
    source = random.Random(seed)
    for _level in range(3):
        for name in ("a", "folder/b", "folder/deep/c", "d"):
            if source.random() < 0.7:
                content = source.randbytes(source.choice([10, 3000, 2 * MEBIBYTE]))
                write(some.source / name, content)
                contents.setdefault(name, set()).add(content)
        tick()
        made.append(some.backup())
    some.made = made
    for _time in range(source.choice([1, 2, 5])):
        level = source.randrange(3)
        names = [one for one in sorted(some.folder_of(made[level]).iterdir()) if not one.name.startswith("manifest")]
        victim = source.choice(names)
        stored = bytearray(victim.read_bytes())
        if stored:
            stored[source.randrange(len(stored))] ^= 1 << source.randrange(8)
            victim.write_bytes(stored)
    target = some.new_target()
    _result, problem = attempt(some.restore, target, salvage=True)
    assert problem is None or isinstance(problem, FreezerError)
    if problem is None:
        for name in files(target):
            assert (target / name).read_bytes() in contents[name]
