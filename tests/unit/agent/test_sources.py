# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What may be backed up, and what is refused before anything is written."""

from __future__ import annotations

import os
import time

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.tests.support.sets import Set, differences, tick
from ansible_collections.freezer.backup.tests.support.trees import make_socket, write


@pytest.mark.parametrize("missing", ["nowhere", "nowhere/deep", "file/below a file", "dangling"])
def test_a_path_that_does_not_exist_is_a_clear_error_and_nothing_is_written(one_set, missing):
    write(one_set.source / "file")
    os.symlink("nowhere", one_set.source / "dangling")
    path = one_set.source / missing
    with pytest.raises(FreezerError) as refused:
        one_set.backup(path_to_backup=str(path))
    assert str(path) in str(refused.value)
    assert "No such file" in str(refused.value) or "Not a directory" in str(refused.value)
    assert not one_set.container.exists()


def test_a_socket_as_source_is_refused(one_set):
    make_socket(one_set.source / "socket")
    with pytest.raises(FreezerError, match="is a socket"):
        one_set.backup(path_to_backup=str(one_set.source / "socket"))
    assert not one_set.container.exists()


@pytest.mark.parametrize(
    "name", ["plain", "with space", "-leading-dash", "--exclude=x", "*", "[a]", "line\nbreak", "'quote\"", "odd \udcff"]
)
def test_a_single_file_is_restored_by_its_name_through_levels(tmp_path, name):
    some = Set(tmp_path, max_level=3)
    file = some.source / name
    write(some.source / "bystander", b"not wanted")
    write(file, b"first", 0o640)
    some.options["path_to_backup"] = str(file)
    tick()
    contents = []
    for level, content in enumerate([b"first", b"second version", b"second version", b"3"]):
        if file.read_bytes() != content:
            write(file, content, 0o600 + level)
        assert some.backup()["level"] == level
        contents.append((content, file.stat().st_mtime_ns, file.stat().st_mode))
    for listed, (content, mtime, mode) in zip(reversed(some.info()["backups"]), contents, strict=True):
        target = some.new_target()
        some.restore(target, backup_id=listed["backup_id"])
        assert [os.fsencode(path.name) for path in target.iterdir()] == [os.fsencode(name)]
        restored = target / name
        assert (restored.read_bytes(), restored.stat().st_mtime_ns, restored.stat().st_mode) == (content, mtime, mode)
    assert some.verify()["outcome"] == "success"


def test_a_single_file_goes_into_a_folder_without_touching_the_folder(one_set):
    write(one_set.source / "file", b"content")
    one_set.options["path_to_backup"] = str(one_set.source / "file")
    one_set.backup()
    target = one_set.new_target()
    write(target / "other", b"other")
    os.chmod(target, 0o755)
    one_set.restore(target, overwrite=True)
    again = one_set.restore(target, overwrite=True)
    assert sorted(path.name for path in target.iterdir()) == ["file", "other"]
    assert (target.stat().st_mode & 0o777, again["changed"]) == (0o755, False)


def test_a_link_to_a_file_as_source_is_followed_wherever_it_leads(tmp_path):
    some = Set(tmp_path, max_level=5)
    write(some.source / "version 1", b"one")
    write(some.source / "version 2", b"two, and older than the first backup")
    link = some.source / "current"
    some.options["path_to_backup"] = str(link)
    tick()
    for level, version in enumerate(["version 1", "version 1", "version 2", "version 1"]):
        link.unlink(missing_ok=True)
        os.symlink(version, link)
        result = some.backup()
        target = some.new_target()
        some.restore(target)
        assert (target / "current").read_bytes() == (some.source / version).read_bytes(), level
        assert not (target / "current").is_symlink()
    assert "leads to another path" in result["reason"]


def test_a_link_to_a_folder_as_source_is_followed_wherever_it_leads(tmp_path):
    some = Set(tmp_path, max_level=5)
    for release in ("r1", "r2"):
        write(some.source / release / "only in" / release, release.encode())
        write(some.source / release / "same name", release.encode())
    link = some.source / "current"
    some.options["path_to_backup"] = str(link)
    tick()
    for release in ("r1", "r2", "r2", "r1"):
        link.unlink(missing_ok=True)
        os.symlink(release, link)
        some.backup()
        target = some.new_target()
        some.restore(target)
        assert differences(some.source / release, target) == []


