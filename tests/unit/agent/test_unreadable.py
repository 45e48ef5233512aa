# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What a user may not read is never a silent hole, at no level. All of this runs without root."""

from __future__ import annotations

import os

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.tests.support.guards import folder_without_root, without_root
from ansible_collections.freezer.backup.tests.support.sets import Set, differences, tick
from ansible_collections.freezer.backup.tests.support.trees import write

ODD = os.fsdecode(b"odd \xff\n'name\\x41")


@pytest.fixture
def folder():
    with folder_without_root() as folder:
        yield folder


def make(folder):
    some = Set(folder, max_level=9)
    write(some.source / "file")
    for name in ("closed", ODD):
        write(some.source / name / "sub" / "inside", b"inside")
        write(some.source / f"{name} file", b"secret")
    tick()
    return some


def close(some, *names):
    for name in names:
        os.chmod(some.source / name, 0)


def reopen(some, *names):
    for name in names:
        os.chmod(some.source / name, 0o755)


def paths(result):
    return sorted(entry["path"] for entry in result["unreadable"])


def test_closed_folders_and_files_are_listed_and_the_backup_is_partial(folder):
    def work():
        some = make(folder)
        close(some, "closed", "closed file", ODD, f"{ODD} file")
        result = some.backup()
        target = some.new_target()
        restored = some.restore(target)
        return result, restored, sorted(os.listdir(target))

    result, restored, names = without_root(work)
    odd = "./odd \\xff\n'name\\x5cx41"
    assert result["outcome"] == "partial"
    assert paths(result) == sorted(["./closed", "./closed file", odd, f"{odd} file"])
    assert all(entry["message"] == "Cannot open: Permission denied" for entry in result["unreadable"])
    assert (result["unreadable_count"], result["metadata"]["outcome"]) == (4, "partial")
    assert restored["unreadable_count"] == 4
    assert "file" in names


def test_a_hole_is_named_again_at_every_level_though_nothing_changed(folder):
    def work():
        some = make(folder)
        close(some, "closed", "closed file", ODD, f"{ODD} file")
        tick()
        return [some.backup() for _level in range(4)]

    results = without_root(work)
    assert [result["level"] for result in results] == [0, 1, 2, 3]
    assert [result["outcome"] for result in results] == ["partial"] * 4
    assert len({tuple(paths(result)) for result in results}) == 1
    assert results[3]["unreadable_count"] == 4


def test_what_has_become_readable_without_being_changed_is_in_the_next_level(folder):
    def work():
        some = make(folder)
        # The way to the files is closed, not they themselves, so that no time of them changes when it is opened.
        close(some, "closed", ODD)
        some.backup()
        reopen(some, "closed", ODD)
        some.backup()
        close(some, "closed file", f"{ODD} file")
        outcomes = [some.backup()["outcome"]]
        reopen(some, "closed file", f"{ODD} file")
        last = some.backup()
        target = some.new_target()
        some.restore(target)
        return outcomes, last, differences(some.source, target)

    outcomes, last, found = without_root(work)
    assert (outcomes, last["outcome"], last["level"]) == (["partial"], "success", 3)
    assert found == []


def test_a_file_that_another_user_may_read_later_is_read_then_although_its_times_are_old(folder, tmp_path):
    """Root backs up what the user before could not; nothing in the tree has changed in between."""

    def first():
        some = make(folder)
        close(some, "closed", "closed file", ODD, f"{ODD} file")
        tick()
        return some.backup(signing_key="none")["outcome"]

    assert without_root(first) == "partial"

    def second():
        some = Set(folder, max_level=9)
        # With a key root would not continue what another one has written.
        return some.backup(signing_key="none")

    if os.geteuid() == 0:
        some = Set(folder, max_level=9)
        result = second()
        assert (result["level"], result["outcome"]) == (1, "success")
        # Not beside the source: into a folder of another user root restores nothing.
        some.restore(tmp_path / "restored")
        assert differences(some.source, tmp_path / "restored") == []
    else:
        assert without_root(second)["outcome"] == "partial"


