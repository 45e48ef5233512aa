# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A restore of what `include` and `exclude` select."""

from __future__ import annotations

import os

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import ArchiveError
from ansible_collections.freezer.backup.tests.support.golden_version_1 import HOST, NAMES, unpack
from ansible_collections.freezer.backup.tests.support.guards import folder_without_root, without_root
from ansible_collections.freezer.backup.tests.support.sets import Set, tick
from ansible_collections.freezer.backup.tests.support.trees import open_for_removal, write


@pytest.fixture
def saved(tmp_path):
    """A set with two levels of a tree that has files of the same name in several folders."""
    some = Set(tmp_path, max_level=5)
    for name in ("etc/ssh/config", "etc/hosts", "home/etc/hosts", "home/a[b].log", "notes.log"):
        write(some.source / name, b"before")
    os.link(some.source / "etc" / "hosts", some.source / "linked")
    tick()
    some.backup()
    write(some.source / "etc" / "ssh" / "config", b"after")
    write(some.source / "etc" / "ssh" / "key", b"new")
    some.backup()
    return some


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"include": ["./etc"]}, ["etc/hosts", "etc/ssh/config", "etc/ssh/key"]),
        ({"include": ["etc/hosts"]}, ["etc/hosts", "home/etc/hosts"]),
        ({"include": ["*.log"]}, ["home/a[b].log", "notes.log"]),
        ({"include": ["./etc", "*.log"], "exclude": ["ssh", "notes*"]}, ["etc/hosts", "home/a[b].log"]),
        ({"exclude": ["etc", "*.log"]}, ["linked"]),
        ({"include": ["linked"]}, ["linked"]),
    ],
)
def test_what_the_patterns_select_is_restored_and_nothing_else(saved, options, expected):
    target = saved.new_target()
    result = saved.restore(target, **options)
    assert files(target) == expected
    assert result["selected"] >= len(expected)
    assert result["outcome"] == "success"
    assert all(path.read_bytes() in (b"before", b"after", b"new") for path in target.rglob("*") if path.is_file())


def test_a_path_of_the_host_is_one_inside_the_backup(saved):
    target = saved.new_target()
    result = saved.restore(target, include=[f"{saved.source}/etc/ssh"])
    assert files(target) == ["etc/ssh/config", "etc/ssh/key"]
    assert (target / "etc" / "ssh" / "config").read_bytes() == b"after"
    assert result["selected"] == 3  # the folder, too


def test_a_restore_that_selects_nothing_is_refused_with_the_patterns_and_makes_no_target(saved):
    target = saved.new_target()
    for options, said in (
        ({"include": ["no such", "*.conf"]}, r"include no such, \*\.conf selects nothing in .*_1; list what is in it"),
        ({"include": ["*.log"], "exclude": ["*"]}, r"include \*\.log selects nothing"),
        ({"include": ["/somewhere/else"]}, "include /somewhere/else selects nothing"),
        ({"include": ["notes.log"], "dry_run": True, "exclude": ["*.log"]}, "selects nothing"),
    ):
        with pytest.raises(ArchiveError, match=said):
            saved.restore(target, **options)
        assert not target.exists()


def test_a_pattern_that_selects_nothing_beside_one_that_does_is_a_remark(saved):
    result = saved.restore(include=["hosts", "typo"])
    assert result["remarks"] == ["include typo selects nothing in this backup."]
    assert result["selected"] == 2


def test_folders_above_a_part_keep_their_attributes_in_the_target_and_get_those_of_the_backup_where_they_are_new(saved):
    (saved.source / "etc").chmod(0o750)
    saved.backup()
    target = saved.new_target()
    (target / "etc" / "ssh").mkdir(parents=True)
    (target / "etc").chmod(0o711)
    target.chmod(0o700)
    write(target / "etc" / "own", b"own")
    planned = saved.restore(target, overwrite=True, include=["./etc/ssh/key"], dry_run=True)
    done = saved.restore(target, overwrite=True, include=["./etc/ssh/key"])
    assert files(target) == ["etc/own", "etc/ssh/key"]
    assert [(path.stat().st_mode & 0o777) for path in (target, target / "etc")] == [0o700, 0o711]
    assert (done["created"], done["replaced"], done["equal"], done["selected"]) == (1, 0, 0, 1)
    for key in ("created", "replaced", "equal", "counts", "selected"):
        assert planned[key] == done[key], key
    fresh = saved.new_target()
    saved.restore(fresh, include=["./etc/ssh/key"])
    assert (fresh / "etc").stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize("option", ["include", "exclude", "only_changed", "delete", "salvage"])
def test_a_part_of_a_backup_of_an_earlier_release_is_refused(tmp_path, option):
    action = {
        "storage": "local",
        "container": str(unpack(tmp_path)),
        "hostname": HOST,
        "backup_name": NAMES[0],
        "init": True,
    }
    target = tmp_path / "target"
    with pytest.raises(ArchiveError, match=r"was made by an earlier release, and can be restored as a whole only"):
        agent.restore({**action, "restore_abs_path": str(target), option: "*.conf" if "clude" in option else True})
    assert not target.exists()
    with pytest.raises(ArchiveError, match="was made by an earlier release, which stored no list"):
        agent.read_contents(action, "list")
    with pytest.raises(ArchiveError, match=r"that could be searched has \*\. Not searched: .* by an earlier release"):
        agent.read_contents({**action, "include": "*"}, "find")


def test_of_a_single_file_its_path_on_the_host_is_its_name(tmp_path):
    some = Set(tmp_path)
    write(some.source / "one", b"one")
    some.backup(path_to_backup=str(some.source / "one"))
    target = some.new_target()
    assert some.restore(target, include=[str(some.source / "one")])["selected"] == 1
    assert files(target) == ["one"]


def _restore_links_without_their_first_names(folder):
    some = Set(folder)
    for name in ("closed/first", "closed/second", "open/first"):
        write(some.source / name, name.encode())
    os.link(some.source / "closed" / "first", some.source / "closed" / "third")
    os.link(some.source / "open" / "first", some.source / "linked")
    for name, mode in (("closed", 0o500), ("open", 0o755)):
        (some.source / name).chmod(mode)
        os.utime(some.source / name, (1_000_000_000, 1_000_000_000))
    try:
        some.backup()
        target = some.new_target()
        some.restore(target, exclude=["first"])
        return {
            path.relative_to(target).as_posix(): (oct(path.stat().st_mode & 0o777), int(path.stat().st_mtime))
            for path in (target / "closed", target / "open")
        }, files(target)
    finally:
        open_for_removal(folder)


@pytest.mark.parametrize("user", ["root", "another"])
def test_a_file_that_only_gives_a_link_its_content_leaves_no_trace_in_its_folder(tmp_path, user):
    """It is extracted, because the link leads to it, and removed: also from a folder that its owner may not write to."""
    if user == "root":
        folders, left = _restore_links_without_their_first_names(tmp_path)
    else:
        with folder_without_root() as folder:
            folders, left = without_root(_restore_links_without_their_first_names, folder)
    assert left == ["closed/second", "closed/third", "linked"]
    assert folders == {"closed": ("0o500", 1_000_000_000), "open": ("0o755", 1_000_000_000)}
