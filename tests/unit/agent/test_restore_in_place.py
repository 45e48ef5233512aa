# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A restore over files that are there: only what differs, without what the backup does not have, and with a way back."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive import extraction
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import OptionError
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import ArchiveError
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.container import MARKER_NAME
from ansible_collections.freezer.backup.tests.support.guards import NOBODY
from ansible_collections.freezer.backup.tests.support.sets import Set, differences, tick
from ansible_collections.freezer.backup.tests.support.soak import rounds
from ansible_collections.freezer.backup.tests.support.trees import RandomTree, write


@pytest.fixture
def saved(tmp_path):
    """A set with two levels."""
    some = Set(tmp_path, max_level=5, exclude=["*.tmp"])
    for name in ("etc/hosts", "etc/ssh/config", "etc/ssh/key", "home/a", "home/b"):
        write(some.source / name, name.encode())
    os.link(some.source / "home" / "a", some.source / "home" / "linked")
    os.symlink("hosts", some.source / "etc" / "link")
    tick()
    some.backup()
    write(some.source / "etc" / "ssh" / "config", b"newer")
    some.backup()
    return some


@pytest.fixture
def extracted(monkeypatch):
    """The names that restores extract."""
    names: list[bytes] = []
    original = extraction.Extraction._add

    def add(self, planned, why):
        names.append(planned.member.name)
        original(self, planned, why)

    monkeypatch.setattr(extraction.Extraction, "_add", add)
    return names


