# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Who besides root and this user may exchange what lies in a folder: by owner, mode, group, ACL and sticky bit."""

from __future__ import annotations

import os
import stat

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.system import trust
from ansible_collections.freezer.backup.tests.support.trees import access_acl

ME, ROOT, OTHER = os.geteuid(), 0, 54321
MY_GROUP = os.getegid()


def found(mode, user=ME, group=MY_GROUP):
    return os.stat_result((stat.S_IFDIR | mode, 1, 1, 1, user, group, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("folder", "told"),
    [
        (found(0o700), None),
        (found(0o755, ROOT, 0), None),
        (found(0o775), None),
        (found(0o700, OTHER), "belongs to the user 54321"),
        (found(0o775, group=OTHER), "users of the group 54321"),
        (found(0o777), "every user may write to"),
        (found(0o1777), "every user may write to"),
    ],
)
def test_a_folder_is_ones_own_by_owner_and_mode(tmp_path, folder, told):
    said = trust.others_may_change(str(tmp_path), folder)
    assert said is None if told is None else told in said


def test_with_the_sticky_bit_only_a_folder_of_another_user_is_anothers(tmp_path):
    assert trust.others_may_exchange(str(tmp_path), found(0o1777, ROOT, 0)) is None
    assert "belongs to the user 54321" in trust.others_may_exchange(str(tmp_path), found(0o1777, OTHER))
    assert "every user" in trust.others_may_exchange(str(tmp_path), found(0o777, ROOT, 0))


def test_an_acl_that_lets_others_write_counts(tmp_path):
    if access_acl(tmp_path, 12345):
        os.chmod(tmp_path, 0o770)  # with an ACL the bits of the group are the most that the ACL gives
        assert "of an ACL" in trust.others_may_change(str(tmp_path), os.lstat(tmp_path))


def test_a_way_leads_through_links_dots_and_what_is_not_there_yet(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    os.symlink("../a/./b", tmp_path / "a" / "relative")
    os.symlink(tmp_path / "a" / "relative" / ".." / "b", tmp_path / "absolute")
    for path, real in {
        "absolute": "a/b",
        "absolute/new/deep": "a/b/new/deep",
        "a/relative/../relative": "a/b",
        "new/deep": "new/deep",
    }.items():
        assert trust.own_way(f"{tmp_path}/{path}") == (str(tmp_path.resolve() / real), None)


def test_a_way_that_does_not_end_is_an_error(tmp_path):
    os.symlink("circle", tmp_path / "circle")
    (tmp_path / "file").touch()
    for path in ("circle", "file", "file/below", "circle/below"):
        with pytest.raises(OSError, match=r"too many links|not a folder"):
            trust.own_way(str(tmp_path / path))
