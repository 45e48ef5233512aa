# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What is in backups, told without a restore: list, find, history and diff."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.contents import read_contents
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import OptionError
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import ArchiveError
from ansible_collections.freezer.backup.tests.support.sets import Set, tick
from ansible_collections.freezer.backup.tests.support.trees import write


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """A set with three levels, and the results of the backups."""
    some = Set(tmp_path_factory.mktemp("three"), max_level=5, exclude=["*.tmp"])
    write(some.source / "etc" / "hosts", b"one")
    write(some.source / "etc" / "ssh" / "key", b"key")
    write(some.source / "goes" / "file", b"goes")
    write(some.source / "left out.tmp", b"never")
    os.symlink("hosts", some.source / "etc" / "link")
    os.utime(some.source / "etc" / "ssh" / "key", (0, 1_700_000_000))
    (some.source / "etc" / "ssh" / "key").chmod(0o600)
    tick()
    made = [some.backup()]
    write(some.source / "etc" / "hosts", b"two and more")
    shutil.rmtree(some.source / "goes")
    tick()
    made.append(some.backup())
    write(some.source / "new.conf", b"new")
    made.append(some.backup())
    some.options = {key: value for key, value in some.options.items() if key not in ("path_to_backup", "exclude")}
    return some, made


def read(some, what, **options):
    """Every entry that is shown, and the result."""
    shown: list[dict[str, object]] = []
    result = read_contents({**some.options, **options}, what, shown.append)
    assert result["entries_count"] == len(shown)
    assert result["entries"] == shown[:200]
    assert result["changed"] is False
    return shown, result


def paths(entries):
    return [one["path"] for one in entries]


def test_a_list_has_what_a_restore_would_bring_back_with_its_attributes(three):
    some, made = three
    shown, result = read(some, "list")
    assert paths(shown) == [".", "etc", "etc/hosts", "etc/link", "etc/ssh", "etc/ssh/key", "new.conf"]
    assert (result["backup_id"], result["outcome"]) == (made[2]["backup_id"], "success")
    key = shown[5]
    assert (key["kind"], key["mode"], key["size"], key["mtime"]) == ("file", "0600", 3, 1_700_000_000.0)
    assert (key["uid"], key["stored_in_level"]) == (os.getuid(), 0)
    assert (shown[3]["kind"], shown[3]["link"]) == ("symbolic link", "hosts")
    assert [one["stored_in_level"] for one in shown if one["kind"] == "file"] == [1, 0, 2]


def test_a_list_of_an_older_backup_is_of_its_time(three):
    some, made = three
    assert "goes/file" in paths(read(some, "list", backup_id=made[0]["backup_id"])[0])
    date = datetime.fromtimestamp(made[1]["timestamp"], UTC).isoformat()
    assert "new.conf" not in paths(read(some, "list", restore_from_date=date)[0])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"path": "etc/ssh"}, ["etc/ssh", "etc/ssh/key"]),
        ({"path": "./etc/ssh/"}, ["etc/ssh", "etc/ssh/key"]),
        ({"path": "new.conf"}, ["new.conf"]),
        ({"path": "etc", "exclude": ["ssh"]}, ["etc", "etc/hosts", "etc/link"]),
        ({"include": ["*.conf", "key"]}, ["etc/ssh/key", "new.conf"]),
    ],
)
def test_a_list_of_a_part_has_that_part_only(three, options, expected):
    assert paths(read(three[0], "list", **options)[0]) == expected


def test_a_path_of_the_host_is_found_inside_the_backup(three):
    some, _made = three
    assert paths(read(some, "list", path=f"{some.source}/etc/ssh")[0]) == ["etc/ssh", "etc/ssh/key"]
    assert len(paths(read(some, "list", path=str(some.source))[0])) == 7
    for outside in ("/etc/passwd", f"{some.source}-other", f"{some.source}/../x", "../x"):
        with pytest.raises(ArchiveError, match="is not below .*/source, which .* is a backup of"):
            read(some, "list", path=outside)


def test_what_is_not_there_is_an_error_that_names_it(three):
    some, _made = three
    for what, options, said in (
        ("list", {"path": "etc/typo"}, "has nothing at etc/typo"),
        ("list", {"include": ["*.typo"]}, r"has nothing at \*\.typo"),
        ("find", {"include": ["*.typo"]}, r"No backup of tree of host host that could be searched has \*\.typo"),
        ("history", {"path": "etc/typo"}, "No backup of tree of host host that could be searched has etc/typo"),
    ):
        with pytest.raises(ArchiveError, match=said):
            read(some, what, **options)
    with pytest.raises(OptionError, match="include is missing"):
        read(some, "find")
    with pytest.raises(OptionError, match="path is missing"):
        read(some, "history")