@pytest.mark.parametrize("dereference", ["soft", "all"])
def test_dereferenced_links_give_what_they_lead_to_at_every_level(tmp_path, dereference):
    some = Set(tmp_path, max_level=5, dereference_symlink=dereference)
    write(some.source / "folder" / "sub" / "file", b"in the folder")
    os.symlink("folder", some.source / "z link to the folder")
    os.symlink("folder", some.source / "a link to the folder")
    write(some.source / "v1", b"1")
    write(some.source / "v2", b"two")
    os.symlink("v1", some.source / "current")
    tick()
    some.backup()
    (some.source / "current").unlink()
    os.symlink("v2", some.source / "current")
    result = some.backup()
    assert result["level"] == 0
    target = some.new_target()
    some.restore(target)
    assert (target / "current").read_bytes() == b"two"
    for name in ("folder", "a link to the folder", "z link to the folder"):
        assert (target / name / "sub" / "file").read_bytes() == b"in the folder"
        assert not (target / name).is_symlink()
    assert some.verify(check="stream")["outcome"] == "success"


def test_the_container_inside_the_source_is_not_backed_up_into_itself(tmp_path):
    some = Set(tmp_path, max_level=3)
    some.container = some.source / "a [b]*?" / "-container"
    some.options["container"] = str(some.container)
    write(some.source / "file")
    write(some.source / "a [b]*?" / "beside", b"kept")
    write(some.source / "a b" / "-container" / "not ours", b"kept")
    for level in range(3):
        result = some.backup()
        assert (result["level"], result["outcome"], result["unreadable"]) == (level, "success", [])
        target = some.new_target()
        some.restore(target)
        found = sorted(path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file())
        assert found == ["a [b]*?/beside", "a b/-container/not ours", "file"]
        assert result["source_bytes"] < 100


def test_folders_are_backed_up_also_when_something_of_ours_is_left_out_below_them(tmp_path):
    """The container, or the temporary folder: without their folders increments would bring deleted files back."""
    some = Set(tmp_path, max_level=3)
    some.container = some.source / "inside" / "container"
    some.options["container"] = str(some.container)
    (some.source / "empty").mkdir(mode=0o700)
    write(some.source / "goes")
    result = some.backup(init=True, exclude=["*.tmp"])
    assert result["counts"]["directories"] == 3
    (some.source / "goes").unlink()
    write(some.source / "left out.tmp")
    assert some.backup(exclude=["*.tmp"])["level"] == 1
    target = some.new_target()
    some.restore(target)
    assert sorted(path.name for path in target.rglob("*")) == ["empty", "inside"]
    assert (target / "empty").stat().st_mode & 0o777 == 0o700


def test_a_container_inside_the_source_is_known_behind_links(tmp_path):
    some = Set(tmp_path)
    write(some.source / "inside" / "keep")
    os.symlink(some.source, tmp_path / "link to source")
    os.symlink(some.source / "inside", tmp_path / "link to inside")
    some.options["container"] = str(tmp_path / "link to inside" / "container")
    some.backup(path_to_backup=str(tmp_path / "link to source"))
    result = some.backup(path_to_backup=str(tmp_path / "link to source"))
    assert result["counts"]["files"] == 1


@pytest.mark.parametrize("way", ["", ".", "../source", "link"])
def test_the_source_as_container_is_refused(one_set, way):
    write(one_set.source / "file")
    os.symlink(one_set.source, one_set.folder / "link")
    container = one_set.folder / "link" if way == "link" else one_set.source / way
    with pytest.raises(FreezerError, match="is the folder to back up itself"):
        one_set.backup(container=str(container))
    assert [path.name for path in one_set.source.iterdir()] == ["file"]


def test_the_temporary_folder_inside_the_source_is_left_out(one_set, monkeypatch):
    write(one_set.source / "tmp" / "theirs")
    monkeypatch.setattr("tempfile.tempdir", str(one_set.source / "tmp"))
    result = one_set.backup()
    assert (result["counts"]["files"], result["remarks"], result["unreadable"]) == (1, [], [])
    assert [path.name for path in (one_set.source / "tmp").iterdir()] == ["theirs"]


def test_excluded_names_are_left_out_and_come_in_when_they_are_not_excluded_any_more(tmp_path):
    some = Set(tmp_path, max_level=5)
    for name in ("a.log", "keep", "cache/b", "deep/cache/c", "deep/d.log", "-x"):
        write(some.source / name)
    tick()
    some.backup(exclude=["*.log", "cache", "-x"])
    target = some.new_target()
    some.restore(target)
    assert sorted(path.relative_to(target).as_posix() for path in target.rglob("*")) == ["deep", "keep"]
    some.backup()
    target = some.new_target()
    some.restore(target)
    assert differences(some.source, target) == []
    some.backup(exclude="*.log")
    target = some.new_target()
    some.restore(target)
    assert not list(target.rglob("*.log"))
    assert (target / "deep" / "cache" / "c").exists()


