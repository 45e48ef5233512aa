# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Trees of several levels become one."""

from __future__ import annotations

import os
import resource
import subprocess

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.joining import join
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import DamagedArchive


@pytest.fixture
def trees(tmp_path):
    for name in ("source", "target"):
        (tmp_path / name).mkdir()
    return tmp_path / "source", tmp_path / "target"


def test_files_go_to_their_places_and_folders_keep_their_modes_and_times(trees):
    source, target = trees
    for tree in trees:
        (tree / "a" / "b").mkdir(parents=True)
    (source / "a" / "b" / "old").write_text("old")
    (source / "a" / "link").symlink_to("/etc")
    (target / "a" / "b" / "new").write_text("new")
    (target / "a" / "b").chmod(0o2550)
    times = {}
    for folder in ("a/b", "a", "."):
        os.utime(target / folder, ns=(5, 1_000_000_123))
        times[folder] = (target / folder).stat().st_mtime_ns
    join(str(source), str(target))
    assert (target / "a" / "b" / "old").read_text() == "old"
    assert (target / "a" / "b" / "new").read_text() == "new"
    assert os.readlink(target / "a" / "link") == "/etc"
    assert {folder: (target / folder).stat().st_mtime_ns for folder in times} == times
    assert (target / "a" / "b").stat().st_mode & 0o7777 == 0o2550


def test_a_folder_that_is_in_one_tree_only_is_moved_whole(trees):
    source, target = trees
    (source / "x" / "y").mkdir(parents=True)
    (source / "x" / "y" / "z").write_text("1")
    join(str(source), str(target))
    assert (target / "x" / "y" / "z").read_text() == "1"


@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_what_is_in_both_is_damage_and_nothing_is_written_through_a_link(trees, tmp_path, kind):
    source, target = trees
    outside = tmp_path / "outside"
    outside.mkdir()
    (source / "a").mkdir()
    (source / "a" / "f").write_text("x")
    if kind == "file":
        (target / "a").write_text("y")
    elif kind == "link":
        (target / "a").symlink_to(outside)
    else:
        (target / "a" / "f").mkdir(parents=True)
    with pytest.raises(DamagedArchive, match=r"Two levels of the chain have a"):
        join(str(source), str(target))
    assert not list(outside.iterdir())


def test_a_tree_may_be_deeper_than_a_path_is_long_and_than_files_can_be_open(trees):
    depth = 2500
    name = "d"
    here = os.open(".", os.O_RDONLY)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        for tree, file in zip(trees, ("old", "new"), strict=True):
            os.chdir(tree)
            for _level in range(depth):
                os.mkdir(name)
                os.chdir(name)
            os.close(os.open(file, os.O_WRONLY | os.O_CREAT))
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
        join(*(str(tree) for tree in trees))
        assert sorted(os.listdir(".")) == ["new", "old"]  # the last chdir went to the deepest folder of the target
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        os.fchdir(here)
        os.close(here)
        for tree in trees:
            subprocess.run(["rm", "-rf", tree], check=True)  # pytest cannot remove it