def test_find_looks_into_all_backups_of_a_name_or_of_all_names(three, tmp_path):
    some, made = three
    shown, result = read(some, "find", include=["*.conf", "./goes"])
    assert [(one["backup_id"], one["path"]) for one in shown] == [
        (made[0]["backup_id"], "goes"),
        (made[0]["backup_id"], "goes/file"),
        (made[2]["backup_id"], "new.conf"),
    ]
    assert result["backups_count"] == 3
    other = Set(tmp_path, container=str(some.container), backup_name="other")
    write(other.source / "other.conf", b"other")
    other.backup()
    every = {key: value for key, value in some.options.items() if key not in ("backup_name", "hostname")}
    found: list[dict[str, object]] = []
    result = read_contents({**every, "include": "*.conf"}, "find", found.append)
    assert [(one["backup_name"], one["path"]) for one in found] == [("other", "other.conf"), ("tree", "new.conf")]
    shutil.rmtree(some.container / "host_other")


def test_the_history_of_a_path_has_each_backup_and_where_it_changed(three):
    some, made = three
    shown, _result = read(some, "history", path=f"{some.source}/etc/hosts")
    assert [(one["backup_id"], one["present"], one["is_changed"], one["size"]) for one in shown] == [
        (made[0]["backup_id"], True, True, 3),
        (made[1]["backup_id"], True, True, 12),
        (made[2]["backup_id"], True, False, 12),
    ]
    gone = read(some, "history", path="goes/file")[0]
    assert [(one["present"], one["is_changed"]) for one in gone] == [(True, True), (False, True), (False, False)]


def test_diff_compares_with_the_backup_before_or_with_one_that_is_named(three):
    some, made = three
    shown, result = read(some, "diff")
    assert [(one["change"], one["path"]) for one in shown] == [("added", "new.conf")]
    assert (result["since_backup_id"], result["backup_id"]) == (made[1]["backup_id"], made[2]["backup_id"])
    shown, result = read(some, "diff", since_backup_id=made[0]["backup_id"][:8])
    assert [(one["change"], one["path"]) for one in shown] == [
        ("changed", "etc/hosts"),
        ("removed", "goes"),
        ("removed", "goes/file"),
        ("added", "new.conf"),
    ]
    assert shown[0]["fields"][0] == "size"
    assert (shown[0]["size_before"], shown[0]["size"]) == (3, 12)
    assert result["counts"] == {"added": 1, "removed": 2, "changed": 1}
    assert paths(read(some, "diff", since_backup_id=made[0]["backup_id"], path="etc")[0]) == ["etc/hosts"]
    with pytest.raises(ArchiveError, match="There is no backup before"):
        read(some, "diff", backup_id=made[0]["backup_id"])


def test_diff_with_a_folder_reads_the_folder_as_a_backup_would(three, tmp_path):
    some, made = three
    assert read(some, "diff", compare_to=str(some.source))[0] == []  # what exclude left out is no difference
    copy = tmp_path / "copy"
    shutil.copytree(some.source, copy, symlinks=True)
    (copy / "etc" / "ssh" / "key").unlink()
    write(copy / "own", b"own")
    shown, result = read(some, "diff", compare_to=str(copy))
    assert [(one["change"], one["path"]) for one in shown] == [("removed", "etc/ssh/key"), ("added", "own")]
    assert result["compare_to"] == str(copy)
    with pytest.raises(OptionError, match="compare_to .* cannot be read"):
        read(some, "diff", compare_to=str(tmp_path / "none"))
    with pytest.raises(OptionError, match="compare_to cannot be combined with since_backup_id"):
        read(some, "diff", compare_to=str(copy), since_backup_id=made[0]["backup_id"])


def test_a_server_has_no_list_of_files(three):
    with pytest.raises(OptionError, match="list looks into backups of files, and not of a server"):
        read_contents({"nova_inst_id": "x", "storage": "swift", "container": "c"}, "list")


def test_a_damaged_set_does_not_hide_the_others_of_a_search(three, tmp_path):
    some, _made = three
    other = Set(tmp_path, container=str(some.container), backup_name="broken")
    write(other.source / "broken.conf", b"other")
    folder = some.folder_of(other.backup())
    catalogue = next(folder.glob("catalogue*"))
    catalogue.write_bytes(b"x" * catalogue.stat().st_size)
    found: list[dict[str, object]] = []
    every = {key: value for key, value in some.options.items() if key not in ("backup_name", "hostname")}
    result = read_contents({**every, "include": "*.conf"}, "find", found.append)
    assert [one["path"] for one in found] == ["new.conf"]
    assert result["outcome"] == "partial"
    assert "Not all of broken of host" in result["not_read"][0]
    shutil.rmtree(some.container / "host_broken")
