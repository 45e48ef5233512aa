# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What a plan names is extracted from stored chains, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.extraction import (
    Extraction,
    StoredLevel,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.plan import Planned, final_state
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.tree_comparison import differences
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import DamagedArchive
from ansible_collections.freezer.backup.tests.support.soak import rounds
from ansible_collections.freezer.backup.tests.support.stored_streams import StoredStream
from ansible_collections.freezer.backup.tests.support.tar_chains import Chain, Level, catalogue, members_of
from ansible_collections.freezer.backup.tests.support.trees import RandomTree, remember, write

SEEDS = rounds(4)
LEVELS = 4


def extract(levels: Sequence[Level], work: Path, name: str, plan: Iterable[Planned] | None = None) -> Path:
    """Store a chain, and extract a plan of it, or all of it."""
    with ExitStack() as stack:
        stored = []
        for number, level in enumerate(levels):
            stream = StoredStream(work / f"{name}-container", level.stream, folder=f"set/{number + 1}_{number}")
            stored.append(StoredLevel(level.catalogue, stack.enter_context(stream.open())))
        target, beside, scratch = (work / f"{name}-{part}" for part in ("tree", "beside", "scratch"))
        for folder in (target, beside, scratch):
            folder.mkdir(mode=0o700)
        extraction = stack.enter_context(Extraction(stored, str(scratch)))
        extraction.take(final_state([level.catalogue for level in levels]) if plan is None else plan)
        assert extraction.into(str(target), str(beside)).not_restored == []
    return target


@pytest.mark.rounds
@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_chain_of_random_trees_comes_back_as_it_was(tmp_path, seed):
    tree = RandomTree(tmp_path / "source", tmp_path / "outside", seed)
    chain = Chain(tmp_path / "source", tmp_path / "work")
    for level in range(LEVELS):
        if level:
            tree.mutate()
        levels = chain.write()
        copy = tmp_path / f"copy-{level}"
        remember(tree.top, copy)
        target = extract(levels, tmp_path, f"level-{level}")
        assert differences(str(copy), str(target), os.geteuid() == 0) == [], (level, tree.log)


@pytest.fixture
def chain(tmp_path):
    top = tmp_path / "source"
    for name in ("a/first", "b/c/second", "d/third"):
        write(top / name, name.encode())
    return Chain(top, tmp_path / "work")


def tree_of(folder: Path) -> dict[str, str | None]:
    return {str(path.relative_to(folder)): None if path.is_dir() else path.read_text() for path in folder.rglob("*")}


def test_a_part_of_a_plan_brings_nothing_else(chain, tmp_path):
    chain.write()
    write(chain.source.folder + "/b/c/fourth", b"new")
    levels = chain.write()
    wanted = {b"", b"b", b"b/c", b"b/c/second", b"b/c/fourth"}
    plan = [one for one in final_state(chain.catalogues) if one.member.name in wanted]
    target = extract(levels, tmp_path, "part", plan)
    assert tree_of(target) == {"b": None, "b/c": None, "b/c/second": "b/c/second", "b/c/fourth": "new"}


def test_a_hard_link_comes_back_without_the_file_that_gave_its_content(chain, tmp_path):
    os.link(chain.source.folder + "/a/first", chain.source.folder + "/d/linked")
    levels = chain.write()
    target_of_link = next(one.member.link for one in final_state(chain.catalogues) if one.member.kind == b"h")
    link = next(one.member.name for one in final_state(chain.catalogues) if one.member.kind == b"h")
    assert {target_of_link, link} == {b"a/first", b"d/linked"}
    folder = link.partition(b"/")[0]
    plan = [one for one in final_state(chain.catalogues) if one.member.name in (b"", folder, link)]
    target = extract(levels, tmp_path, "link", plan)
    assert tree_of(target) == {folder.decode(): None, link.decode(): "a/first"}


def test_a_link_to_a_file_that_a_newer_level_replaced_has_the_content_of_its_level(chain, tmp_path):
    first = Path(chain.source.folder, "a/first")
    os.link(first, chain.source.folder + "/d/linked")
    chain.write()
    first.unlink()
    first.symlink_to("/etc")
    levels = chain.write()
    if len(levels) == 1:
        pytest.fail("the second level should have continued the first one")
    target = extract(levels, tmp_path, "replaced")
    assert os.readlink(target / "a" / "first") == "/etc"
    assert (target / "d" / "linked").read_text() == "a/first"


def test_a_link_of_a_level_below_redirects_nothing(chain, tmp_path):
    # The last state has no link; that of the level below is not extracted at all.
    outside = tmp_path / "outside"
    outside.mkdir()
    top = Path(chain.source.folder)
    (top / "x").symlink_to(outside)
    chain.write()
    (top / "x").unlink()
    write(top / "x/passwd", b"mine")
    target = extract(chain.write(), tmp_path, "redirect")
    assert (target / "x" / "passwd").read_text() == "mine"
    assert not list(outside.iterdir())


@pytest.mark.parametrize("lie", ["name", "kind", "place", "length", "link", "two in one"])
def test_a_catalogue_that_says_something_else_than_the_stream_is_refused_before_tar_sees_the_member(
    chain, tmp_path, lie
):
    Path(chain.source.folder, "d", "link").symlink_to("first")
    levels = chain.write()
    members = members_of(levels[0].plain)
    by_name = {member.name: member for member in members}
    first, third = by_name[b"a/first"], by_name[b"d/third"]
    changes = {
        "name": {b"a/first": third._replace(name=b"a/first")},
        "kind": {b"a/first": first._replace(kind=b"p")},
        "place": {b"a/first": first._replace(offset=b"%d" % (first.begin + 512))},
        "two in one": {b"d/third": third._replace(offset=first.offset, length=first.length)},
        "length": {b"a/first": first._replace(length=b"512")},
        "link": {b"d/link": by_name[b"d/link"]._replace(link=b"/etc/passwd")},
    }[lie]
    lying = catalogue([changes.get(member.name, member) for member in members])
    with pytest.raises(DamagedArchive):
        extract([replace(levels[0], catalogue=lying)], tmp_path, "lie")
    tree = tmp_path / "lie-tree"
    assert not (tree / "a" / "first").exists() or lie in ("link", "two in one")
    assert not (tree / "d" / "link").is_symlink()
