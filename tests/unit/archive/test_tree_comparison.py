# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The comparison on which every other test relies: it must see each kind of difference."""

from __future__ import annotations

import os
import shutil

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.tree_comparison import differences
from ansible_collections.freezer.backup.tests.support.guards import folder_without_root, without_root
from ansible_collections.freezer.backup.tests.support.trees import (
    access_acl,
    extended_attribute,
    make_everything,
    make_socket,
    open_for_removal,
    remember,
    write,
)


@pytest.fixture
def trees(tmp_path):
    left, right = tmp_path / "left", tmp_path / "right"
    make_everything(left)
    remember(left, right)
    yield left, right
    open_for_removal(tmp_path)


def test_a_copy_with_everything_is_no_different(trees):
    left, right = trees
    assert differences(str(left), str(right)) == []


def replaced(path, content):
    before = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(0, before.st_mtime_ns))


CHANGES = {
    "content": lambda top: replaced(top / "third", b"LINKED"),
    "content in a hole": lambda top: os.utime(
        poke(top / "huge hole", 3 << 30), ns=(0, (top.parent / "left" / "huge hole").stat().st_mtime_ns)
    ),
    "size": lambda top: replaced(top / "empty file", b"x"),
    "mode": lambda top: (top / "setuid").chmod(0o755),
    "mtime by a nanosecond": lambda top: os.utime(top / "times" / "at 1970", ns=(0, 1)),
    "mtime of a link": lambda top: os.utime(top / "dangling", ns=(0, 5), follow_symlinks=False),
    "mtime of a folder": lambda top: os.utime(top / "empty folder", ns=(0, 5)),
    "target of a link": lambda top: retarget(top / "absolute", "/etc/hosts"),
    "type": lambda top: ((top / "empty file").unlink(), (top / "empty file").mkdir()),
    "more": lambda top: write(top / "more"),
    "less": lambda top: (top / "empty file").unlink(),
    "hard links": lambda top: unlink_from_others(top / "linked" / "second"),
    "top": lambda top: os.utime(top, ns=(0, 5)),
}


def poke(path, offset):
    with open(path, "r+b") as stream:
        stream.seek(offset)
        stream.write(b"x")
    return path


def retarget(path, target):
    before = path.lstat()
    path.unlink()
    os.symlink(target, path)
    os.utime(path, ns=(0, before.st_mtime_ns), follow_symlinks=False)


def unlink_from_others(path):
    aside = path.with_name("aside")
    shutil.copy2(path, aside)
    os.rename(aside, path)


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_is_seen_from_both_sides(trees, change):
    left, right = trees
    CHANGES[change](right)
    assert differences(str(left), str(right))
    assert differences(str(right), str(left))


@pytest.mark.parametrize("set_one", [extended_attribute, lambda path: access_acl(path, 54321)])
def test_attributes_and_acls_are_compared_where_there_are_any(trees, set_one):
    left, right = trees
    if set_one(right / "empty file"):
        assert "xattrs" in differences(str(left), str(right))[0]
    else:
        assert differences(str(left), str(right)) == []


def test_sockets_do_not_count(trees):
    left, right = trees
    mtime = right.stat().st_mtime_ns
    make_socket(right / "socket")
    os.utime(right, ns=(0, mtime))
    assert differences(str(left), str(right)) == []


def test_what_may_not_be_read_is_said_to_be_unreadable():
    def work(folder):
        for side in ("left", "right"):
            write(folder / side / "file", b"x")
            write(folder / side / "closed" / "inside", b"x")
            for name in ("closed", "closed/inside", "file", "."):
                os.utime(folder / side / name, (0, 0))
            (folder / side / "file").chmod(0)
            (folder / side / "closed").chmod(0)
        return differences(str(folder / "left"), str(folder / "right"))

    with folder_without_root() as folder:
        assert without_root(work, folder) == ["closed: unreadable", "file: unreadable"]