def test_a_folder_that_is_closed_later_keeps_in_the_restore_what_was_last_read(folder):
    def work():
        some = make(folder)
        some.backup()
        close(some, "closed")
        second = some.backup()
        target = some.new_target()
        some.restore(target)
        kept = (target / "closed" / "sub" / "inside").read_bytes()
        reopen(some, "closed")
        write(some.source / "closed" / "sub" / "new", b"new")
        third = some.backup()
        healed = some.new_target()
        some.restore(healed)
        return second, kept, third, differences(some.source, healed)

    second, kept, third, found = without_root(work)
    assert (second["outcome"], paths(second), kept) == ("partial", ["./closed"], b"inside")
    assert (third["outcome"], found) == ("success", [])


def test_a_closed_folder_that_is_gone_is_no_hole_any_more(folder):
    def work():
        some = make(folder)
        close(some, "closed", "closed file")
        first = some.backup()
        reopen(some, "closed")
        os.rename(some.source / "closed", folder / "elsewhere")
        (some.source / "closed file").unlink()
        second = some.backup()
        target = some.new_target()
        some.restore(target)
        return first, second, differences(some.source, target)

    first, second, found = without_root(work)
    assert (first["outcome"], second["outcome"], found) == ("partial", "success", [])


def test_a_folder_whose_files_may_be_listed_but_not_looked_at_is_named(folder):
    def work():
        some = make(folder)
        os.chmod(some.source / "closed", 0o444)
        return some.backup()

    result = without_root(work)
    assert result["outcome"] == "partial"
    assert paths(result) == ["./closed/sub"]


def test_a_file_with_the_name_of_a_message_is_named_like_any_other(folder):
    def work():
        some = make(folder)
        for name in ("Directory is new", "socket ignored", "x: Directory has been renamed from y"):
            write(some.source / name)
            close(some, name)
        return some.backup()

    result = without_root(work)
    assert paths(result) == ["./Directory is new", "./socket ignored", "./x: Directory has been renamed from y"]


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_source_that_cannot_be_read_at_all_is_refused_and_nothing_is_written(folder, kind):
    def work():
        some = make(folder)
        source = some.source / ("closed" if kind == "folder" else "closed file")
        os.chmod(source, 0)
        some.backup(path_to_backup=str(source))

    with pytest.raises(FreezerError, match="cannot be read by the user with id"):
        without_root(work)
    assert not (folder / "container").exists()


def test_read_only_folders_go_through_three_levels(folder):
    def work():
        some = Set(folder, max_level=9)
        for name in ("a", "a/b", "a/b/c"):
            write(some.source / name / "file", name.encode(), 0o444)
            write(some.source / name / "goes", b"")
        for name in ("a/b/c", "a/b", "a"):
            os.chmod(some.source / name, 0o555)
        os.chmod(some.source, 0o555)
        found = []
        for level in range(3):
            assert some.backup()["level"] == level
            target = some.new_target()
            restored = some.restore(target)
            found.append((restored["outcome"], differences(some.source, target)))
            again = some.restore(target, overwrite=True)
            found.append((again["changed"], differences(some.source, target)))
            for name in ("a", "a/b", "a/b/c"):
                os.chmod(some.source / name, 0o755)
            (some.source / "a" / "b" / "goes").unlink(missing_ok=True)
            write(some.source / "a" / "b" / "c" / f"new {level}", b"")
            os.chmod(some.source / "a" / "b" / "c", 0o500)
            os.chmod(some.source / "a", 0o511)
        newest = some.new_target()
        some.backup()
        some.restore(newest)
        some.restore(some.folder / "restored-1", overwrite=True)
        return found, differences(some.source, newest)

    found, newest = without_root(work)
    assert found == [("success", []), (False, [])] * 3
    assert newest == []
