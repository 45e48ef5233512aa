# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Everything that can stand in a folder, backed up and restored."""

from __future__ import annotations

import json
import os
import stat
import struct
import subprocess

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.compressions import COMPRESSIONS
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import ArchiveError
from ansible_collections.freezer.backup.tests.support.guards import folder_without_root, without_root
from ansible_collections.freezer.backup.tests.support.sets import Set, differences, tick
from ansible_collections.freezer.backup.tests.support.tar_chains import members_of
from ansible_collections.freezer.backup.tests.support.trees import (
    NASTY_NAMES,
    access_acl,
    extended_attribute,
    make_everything,
    make_socket,
    open_for_removal,
    write,
)
from ansible_collections.freezer.backup.tests.support.version_2 import Forgery


@pytest.fixture
def everything(tmp_path):
    some = Set(tmp_path, max_level=3)
    make_everything(some.source)
    yield some
    open_for_removal(tmp_path)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_everything_comes_back_as_it_was(everything, compression):
    result = everything.backup(compression=compression)
    assert (result["outcome"], result["unreadable"]) == ("success", [])
    target = everything.new_target()
    restored = everything.restore(target)
    assert (restored["outcome"], restored["not_restored"]) == ("success", [])
    assert differences(everything.source, target) == []


def test_everything_comes_back_for_a_user_who_is_not_root():
    def work(folder):
        some = Set(folder, max_level=3)
        make_everything(some.source)
        first = some.backup()
        second = some.backup()
        target = some.new_target()
        restored = some.restore(target)
        again = some.restore(target, overwrite=True)
        return first, second, restored, again, differences(some.source, target)

    with folder_without_root() as folder:
        first, second, restored, again, found = without_root(work, folder)
    assert [first["outcome"], second["outcome"], restored["outcome"]] == ["success"] * 3
    assert (second["level"], again["changed"]) == (1, False)
    assert found == []


def test_an_unchanged_tree_of_everything_gives_an_increment_without_files_that_restores(everything):
    tick()
    everything.backup()
    result = everything.backup()
    assert (result["level"], result["counts"]["files"], result["counts"]["symbolic_links"]) == (
        1,
        1,
        0,
    )  # the future one
    target = everything.new_target()
    everything.restore(target)
    assert differences(everything.source, target) == []


def test_a_second_restore_of_everything_over_the_first_changes_nothing(everything):
    everything.backup()
    target = everything.new_target()
    assert everything.restore(target)["changed"] is True
    again = everything.restore(target, overwrite=True)
    assert (again["changed"], again["created"], again["replaced"]) == (False, 0, 0)
    assert differences(everything.source, target) == []


def test_a_source_in_a_folder_with_a_name_that_is_no_utf8_is_backed_up(tmp_path):
    folder = tmp_path / os.fsdecode(b"-odd \xff\n'name")
    folder.mkdir()
    some = Set(folder, max_level=1)
    write(some.source / "file")
    results = [some.backup(), some.backup(), some.restore(), some.verify(), some.info()]
    assert differences(some.source, folder / "restored-1") == []
    for result in results:
        json.dumps(result).encode("ascii")


def test_the_archive_lists_nasty_names_as_they_are(everything):
    result = everything.backup()
    listed = members_of(Forgery(everything.container / result["metadata"]["folder"]).side("catalogue"))
    names = {entry.name for entry in listed}
    assert {b"files/" + name for name in NASTY_NAMES} <= names
    assert {b"folders/" + name for name in NASTY_NAMES} <= names
    targets = {entry.name: entry.link for entry in listed if entry.kind == b"l"}
    assert {name: targets[b"links/" + name] for name in NASTY_NAMES} == {name: name for name in NASTY_NAMES}
    sizes = {entry.name: entry.size_bytes for entry in listed}
    assert sizes[b"huge hole"] == (5 << 30) + 4
    assert len(listed) == sum(result["counts"].values())
    assert result["source_bytes"] == sum(entry.size_bytes for entry in listed if entry.kind == b"-")


def test_sockets_are_named_in_the_result_and_not_archived(one_set):
    write(one_set.source / "file")
    make_socket(one_set.source / "a socket")
    result = one_set.backup()
    assert result["outcome"] == "success"
    assert [(remark["path"], remark["kind"]) for remark in result["remarks"]] == [("./a socket", "socket")]
    target = one_set.new_target()
    one_set.restore(target)
    assert [path.name for path in target.iterdir()] == ["file"]


def test_holes_take_no_space_in_the_archive_and_none_after_the_restore(one_set):
    with open(one_set.source / "sparse", "wb") as sparse:
        sparse.truncate((6 << 30) + 7)
        sparse.seek(5 << 30)
        sparse.write(b"one block")
    result = one_set.backup(compression="none")
    assert result["source_bytes"] == (6 << 30) + 7
    assert result["stored_bytes"] < 1 << 20
    target = one_set.new_target()
    one_set.restore(target)
    restored = (target / "sparse").stat()
    assert (restored.st_size, restored.st_blocks * 512 < 1 << 20) == ((6 << 30) + 7, True)
    assert differences(one_set.source, target) == []


