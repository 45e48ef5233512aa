# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""States of a tree beside each other: backups, a folder as it is now, and one path over all backups."""

from __future__ import annotations

import os

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.disk_state import state_of_folder
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.find import find, history
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.plan import final_state
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.state_comparison import (
    compare,
    shared_levels,
    without_times_of_folders,
)
from ansible_collections.freezer.backup.tests.support.soak import rounds
from ansible_collections.freezer.backup.tests.support.tar_chains import Chain, catalogue, catalogues, record
from ansible_collections.freezer.backup.tests.support.trees import RandomTree, make_everything, make_socket, write


def now(top, **options):
    problems = []
    descriptor = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    try:
        found = list(state_of_folder(descriptor, lambda name, problem: problems.append(name), **options))
    finally:
        os.close(descriptor)
    return found, problems


def told(differences):
    return [(one.change, one.name.decode("utf-8", "surrogateescape"), *one.fields) for one in differences]


@pytest.mark.rounds
@pytest.mark.parametrize("seed", range(rounds(3)))
def test_a_backup_and_the_folder_that_it_is_of_have_no_differences(tmp_path, seed):
    tree = RandomTree(tmp_path / "source", tmp_path / "outside", 2000 + seed)
    chain = Chain(tmp_path / "source", tmp_path / "work")
    for _level in range(3):
        levels = chain.write()
        found, problems = now(tree.top)
        assert (told(compare(final_state(catalogues(levels)), found)), problems) == ([], []), tree.log
        tree.mutate()


def test_a_tree_with_everything_is_the_same_on_disk_and_in_its_catalogue_and_sockets_are_in_neither(tmp_path):
    top = tmp_path / "top"
    top.mkdir()
    make_everything(top)
    make_socket(top / "zz socket")
    levels = Chain(top, tmp_path / "work").write()
    assert told(compare(final_state(catalogues(levels)), now(top)[0])) == []


def test_what_changed_on_disk_since_a_backup_is_told_path_by_path(tmp_path):
    top = tmp_path / "top"
    for name in ("a", "b/c", "b/d", "e", "f/g", "h", "i"):
        write(top / name)
    os.symlink("old", top / "l")
    levels = Chain(top, tmp_path / "work").write()
    os.chmod(top / "a", 0o600)
    write(top / "b/d", b"longer than it was")
    (top / "e").unlink()
    (top / "e").mkdir()
    (top / "l").unlink()
    os.symlink("new", top / "l")
    (top / "h").unlink()
    write(top / "b-new")
    os.utime(top / "i", ns=(0, 5))
    differences = list(compare(final_state(catalogues(levels)), now(top)[0]))
    assert told(without_times_of_folders(differences)) == [
        ("changed", "a", "mode"),
        ("changed", "b/d", "size", "mtime"),
        ("added", "b-new"),
        ("changed", "e", "kind"),
        ("removed", "h"),
        ("changed", "i", "mtime"),
        ("changed", "l", "mtime", "target"),
    ]
    assert ("changed", "", "mtime") in told(differences)


def test_excluded_names_are_not_looked_at_and_a_folder_that_vanishes_is_reported(tmp_path):
    write(tmp_path / "a/b")
    write(tmp_path / "c")
    found, problems = now(tmp_path, excluded=lambda name: name == b"a")
    assert [one.member.name for one in found] == [b"", b"c"]
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    state = state_of_folder(descriptor, lambda name, problem: problems.append(name))
    names = []
    for one in state:
        names.append(one.member.name)
        if one.member.name == b"a":
            (tmp_path / "a").rename(tmp_path / "z")
    os.close(descriptor)
    assert (names, problems) == ([b"", b"a", b"c"], [b"a"])


def test_a_link_is_never_followed(tmp_path):
    write(tmp_path / "outside/secret")
    (tmp_path / "top").mkdir()
    os.symlink(tmp_path / "outside", tmp_path / "top/l")
    assert [(one.member.name, one.member.kind) for one in now(tmp_path / "top")[0]] == [(b"", b"d"), (b"l", b"l")]


