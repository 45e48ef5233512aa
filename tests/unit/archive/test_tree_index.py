# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The index of a mounted chain: every name is found, every folder listed, from any position, and hard links are one file."""

from __future__ import annotations

import random

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.errors import DamagedCatalogue
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.records import FOLDER, HARD_LINK, order_key
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.tree_index import TreeIndex
from ansible_collections.freezer.backup.tests.support.tar_chains import catalogue, record


def random_tree(seed):
    """Names of a tree with their kinds, folders before what is in them."""
    choice = random.Random(seed)
    kinds = {"": "d"}
    for number in range(choice.randint(1, 120)):
        above = choice.choice([name for name, kind in kinds.items() if kind == "d"])
        kinds[f"{above}/{number}".lstrip("/") + choice.choice(["", ".d", "é", " "])] = choice.choice("d---l")
    return kinds


def listed(index, folder):
    return [found.member.name.decode() for found in index.below(index.find(folder.encode()))]


@pytest.mark.parametrize("seed", range(8))
def test_every_name_is_found_and_every_folder_listed_in_any_order(tmp_path, seed):
    kinds = random_tree(seed)
    members = [
        record(name, kinds[name], "x" if kinds[name] == "l" else "")
        for name in sorted(kinds, key=lambda one: order_key(one.encode()))
    ]
    names = list(kinds)
    random.Random(seed).shuffle(names)
    with TreeIndex([catalogue(members)], str(tmp_path)) as index:
        assert index.count == len(kinds)
        for name in names:
            found = index.find(name.encode())
            assert (found.member.name.decode(), found.member.kind.decode()) == (name, kinds[name])
            assert index.find(name.encode() + b"/none") is None
            if kinds[name] == "d":
                inside = [one for one in kinds if one and one.rpartition("/")[0] == name]
                assert listed(index, name) == sorted(inside, key=lambda one: order_key(one.encode()))
        top = list(index.below(index.find(b"")))
        for place, one in enumerate(top):
            assert list(index.below(index.find(b""), one.number)) == top[place:]
    assert list(tmp_path.iterdir()) == []


def test_hard_links_are_one_file_with_the_number_of_its_links(tmp_path):
    first = catalogue(
        [
            record("", "d"),
            record("a", begin=512),
            record("b", "h", "a", begin=1024),
            record("c", "h", "a", begin=1536),
            record("d", begin=2048),
        ],
        "first",
    )
    # The file itself is another one now, but two links lead to what it was.
    second = catalogue([record("", "d"), record("a"), record("d", "x")], "second")
    with TreeIndex([first, second], str(tmp_path)) as index:
        a, b, c = (index.find(name) for name in (b"a", b"b", b"c"))
        assert (a.level, a.other) == (1, 1)
        assert b.member.kind == c.member.kind == HARD_LINK
        behind = index.file_of(b)
        assert index.file_of(c) == behind
        assert (behind.member.name, behind.level, behind.other) == (b"a", 0, 2)
        assert behind.number >= index.count
        assert (index.find(b"d"), index.count) == (None, 4)
    with TreeIndex([first], str(tmp_path)) as index:
        assert index.file_of(index.find(b"b")) == index.find(b"a")
        assert index.find(b"a").other == 3


def test_a_single_file_lies_in_a_folder_of_the_user(tmp_path):
    with TreeIndex([catalogue([record("hosts")])], str(tmp_path)) as index:
        top = index.find(b"")
        assert (top.member.kind, top.member.permissions) == (FOLDER, 0o700)
        assert listed(index, "") == ["hosts"]
    with TreeIndex([catalogue([])], str(tmp_path)) as index:
        assert listed(index, "") == []


def test_a_link_to_nothing_is_refused(tmp_path):
    with (
        pytest.raises(DamagedCatalogue, match="as a link to none, and no such file before it"),
        TreeIndex([catalogue([record("", "d"), record("b", "h", "none", begin=512)])], str(tmp_path)),
    ):
        pass
