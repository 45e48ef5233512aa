# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Parts of a plan: patterns mean what they mean for tar, and what is restored is what was there."""

from __future__ import annotations

import os
import random
import subprocess

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.patterns import literally, matcher
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.plan import final_state
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.selection import Selection, at
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.tree_comparison import same_file
from ansible_collections.freezer.backup.tests.support.soak import rounds
from ansible_collections.freezer.backup.tests.support.tar_chains import (
    Chain,
    catalogue,
    record,
    restore_selected,
)
from ansible_collections.freezer.backup.tests.support.trees import NASTY_NAMES, RandomTree, remember, write

PATTERNS = [
    b"a", b"*", b"?", b"a*", b"*b", b"a/b", b"./a", b"./a/*", b"*/b", b"b/c", b"a?b", b"[ab]", b"[!ab]", b"[^ab]", b"[a-c]*", b"[]]", b"[]a]x",
    b"[", b"[a", b"a[", b"\\*", b"\\a", b"a\\", b"[[:upper:]]", b"[[:digit:][:space:]]*", b"[[:nothing:]]", b"[a\\]]", b"[\\[]", b"*.log",
    b"a.log", b".*", b"**b", b"*a*b*", b"a*/c", b"/a", b"", b"[z-a]", b"[!]", b"[a-]", b"[-a]", b"\xff", b"[\x80-\xff]*", b"x\n*", b"a/b/c", b"[/]b",
    b"a[/]b", b"a[!x]b", b"{a,b}", b"*?glob]{a,b}",
]  # fmt: skip


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    top = tmp_path_factory.mktemp("tree")
    for name in (
        b"a/b/c",
        b"a/B",
        b"b/a.log",
        b"c/a/b/x.log",
        b"A/1",
        b"]/]x",
        b"[/a[",
        b"*/\\",
        b"a\\",
        b"-",
        b"x\n\n",
        *NASTY_NAMES,
    ):
        write(os.path.join(os.fsencode(top), name))
    return top


def test_patterns_mean_what_they_mean_for_tar(tree):
    every = _names_that_tar_stores(tree, [])
    for pattern in PATTERNS:
        matches = matcher([pattern])
        left = {name for name in every if not matches(name)}
        assert left == _names_that_tar_stores(tree, [pattern]), pattern
    some = [b"a", b"*.log", b"[]]"]
    matches = matcher(some)
    assert {name for name in every if not matches(name)} == _names_that_tar_stores(tree, some)


def _names_that_tar_stores(tree, patterns):
    argv = [b"tar", b"-cf", b"/dev/null", b"-v", b"--quoting-style=literal", b"--null", b"-C", os.fsencode(tree)]
    argv += [b"--index-file=/dev/stdout", *(b"--exclude=" + pattern for pattern in patterns), b"."]
    listed = subprocess.run(argv, check=True, capture_output=True, env={**os.environ, "LC_ALL": "C"}).stdout
    # No name of the tree has this beginning in its middle.
    return {name.rstrip(b"/") for name in (b"\n" + listed)[:-1].split(b"\n./")[1:]} - {b""}


def test_a_slash_at_the_end_is_ignored_and_a_literal_pattern_matches_one_path_and_what_is_below_it():
    assert [matcher([b"a/"])(name) for name in (b"a", b"a/b", b"b/a", b"ab")] == [True, True, True, False]
    for name in [*NASTY_NAMES, b"a/b"]:
        matches = matcher([literally(name)])
        assert [matches(one) for one in (name, name + b"/x", b"x/" + name, name + b"x")] == [True, True, False, False]
    assert matcher([literally(b"")])(b"any")
    assert not matcher([])(b"a")


def test_a_selection_brings_the_folders_above_and_nothing_else():
    folders = [record(name, "d") for name in ("", "a", "a/b", "d", "d/e")]
    members = [*folders[:3], record("a/b/c"), *folders[3:], record("d/e/f"), record("g")]
    plan = final_state([catalogue(members)])
    found = [(one.member.name, one.wanted) for one in Selection([b"d/e", b"c"], [b"f"]).of(plan)]
    assert found == [(b"", False), (b"a", False), (b"a/b", False), (b"a/b/c", True), (b"d", False), (b"d/e", True)]


def test_a_path_is_read_with_what_is_below_it_and_not_further():
    members = [record("", "d"), record("a", "d"), record("a/b"), record("a/c"), record("a-b"), record("b")]
    plan = final_state([catalogue(members)])
    assert [one.member.name for one in at(plan, b"a")] == [b"a", b"a/b", b"a/c"]
    assert next(plan).member.name == b"b"
    assert [one.member for one in at(final_state([catalogue(members)]), b"")] == members
    assert list(at(final_state([catalogue(members)]), b"aa")) == []


@pytest.mark.rounds
@pytest.mark.parametrize("seed", range(rounds(4)))
def test_a_partial_restore_of_a_chain_has_what_the_selection_names_with_its_folders(tmp_path, seed):
    choose = random.Random(f"selection {seed}")
    tree = RandomTree(tmp_path / "source", tmp_path / "outside", 1000 + seed)
    chain = Chain(tmp_path / "source", tmp_path / "work")
    for level in range(4):
        levels = chain.write()
        remember(tree.top, tmp_path / f"copy-{level}")
        copy = os.fsencode(tmp_path / f"copy-{level}")
        every = [os.path.relpath(path, copy) for path in _walk(copy)]
        for turn in range(3):
            include = (
                [literally(choose.choice(every))] if every and turn else [choose.choice(PATTERNS) for _one in range(2)]
            )
            selection = Selection(include, [choose.choice(PATTERNS)] if turn != 1 else [])
            target = tmp_path / f"target-{len(os.listdir(tmp_path))}"
            restore_selected(levels, target, chain.work, selection)
            wanted = {name for name in every if selection.wants(name)}
            above = {os.path.dirname(name) for name in wanted}
            while above - wanted:
                wanted |= above
                above = {os.path.dirname(name) for name in above}
            got = {os.path.relpath(path, os.fsencode(target)) for path in _walk(os.fsencode(target))}
            assert got == wanted - {b""}, (include, tree.log)
            for name in got:
                one, other = (os.fsdecode(os.path.join(folder, name)) for folder in (copy, os.fsencode(target)))
                assert same_file(one, other, os.geteuid() == 0) == [], (name, include, tree.log)
        tree.mutate()


def _walk(top):
    for folder, folders, files in os.walk(top):
        for name in folders + files:
            yield os.path.join(folder, name)