def test_another_path_under_the_same_name_begins_with_a_full_backup(one_set):
    write(one_set.source / "a" / "file", b"a")
    write(one_set.source / "b" / "file", b"b")
    one_set.options["max_level"] = 5
    one_set.backup(path_to_backup=str(one_set.source / "a"))
    result = one_set.backup(path_to_backup=str(one_set.source / "b"))
    assert (result["level"], result["reason"]) == (0, "the earlier backups are of another path")


def test_options_of_the_shell_for_tar_and_its_language_do_not_matter(one_set, monkeypatch):
    write(one_set.source / "file")
    monkeypatch.setenv("TAR_OPTIONS", "--exclude=file --totals")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("POSIXLY_CORRECT", "1")
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    assert one_set.backup()["counts"]["files"] == 1
    target = one_set.new_target()
    one_set.restore(target)
    assert differences(one_set.source, target) == []


def test_an_empty_folder_is_a_backup_too(one_set):
    os.chmod(one_set.source, 0o711)
    result = one_set.backup()
    assert (result["outcome"], result["counts"]["directories"], result["source_bytes"]) == ("success", 1, 0)
    target = one_set.new_target()
    one_set.restore(target)
    assert differences(one_set.source, target) == []


def test_the_path_is_checked_once_before_anything_is_done_and_not_again_on_the_way_to_tar(one_set, monkeypatch):
    write(one_set.source / "file")
    looks = []

    def watched(name):
        look = getattr(os, name)

        def looked(path, *arguments, **options):
            if path == str(one_set.source):
                looks.append(name)
            return look(path, *arguments, **options)

        return looked

    for name in ("stat", "access"):
        monkeypatch.setattr(os, name, watched(name))
    assert one_set.backup()["outcome"] == "success"
    assert looks == ["stat", "access"]


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(one_set):
    write(one_set.source / "file")
    planned = one_set.backup(dry_run=True, max_level=3)
    assert (planned["changed"], planned["outcome"], planned["level"]) == (True, "planned", 0)
    assert not one_set.container.exists()
    one_set.backup(max_level=3)
    planned = one_set.backup(dry_run=True, max_level=3)
    assert (planned["level"], len(one_set.backup_folders())) == (1, 1)


def test_min_age_keeps_from_making_backups_too_often_but_not_because_of_a_wrong_clock(one_set, monkeypatch):
    write(one_set.source / "file")
    one_set.backup(min_age=3600)
    assert one_set.backup(min_age=3600)["outcome"] == "unchanged"
    assert one_set.backup(min_age=0)["changed"] is True
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 86400)
    assert one_set.backup(min_age=3600)["changed"] is True


def test_a_backup_from_which_all_is_excluded_fails_and_stores_nothing(one_set):
    write(one_set.source / "file")
    with pytest.raises(FreezerError, match="Nothing of .*/source was stored.*exclude leaves out all of it"):
        one_set.backup(exclude=["*"])
    assert one_set.backup_folders() == []
    with pytest.raises(FreezerError, match="exclude leaves out all of it"):
        one_set.backup(path_to_backup=str(one_set.source / "file"), exclude=["file"])
    assert one_set.backup_folders() == []


@pytest.mark.parametrize("level", [0, 1])
def test_a_backup_of_nothing_but_the_folder_is_partial_and_says_why(one_set, level):
    write(one_set.source / "cache" / "file")
    options = {"exclude": ["./*"], "max_level": 1}
    for _below in range(level):
        one_set.backup(**options)
    result = one_set.backup(**options)
    assert (result["level"], result["outcome"], result["protected_files"]) == (level, "partial", 0)
    assert "only the folder itself is in it: all of its contents are left out with exclude" in result["reason"]
    assert result["metadata"]["outcome"] == "partial"


def test_an_empty_folder_and_one_that_holds_only_our_container_are_whole_backups(one_set):
    assert one_set.backup(exclude=["*.tmp"])["outcome"] == "success"
    inside = str(one_set.source / "container")
    assert one_set.backup(container=inside, exclude=["*.tmp"])["outcome"] == "success"