def paths(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def both(saved, target, **options):
    """What a dry run says that a restore would do, and what the restore says; the target is as the dry run found it."""
    before = [(path, (target / path).lstat().st_mtime_ns) for path in paths(target)]
    planned = saved.restore(target, dry_run=True, overwrite=True, **options)
    assert [(path, (target / path).lstat().st_mtime_ns) for path in paths(target)] == before
    done = saved.restore(target, overwrite=True, **options)
    for key in (
        "changed",
        "created",
        "replaced",
        "equal",
        "removed",
        "created_paths",
        "replaced_paths",
        "removed_paths",
    ):
        assert planned[key] == done[key], key
    return done


def test_only_what_differs_is_extracted_and_the_rest_is_not_touched(saved, extracted):
    target = saved.new_target()
    saved.restore(target)
    inodes = {path: (target / path).lstat().st_ino for path in paths(target)}
    write(target / "etc" / "ssh" / "config", b"changed")
    (target / "home" / "b").unlink()
    extracted.clear()
    done = both(saved, target, only_changed=True)
    assert differences(saved.source, target) == []
    assert set(extracted) == {b"", b"etc", b"etc/ssh", b"etc/ssh/config", b"home", b"home/a", b"home/linked", b"home/b"}
    assert done["created_paths"] == ["home/b"]
    assert set(done["replaced_paths"]) == {"etc/ssh/config", "home"}
    assert {path for path in inodes if (target / path).lstat().st_ino != inodes[path]} == {"etc/ssh/config", "home/b"}
    extracted.clear()
    again = saved.restore(target, overwrite=True, only_changed=True)
    assert (again["changed"], again["created"], again["replaced"]) == (False, 0, 0)
    assert b"etc/hosts" not in extracted


def test_a_content_that_differs_with_the_same_size_and_time_is_taken_as_the_same(saved):
    target = saved.new_target()
    saved.restore(target)
    file = target / "etc" / "hosts"
    before = file.stat()
    file.write_bytes(b"ETC/HOSTS")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert saved.restore(target, overwrite=True, only_changed=True)["changed"] is False
    assert saved.restore(target, overwrite=True)["replaced_paths"] == ["etc/hosts"]


@pytest.mark.parametrize("change", ["mode", "time", "kind", "target", "hard link", "folder's mode"])
def test_a_restore_of_what_differs_mends_whatever_was_changed(saved, change):
    target = saved.new_target()
    saved.restore(target)
    if change == "mode":
        (target / "etc" / "hosts").chmod(0o600)
    elif change == "time":
        os.utime(target / "etc" / "hosts", (1, 1))
    elif change == "kind":
        (target / "etc" / "hosts").unlink()
        os.symlink("/etc/passwd", target / "etc" / "hosts")
    elif change == "target":
        (target / "etc" / "link").unlink()
        os.symlink("other", target / "etc" / "link")
    elif change == "hard link":
        (target / "home" / "linked").unlink()
        shutil.copy2(target / "home" / "a", target / "home" / "linked")
    else:
        (target / "etc" / "ssh").chmod(0o711)
    assert saved.restore(target, overwrite=True, only_changed=True)["changed"] is True
    assert differences(saved.source, target) == []


def test_delete_removes_what_the_backup_does_not_have_and_nothing_that_it_left_out(saved):
    target = saved.new_target()
    saved.restore(target)
    write(target / "own" / "deep" / "file", b"own")
    write(target / "own" / "kept.tmp", b"excluded by the backup")
    write(target / "etc" / "own", b"own")
    os.symlink("/etc", target / "etc" / "own link")
    done = both_but_folders_that_stay(saved, target, delete=True)
    assert paths(target) == sorted([*paths(saved.source), "own", "own/kept.tmp"])
    assert done["removed_paths"] == ["etc/own", "etc/own link", "own/deep/file", "own/deep"]
    shutil.rmtree(target / "own")
    saved.restore(target, overwrite=True)
    assert differences(saved.source, target) == []


def both_but_folders_that_stay(saved, target, **options):
    planned = saved.restore(target, dry_run=True, overwrite=True, **options)
    done = saved.restore(target, overwrite=True, **options)
    assert set(done["removed_paths"]) <= set(planned["removed_paths"])
    return done


def test_delete_goes_no_further_than_the_part_that_is_restored(saved):
    target = saved.new_target()
    saved.restore(target)
    for name in ("etc/ssh/own", "etc/own", "own", "etc/ssh/own.log"):
        write(target / name, b"own")
    done = both(saved, target, delete=True, only_changed=True, include=["./etc/ssh"], exclude=["*.log"])
    assert done["removed_paths"] == ["etc/ssh/own"]
    assert {"etc/own", "own", "etc/ssh/own.log"} <= set(paths(target))


def test_what_is_replaced_and_removed_is_kept_in_the_undo_folder(saved, tmp_path):
    target, undo = saved.new_target(), tmp_path / "undo"
    saved.restore(target)
    write(target / "etc" / "hosts", b"edited")
    (target / "etc" / "hosts").chmod(0o604)
    write(target / "own" / "file", b"own")
    (target / "own" / "empty").mkdir()
    result = saved.restore(target, overwrite=True, delete=True, only_changed=True, undo_folder=str(undo))
    assert differences(saved.source, target) == []
    assert result["undo_folder"] == str(undo)
    assert paths(undo) == ["etc", "etc/hosts", "own", "own/empty", "own/file"]
    assert (undo / "etc" / "hosts").read_bytes() == b"edited"
    assert (undo / "etc" / "hosts").stat().st_mode & 0o777 == 0o604
    assert undo.stat().st_mode & 0o777 == 0o700
    with pytest.raises(OptionError, match="undo_folder .* exists"):
        saved.restore(target, overwrite=True, undo_folder=str(undo))
    result = saved.restore(target, overwrite=True, undo_folder=str(tmp_path / "unused"))
    assert "undo_folder" not in result
    assert not (tmp_path / "unused").exists()


def test_an_undo_folder_inside_the_target_is_refused_as_a_later_restore_would_remove_it(saved):
    target = saved.new_target()
    saved.restore(target)
    write(target / "own", b"own")
    for dry_run in (True, False):
        with pytest.raises(OptionError, match="^undo_folder lies in restore_abs_path"):
            saved.restore(target, overwrite=True, delete=True, undo_folder=str(target / "undo"), dry_run=dry_run)
    assert (target / "own").read_bytes() == b"own"


def test_a_container_in_the_target_is_never_removed(saved, tmp_path):
    target = saved.new_target()
    saved.restore(target)
    inside = Set(tmp_path, container=str(target / "backups"), backup_name="inside")
    inside.backup()
    done = both_but_folders_that_stay(saved, target, delete=True)
    assert done["removed"] == 0
    assert any("backups is not in the backup and stays, as a container of backups" in one for one in done["remarks"])
    assert inside.verify()["outcome"] == "success"
    with pytest.raises(OptionError, match="is a container of backups, or in one, and with delete"):
        saved.restore(target / "backups", overwrite=True, delete=True)
    with pytest.raises(OptionError, match="is a container of backups, or in one"):
        saved.restore(saved.container / "below", overwrite=True, delete=True)
    assert saved.verify()["outcome"] == "success"


@pytest.mark.parametrize("deep", [False, True])
def test_a_folder_in_which_others_could_redirect_a_removal_is_refused_before_anything_is_changed(saved, deep):
    """Only in the target: after the files of the backup had been placed the restore stopped at it."""
    target = saved.new_target()
    saved.restore(target)
    write(target / "etc" / "hosts", b"edited")
    theirs = target / "own" / "deep" / "theirs" if deep else target / "etc" / "theirs"
    write(theirs / "file", b"theirs")
    theirs.chmod(0o777)
    before = {path: (target / path).lstat().st_ctime_ns for path in paths(target)}
    for dry_run in (True, False):
        with pytest.raises(
            ArchiveError, match=r"every user may write to .*theirs.*Nothing was restored\. Leave it out"
        ):
            saved.restore(target, overwrite=True, delete=True, dry_run=dry_run)
        assert {path: (target / path).lstat().st_ctime_ns for path in paths(target)} == before
    saved.restore(target, overwrite=True, delete=True, exclude=["theirs"])
    assert (theirs / "file").read_bytes() == b"theirs"
    assert (target / "etc" / "hosts").read_bytes() == b"etc/hosts"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_marker_of_another_user_keeps_nothing_from_being_removed(saved):
    target = saved.new_target()
    saved.restore(target)
    write(target / "own" / MARKER_NAME, b"")
    write(target / "theirs" / MARKER_NAME, b"")
    write(target / "theirs" / "file", b"hidden")
    os.chown(target / "theirs" / MARKER_NAME, NOBODY, NOBODY)
    done = saved.restore(target, overwrite=True, delete=True)
    assert paths(target) == sorted([*paths(saved.source), "own", f"own/{MARKER_NAME}"])
    assert [one for one in done["remarks"] if "stays" in one] == [
        f"{target}/own is not in the backup and stays, as a container of backups: it has the marker {MARKER_NAME}."
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_another_file_system_in_the_target_stays(saved, tmp_path):
    target = saved.new_target()
    saved.restore(target)
    (target / "mounted").mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "none", target / "mounted"], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("this host allows no mounts")
    try:
        write(target / "mounted" / "file", b"theirs")
        saved.restore(target, overwrite=True, delete=True)
        assert (target / "mounted" / "file").read_bytes() == b"theirs"
    finally:
        subprocess.run(["umount", target / "mounted"], check=True)


def test_delete_of_a_single_file_is_refused_and_a_folder_in_the_way_is_not_removed(saved, tmp_path):
    some = Set(tmp_path, backup_name="single", path_to_backup=str(saved.source / "etc" / "hosts"))
    some.backup()
    target = some.new_target()
    with pytest.raises(OptionError, match="delete is for a backup of a folder"):
        some.restore(target, delete=True)
    target = saved.new_target()
    write(target / "etc" / "hosts" / "own", b"own")
    with pytest.raises(ArchiveError, match="there are folders where the backup has files"):
        saved.restore(target, overwrite=True, delete=True, only_changed=True)
    assert paths(target) == ["etc", "etc/hosts", "etc/hosts/own"]


@pytest.mark.rounds
@pytest.mark.parametrize("seed", range(rounds(4)))
def test_random_trees_come_back_in_place_as_a_new_restore_brings_them(tmp_path, seed):
    some = Set(tmp_path, max_level=5)
    some.source.rmdir()
    tree = RandomTree(some.source, tmp_path / "outside", seed)
    some.backup()
    target = some.new_target()
    some.restore(target)
    for _level in range(3):
        tree.mutate()
        some.backup()
        fresh = some.new_target()
        some.restore(fresh)
        for path in sorted(in_the_way(fresh, target)):
            shutil.rmtree(target / path)
        result = some.restore(target, overwrite=True, only_changed=True, delete=True)
        # Of another content with the same size and time nothing but a comparison of contents tells.
        found = [one for one in differences(fresh, target) if not one.endswith((": content", ": xattrs"))]
        assert found == [], (result, tree.log)
        assert some.restore(target, overwrite=True, only_changed=True, delete=True)["changed"] is False, tree.log


def in_the_way(fresh, target):
    """Folders where the backup has none: a restore refuses to remove these."""
    for folder, names, _files in os.walk(target):
        for name in list(names):
            here = Path(folder, name)
            there = fresh / here.relative_to(target)
            if not here.is_symlink() and os.path.lexists(there) and (there.is_symlink() or not there.is_dir()):
                names.remove(name)
                yield here.relative_to(target)


@pytest.mark.parametrize("missing", ["first", "second"])
def test_files_with_several_links_stay_together_where_a_folder_with_one_of_them_is_missing(tmp_path, missing):
    some = Set(tmp_path)
    write(some.source / "first" / "deep" / "file", b"one file")
    (some.source / "second").mkdir()
    os.link(some.source / "first" / "deep" / "file", some.source / "second" / "file")
    os.link(some.source / "first" / "deep" / "file", some.source / "file")
    some.backup()
    target = some.new_target()
    some.restore(target)
    shutil.rmtree(target / missing)
    some.restore(target, overwrite=True)
    assert differences(some.source, target) == []
    assert (target / "file").stat().st_nlink == 3