def test_two_backups_of_one_chain_differ_in_what_was_stored_again_though_size_and_time_are_the_same():
    below = catalogue([record("", "d"), record("a"), record("b"), record("c")], "m")
    left = [below, catalogue([record("", "d"), record("b", begin=512)], "n")]
    right = [below, catalogue([record("", "d"), record("a", begin=512), record("c", "x")], "o")]
    assert shared_levels(left, right) == 1
    differences = list(compare(final_state(left), final_state(right), shared_levels=1))
    assert told(differences) == [("changed", "a", "stored again"), ("changed", "b", "stored again"), ("removed", "c")]
    assert told(compare(final_state(left), final_state(right))) == [("removed", "c")]


def test_owners_count_unless_told_otherwise_and_a_hard_link_is_a_file():
    left = [catalogue([record("", "d"), record("a", size=b"5"), record("b", "h", "a", 512)])]
    right = [catalogue([record("", "d", uid=b"7"), record("a", "h", "b", 512), record("b", size=b"5")])]
    assert told(compare(final_state(left), final_state(right))) == [("changed", "", "owner")]
    assert told(compare(final_state(left), final_state(right), owner=False)) == []


@pytest.fixture
def backups():
    """Two chains of which the second one begins again: backups m (0), n (0, 1), o (0, 1, 2), p (0) and q (0, 1')."""
    zero = catalogue([record("", "d"), record("d", "d"), record("d/a.log"), record("d/b"), record("e.log")], "m")
    one = catalogue([record("", "d"), record("d", "d", begin=512), record("d/a.log", begin=1024)], "n")
    two = catalogue([record("", "d"), record("d", "x"), record("e.log", "d"), record("e.log/x")], "o")
    other = catalogue([record("", "d"), record("d", "d"), record("d/a.log")], "p")
    branch = catalogue([record("", "d"), record("d", "d", begin=512)], "q")
    return [("m", [zero]), ("n", [zero, one]), ("o", [zero, one, two]), ("p", [other]), ("q", [zero, branch])]


def test_names_are_found_in_every_backup_that_has_them(backups):
    found = [(backup, one.member.name.decode(), one.level) for backup, one in find(backups, [b"*.log"])]
    assert found == [
        *[("m", "d/a.log", 0), ("m", "e.log", 0), ("n", "d/a.log", 1), ("n", "e.log", 0)],
        *[("o", "e.log", 2), ("o", "e.log/x", 2), ("p", "d/a.log", 0), ("q", "d/a.log", 0), ("q", "e.log", 0)],
    ]
    assert list(find(backups, [b"nowhere"])) == []
    for backup, chain in backups:
        by_plan = [one for one in final_state(chain) if b"a" in one.member.name]
        assert [one for name, one in find(backups, [b"*a*"]) if name == backup] == by_plan


def test_the_history_of_a_path_says_where_it_changed(backups):
    def versions(path):
        return [
            (backup, None if one.planned is None else one.planned.level, one.changed)
            for backup, one in history(backups, path)
        ]

    assert versions(b"d/a.log") == [("m", 0, True), ("n", 1, True), ("o", None, True), ("p", 0, True), ("q", 0, True)]
    assert versions(b"d/b")[:4] == [("m", 0, True), ("n", 0, False), ("o", None, True), ("p", None, False)]
    assert versions(b"d") == [("m", 0, True), ("n", 1, False), ("o", None, True), ("p", 0, True), ("q", 1, False)]
    assert versions(b"")[:3] == [("m", 0, True), ("n", 1, False), ("o", 2, False)]
    assert {one for _backup, one, _changed in versions(b"none")} == {None}


def test_every_catalogue_is_read_twice_however_many_backups_there_are():
    read = []

    def counted(chain):
        plain = chain.open

        def opened():
            read.append(chain.where)
            return plain()

        return type(chain)(chain.where, opened)

    zero = counted(catalogue([record("", "d"), record("a")], "0"))
    levels = [counted(catalogue([record("", "d")], str(number))) for number in range(1, 4)]
    list(find([(number, [zero, *levels[:number]]) for number in range(4)], [b"a"]))
    assert sorted(read) == ["0", "0", "1", "1", "2", "2", "3", "3"]