def test_extended_attributes_that_are_taken_away_are_gone_after_the_next_level(tmp_path):
    some = Set(tmp_path, max_level=3)
    write(some.source / "file")
    write(some.source / "folder" / "x")
    had = extended_attribute(some.source / "file") and extended_attribute(some.source / "folder")
    acl = access_acl(some.source / "folder", 12345) and access_acl(some.source / "folder", 12345, default=True)
    some.backup()
    if acl:
        os.removexattr(some.source / "folder", "system.posix_acl_access")
        os.removexattr(some.source / "folder", "system.posix_acl_default")
    if had:
        os.removexattr(some.source / "file", "user.freezer.test")
        os.removexattr(some.source / "folder", "user.freezer.test")
    else:  # a file system without them: what is left is that nothing breaks
        os.chmod(some.source / "file", 0o600)
    some.backup()
    target = some.new_target()
    some.restore(target)
    assert differences(some.source, target) == []


def test_read_only_files_with_attributes_come_back_for_a_user_who_is_not_root():
    """GNU tar alone leaves them empty."""

    def work(folder):
        some = Set(folder, max_level=3)
        for number, name in enumerate(["plain", "an odd \udcff\n'name", "-x", "sub/*"]):
            file = some.source / name
            write(file, name.encode("utf-8", "surrogateescape") * 1000)
            extended_attribute(file, "user.one", b"")
            extended_attribute(file, "user.two", b"\xff\0=\n" + b"5 x=y\n" * number)
            os.link(file, some.source / f"link {number}")
            write(some.source / f"a writable file {number}")
            extended_attribute(some.source / f"a writable file {number}")
            os.utime(file, ns=(0, 1_234_567_890_123_456_789))
            file.chmod(0o444)
        with open(some.source / "sparse", "wb") as sparse:
            sparse.truncate(10 << 20)
            sparse.seek(5 << 20)
            sparse.write(b"x")
        extended_attribute(some.source / "sparse")
        (some.source / "sparse").chmod(0o400)
        (some.source / "sub").chmod(0o555)
        found = []
        for _level in range(2):
            some.backup()
            target = some.new_target()
            restored = some.restore(target)
            found.append((restored["outcome"], restored["not_restored"], differences(some.source, target)))
            again = some.restore(target, overwrite=True)
            found.append((again["outcome"], again["changed"], differences(some.source, target)))
            (some.source / "plain").chmod(0o440)
        return found

    with folder_without_root() as folder:
        assert without_root(work, folder) == [("success", [], []), ("success", False, [])] * 2


def test_attributes_that_only_root_may_set_are_reported_as_not_restored():
    """Where root made the backup, another user restores it; else nobody can make such a file."""

    def restore(folder):
        some = Set(folder)
        restored = some.restore()
        return restored["outcome"], [entry["path"] for entry in restored["not_restored"]]

    with folder_without_root() as folder:
        some = Set(folder)
        write(some.source / "program", b"#!/bin/sh\n", 0o755)
        # cap_net_raw+ep, as linux/capability.h lays it out
        capability = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)
        had = extended_attribute(some.source / "program", "security.capability", capability)
        some.backup()
        for path in [some.container, *some.container.rglob("*")]:
            os.chmod(path, 0o755 if path.is_dir() else 0o644)
        expected = ("partial", ["./program"]) if had else ("success", [])
        assert without_root(restore, folder) == expected


def test_a_very_deep_tree_goes_through_backup_proof_and_restore(tmp_path):
    some, target = Set(tmp_path, max_level=1), tmp_path / "target"
    try:
        here = os.open(some.source, os.O_RDONLY)
        for _depth in range(1100):
            os.mkdir("d", dir_fd=here)
            below = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        os.close(os.open("bottom", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=here))
        os.close(here)
        assert some.backup()["outcome"] == "success"
        os.utime(some.source)
        assert some.backup()["level"] == 1
        assert some.verify(check="restore")["outcome"] == "success"
        some.restore(target)
        assert os.path.isfile(os.path.join(target, *["d"] * 1100, "bottom"))
        with pytest.raises(ArchiveError, match="folders deep.*restore into an empty folder. Nothing was changed"):
            some.restore(target, overwrite=True)
    finally:
        # Python itself, and so pytest, cannot remove what is that deep.
        subprocess.run(["rm", "-rf", some.source, target], check=True)


def test_devices_are_archived_and_reported_where_they_cannot_be_made_again(one_set):
    write(one_set.source / "file")
    try:
        os.mknod(one_set.source / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except PermissionError:
        # Only root can make one, but anybody can back up one that is there.
        result = one_set.backup(path_to_backup="/dev/null")
        assert result["counts"]["devices"] == 1
        restored = one_set.restore()
        assert (restored["outcome"], [entry["path"] for entry in restored["not_restored"]]) == ("partial", ["./null"])
    else:
        assert one_set.backup()["counts"]["devices"] == 1
        target = one_set.new_target()
        assert one_set.restore(target)["outcome"] == "success"
        assert differences(one_set.source, target) == []
