# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What a restore does to its target, and what it leaves alone."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import tempfile
from datetime import datetime

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive import merge, moving, restore_target
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import OptionError
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import ArchiveError
from ansible_collections.freezer.backup.plugins.module_utils._engine.system import trust
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.errors import HostError
from ansible_collections.freezer.backup.tests.support.guards import NOBODY, folder_without_root, without_root
from ansible_collections.freezer.backup.tests.support.sets import Set, differences, tick
from ansible_collections.freezer.backup.tests.support.trees import access_acl, remember, write


@pytest.fixture
def saved(tmp_path):
    """A set with two levels; the copies of what each of them has are ``first`` and ``second``."""
    some = Set(tmp_path, max_level=5)
    write(some.source / "stays", b"stays")
    write(some.source / "changes", b"before")
    write(some.source / "goes", b"goes")
    write(some.source / "folder" / "in it", b"in it")
    write(some.source / "folder goes" / "with all", b"in it")
    tick()
    some.backup()
    remember(some.source, tmp_path / "first")
    write(some.source / "changes", b"after")
    (some.source / "goes").unlink()
    shutil.rmtree(some.source / "folder goes")
    write(some.source / "comes", b"comes")
    some.backup()
    remember(some.source, tmp_path / "second")
    return some


def snapshot(folder):
    return {
        path.relative_to(folder).as_posix(): (path.lstat().st_mode, path.lstat().st_mtime_ns, path.lstat().st_ino)
        for path in [folder, *folder.rglob("*")]
    }


def test_the_newest_level_has_what_was_there_then_and_nothing_that_was_deleted_before(saved, tmp_path):
    target = saved.new_target()
    result = saved.restore(target)
    assert differences(tmp_path / "second", target) == []
    assert [(one["level"]) for one in result["chain"]] == [0, 1]
    assert (result["outcome"], result["changed"], result["replaced"]) == ("success", True, 1)


def test_restore_of_an_older_date_ignores_newer_levels(saved, tmp_path):
    older = saved.info()["backups"][1]
    for date in (older["timestamp"], older["timestamp"] + 0.5):
        target = saved.new_target()
        result = saved.restore(target, restore_from_date=date)
        assert (result["level"], differences(tmp_path / "first", target)) == (0, [])


def test_a_date_before_all_backups_is_an_error_and_makes_no_target(saved):
    target = saved.new_target()
    with pytest.raises(ArchiveError, match="no backup that is old enough"):
        saved.restore(target, restore_from_date=1)
    with pytest.raises(ArchiveError, match="no backup with the id 'unknown'"):
        saved.restore(target, backup_id="unknown")
    assert not target.exists()


def test_a_folder_that_is_not_empty_is_refused_and_stays_as_it_is(saved):
    target = saved.new_target()
    write(target / "mine", b"mine")
    before = snapshot(target)
    with pytest.raises(ArchiveError, match="is not empty, so nothing was restored into it"):
        saved.restore(target)
    assert snapshot(target) == before


def test_an_empty_folder_is_a_target_and_takes_the_attributes_of_the_source(saved, tmp_path):
    target = saved.new_target()
    target.mkdir(mode=0o700)
    saved.restore(target)
    assert differences(tmp_path / "second", target) == []


def test_with_overwrite_files_of_the_backup_replace_others_and_foreign_files_stay(saved, tmp_path):
    target = saved.new_target()
    write(target / "changes", b"mine, and to be replaced")
    write(target / "foreign", b"foreign")
    write(target / "folder" / "foreign", b"foreign")
    write(target / "foreign folder" / "x", b"foreign")
    write(target / "goes", b"the backup of level 0 had this name")
    result = saved.restore(target, overwrite=True)
    # Three files, the folder and the top are not as they were.
    assert (result["created"], result["changed"]) == (3, True)
    for name in ("foreign", "folder/foreign", "foreign folder/x"):
        assert (target / name).read_bytes() == b"foreign"
    assert (target / "goes").read_bytes() == b"the backup of level 0 had this name"
    only_here = [f"{name}: only in {target}" for name in ("folder/foreign", "foreign", "foreign folder")]
    found = differences(tmp_path / "second", target)
    assert sorted(found) == sorted([*only_here, f"foreign folder/x: only in {target}", f"goes: only in {target}"])


def test_a_plan_of_a_restore_says_what_the_restore_then_does(saved):
    target = saved.new_target()
    write(target / "changes", b"mine, and to be replaced")
    write(target / "folder" / "foreign", b"foreign")
    planned = saved.restore(target, overwrite=True, dry_run=True)
    done = saved.restore(target, overwrite=True)
    assert done["replaced"] == len(done["replaced_paths"]) == 3
    for key in ("changed", "created", "replaced", "equal", "counts", "restored_bytes"):
        assert planned[key] == done[key], key
    assert sorted(planned["replaced_paths"]) == sorted(done["replaced_paths"]) == [".", "changes", "folder"]


def test_a_plan_of_a_restore_over_the_same_counts_the_paths_that_the_restore_counts(saved):
    target = saved.new_target()
    saved.restore(target)
    planned = saved.restore(target, overwrite=True, dry_run=True)
    done = saved.restore(target, overwrite=True)
    assert (planned["equal"], planned["replaced"]) == (done["equal"], done["replaced"])
    assert (done["replaced"], done["changed"]) == (0, False)


def test_a_restore_counts_what_is_in_new_folders_too(saved):
    target = saved.new_target()
    result = saved.restore(target)
    on_disk = [path for path in target.rglob("*") if path.is_file() and not path.is_symlink()]
    assert result["counts"]["files"] + result["counts"].get("hard_links", 0) == len(on_disk)


def test_a_second_restore_with_overwrite_changes_nothing(saved):
    target = saved.new_target()
    saved.restore(target)
    before = snapshot(target)
    result = saved.restore(target, overwrite=True)
    assert (result["changed"], result["created"], result["replaced"]) == (False, 0, 0)
    assert snapshot(target) == before


@pytest.mark.parametrize("change", ["content", "mtime", "mode", "gone", "link"])
def test_a_restore_with_overwrite_mends_whatever_was_changed(saved, tmp_path, change):
    target = saved.new_target()
    saved.restore(target)
    file = target / "folder" / "in it"
    if change == "content":
        before = file.stat()
        file.write_bytes(b"IN IT")
        os.utime(file, ns=(0, before.st_mtime_ns))
    elif change == "mtime":
        os.utime(file, (0, 0))
    elif change == "mode":
        file.chmod(0o600)
    elif change == "gone":
        file.unlink()
    else:
        file.unlink()
        os.symlink("/etc/hostname", file)
    assert saved.restore(target, overwrite=True)["changed"] is True
    assert differences(tmp_path / "second", target) == []


def test_a_folder_where_the_backup_has_a_file_is_refused_before_anything_is_moved(saved):
    target = saved.new_target()
    write(target / "stays" / "mine", b"mine")
    write(target / "changes", b"mine")
    before = snapshot(target)
    with pytest.raises(ArchiveError, match=r"there are folders where the backup has files.*nothing was changed"):
        saved.restore(target, overwrite=True)
    assert snapshot(target) == before


def test_a_file_or_link_where_the_backup_has_a_folder_gives_way(saved, tmp_path):
    outside = tmp_path / "outside"
    write(outside / "precious", b"precious")
    for kind in ("file", "link"):
        target = saved.new_target()
        target.mkdir()
        if kind == "file":
            write(target / "folder", b"mine")
        else:
            os.symlink(outside, target / "folder")
        saved.restore(target, overwrite=True)
        assert differences(tmp_path / "second", target) == []
    assert [path.name for path in outside.iterdir()] == ["precious"]


def test_a_target_that_is_a_link_to_a_folder_is_that_folder(saved, tmp_path):
    real = tmp_path / "real"
    real.mkdir()
    os.symlink(real, tmp_path / "link")
    saved.restore(tmp_path / "link")
    assert differences(tmp_path / "second", real) == []
    assert saved.restore(tmp_path / "link", overwrite=True)["changed"] is False
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("kind", ["file", "below a file"])
def test_a_target_that_is_no_folder_is_refused_in_a_sentence(saved, tmp_path, kind):
    write(tmp_path / "file", b"mine")
    target = tmp_path / "file" if kind == "file" else tmp_path / "file" / "below"
    for overwrite in (False, True):
        with pytest.raises(ArchiveError, match=str(target)):
            saved.restore(target, overwrite=overwrite)
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_hard_links_are_made_again_over_files_that_are_equal_but_linked_otherwise(tmp_path):
    some = Set(tmp_path)
    write(some.source / "b", b"same")
    os.link(some.source / "b", some.source / "a")
    os.link(some.source / "b", some.source / "c")
    some.backup()
    target = some.new_target()
    target.mkdir()
    shutil.copy2(some.source / "b", target / "b")
    os.link(target / "b", target / "foreign")
    result = some.restore(target, overwrite=True)
    assert result["changed"] is True
    assert differences(some.source, target) == [f"foreign: only in {target}"]
    assert some.restore(target, overwrite=True)["changed"] is False


def test_what_a_killed_restore_left_is_removed_by_the_next_one(saved, tmp_path):
    target = saved.new_target()
    write(target / ".freezer-restore-0123abcd" / "tree" / "closed" / "file", b"half")
    (target / ".freezer-restore-0123abcd" / "tree" / "closed").chmod(0)
    write(target / ".freezer-restore-89abcdef", b"a copy across file systems that was not finished")
    saved.restore(target)
    assert differences(tmp_path / "second", target) == []


def test_two_restores_into_one_target_at_once_are_refused(saved):
    target = saved.new_target()
    other = target / ".freezer-restore-0123abcd"
    other.mkdir(parents=True)
    lock = os.open(other, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        with pytest.raises(ArchiveError, match="Another restore into .* is running"):
            saved.restore(target)
        assert [path.name for path in target.iterdir()] == [other.name]
    finally:
        os.close(lock)


def test_across_file_systems_files_are_copied_whole(saved, tmp_path, monkeypatch):
    """A mount inside the target makes rename fail; here every first rename out of the staging folder does."""
    target = saved.new_target()
    write(target / "changes", b"mine")
    real = os.rename

    def rename(source, destination, **folder):
        if "/tree/" in os.fspath(source):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        real(source, destination, **folder)

    monkeypatch.setattr(merge.os, "rename", rename)
    saved.restore(target, overwrite=True)
    assert differences(tmp_path / "second", target) == []


def test_a_copy_across_file_systems_that_fails_leaves_no_half_file(saved, tmp_path, monkeypatch):
    def rename(_source, _target, _name):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    target = saved.new_target()
    monkeypatch.setattr(moving, "_rename", rename)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    for name in ("tar", "rm"):
        os.symlink(shutil.which(name, path="/bin:/usr/bin"), tmp_path / "bin" / name)
    os.symlink(shutil.which("false", path="/bin:/usr/bin"), tmp_path / "bin" / "cp")
    with pytest.raises(ArchiveError, match="cannot be copied to its file system"):
        saved.restore(target)
    assert not target.exists()


def test_a_dry_run_restores_nothing_and_says_whether_it_would(saved):
    target = saved.new_target()
    planned = saved.restore(target, dry_run=True)
    assert (planned["changed"], planned["outcome"], target.exists()) == (True, "planned", False)
    saved.restore(target)
    before = snapshot(target)
    assert saved.restore(target, dry_run=True, overwrite=True)["changed"] is False
    write(target / "changes", b"mine")
    assert saved.restore(target, dry_run=True, overwrite=True)["changed"] is True
    write(target / "changes", b"after")
    os.utime(target / "changes", ns=(0, before["changes"][1]))
    os.utime(target, ns=(0, before["."][1]))
    assert snapshot(target) == before


def test_a_target_with_default_acls_gives_the_files_of_the_backup_none(saved, tmp_path):
    target = saved.new_target()
    target.mkdir()
    access_acl(target, 12345, default=True)
    saved.restore(target)
    assert differences(tmp_path / "second", target) == []


def test_a_target_of_root_that_the_users_own_group_may_write_to_is_restored_into_and_its_own_attributes_are_reported():
    def work(folder):
        some = Set(folder)
        write(some.source / "file", b"content")
        some.backup()
        target = folder / "shared"
        if os.geteuid() != NOBODY or not target.exists():  # not run by root: one's own folder stands in
            target.mkdir()
        return some.restore(target), sorted(os.listdir(target))

    with folder_without_root() as folder:
        if os.geteuid() == 0:
            (folder / "shared").mkdir()
            os.chown(folder / "shared", 0, NOBODY)
            (folder / "shared").chmod(0o775)
        result, names = without_root(work, folder)
        assert names == ["file"]
        if os.geteuid() == 0:
            assert result["outcome"] == "partial"
            assert [entry["path"] for entry in result["not_restored"]] == [str(folder / "shared")]
            assert stat.S_IMODE((folder / "shared").stat().st_mode) == 0o775
        else:
            assert result["outcome"] == "success"


def give_away(folder):
    """Let another user do in a folder what he likes."""
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    else:
        os.chmod(folder, 0o777)


@pytest.mark.parametrize(
    "which", ["target", "above", "far above", "merged", "above a link", "above the target of a link"]
)
def test_a_target_that_others_could_exchange_is_refused_before_anything_is_written(saved, tmp_path, which):
    top = tmp_path / "theirs"
    target = top / "above" / "target"
    (target / "folder").mkdir(parents=True)
    (tmp_path / "ours").mkdir()
    theirs = {"target": target, "above": target.parent, "far above": top, "merged": target / "folder"}.get(which, top)
    if which == "above a link":
        os.symlink(tmp_path / "ours", top / "link")
        target = top / "link"
    elif which == "above the target of a link":
        os.symlink(target, tmp_path / "ours" / "link")
        target = tmp_path / "ours" / "link"
    give_away(theirs)
    before = snapshot(tmp_path)
    with pytest.raises(
        ArchiveError, match=r"Nothing was restored into .*/(target|link).* new folder that only"
    ) as refusal:
        saved.restore(target, overwrite=True)
    assert str(theirs) in str(refusal.value)
    assert ("nobody" if os.geteuid() == 0 else "every user") in str(refusal.value)
    after = snapshot(tmp_path)
    assert {name: found[0::2] for name, found in after.items()} == {name: found[0::2] for name, found in before.items()}
    if which != "merged":
        with pytest.raises(ArchiveError, match="Nothing was restored into"):
            saved.restore(target, overwrite=True, dry_run=True)
        with pytest.raises(ArchiveError, match="Nothing was restored into"):
            saved.restore(target / "new" / "folder")
    assert snapshot(tmp_path) == after


def test_a_temporary_folder_that_others_could_exchange_is_refused_for_a_proof(saved, tmp_path, monkeypatch):
    (tmp_path / "theirs").mkdir()
    give_away(tmp_path / "theirs")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "theirs"))
    with pytest.raises(HostError, match=r"The temporary folder .*/theirs cannot be used: .* TMPDIR"):
        saved.verify(check="restore")
    assert os.listdir(tmp_path / "theirs") == []
    os.chmod(tmp_path / "theirs", 0o1777)
    if os.geteuid() == 0:
        os.chown(tmp_path / "theirs", 0, 0)
    assert saved.verify(check="restore")["outcome"] == "success"


def test_the_temporary_folder_of_all_users_is_a_way_to_ones_own_folder_and_no_target(saved, tmp_path):
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp").chmod(0o1777)
    assert saved.restore(tmp_path / "tmp" / "new")["outcome"] == "success"
    (tmp_path / "tmp" / "mine").mkdir()
    assert saved.restore(tmp_path / "tmp" / "mine")["outcome"] == "success"
    with pytest.raises(ArchiveError, match="every user may write to"):
        saved.restore(tmp_path / "tmp", overwrite=True)


@pytest.mark.parametrize("made", ["new", "new/deeper"])
def test_a_folder_that_another_user_makes_a_moment_before_is_refused(saved, tmp_path, monkeypatch, made):
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp").chmod(0o1777)
    real = restore_target.Staging._make_target

    def later(stage):
        (tmp_path / "tmp" / "new").mkdir()
        give_away(tmp_path / "tmp" / "new")
        real(stage)

    monkeypatch.setattr(restore_target.Staging, "_make_target", later)
    with pytest.raises(ArchiveError, match=r"Nothing was restored into .*/new"):
        saved.restore(tmp_path / "tmp" / made)
    assert os.listdir(tmp_path / "tmp" / "new") == []


def test_a_lock_of_another_user_on_what_looks_like_a_staging_folder_stops_no_restore(saved, tmp_path, monkeypatch):
    target = saved.new_target()
    other = target / ".freezer-restore-0123abcd"
    other.mkdir(parents=True)
    if os.geteuid() == 0:
        os.chown(other, NOBODY, NOBODY)
    else:
        theirs = (other.stat().st_dev, other.stat().st_ino)
        monkeypatch.setattr(trust, "is_ours", lambda found: (found.st_dev, found.st_ino) != theirs)
    lock = os.open(other, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        assert saved.restore(target)["outcome"] == "success"
    finally:
        os.close(lock)
    assert other.is_dir()
    assert differences(tmp_path / "second", target) == [f"{other.name}: only in {target}"]


def test_a_folder_becomes_another_users_when_all_is_in_its_place_and_the_staging_folder_gone(saved, monkeypatch):
    """From then on he may put what he likes in the place of anything in it."""
    target = saved.new_target()
    (target / "folder").mkdir(parents=True)
    events = []
    real = merge.set_attributes

    def watched(folder, name, *arguments):
        left = [one for one in os.listdir(target) if one.startswith(restore_target.STAGING_PREFIX)]
        events.append((os.path.relpath(name, target), (target / "folder" / "in it").exists(), len(left)))
        real(folder, name, *arguments)

    for user in (restore_target, merge):
        monkeypatch.setattr(user, "set_attributes", watched)
    saved.restore(target, overwrite=True)
    assert events == [("folder", True, 1), (".", True, 0)]


def test_a_target_that_cannot_be_written_to_is_refused_in_a_sentence_and_nothing_is_left():
    def work(folder):
        some = Set(folder)
        write(some.source / "file", b"content")
        some.backup()
        messages = []
        for target in ("/proc/freezer", "/proc/1/freezer/deep"):
            try:
                some.restore(target)
            except ArchiveError as problem:
                messages.append(str(problem))
        return messages

    with folder_without_root() as folder:
        messages = without_root(work, folder)
    assert len(messages) == 2
    assert all("cannot be written to" in message or "cannot be read" in message for message in messages), messages


def test_a_read_only_folder_of_ones_own_in_the_target_is_opened_for_the_restore():
    def work(folder):
        some = Set(folder)
        write(some.source / "a" / "file", b"content")
        some.backup()
        target = some.new_target()
        (target / "a").mkdir(parents=True)
        os.chmod(target / "a", 0o555)
        result = some.restore(target, overwrite=True)
        return result["outcome"], differences(some.source, target)

    with folder_without_root() as folder:
        assert without_root(work, folder) == ("success", [])


def test_an_obstacle_in_the_middle_of_a_restore_is_a_sentence_that_says_what_stays(saved, tmp_path, monkeypatch):
    target = saved.new_target()
    target.mkdir()
    real = os.rename

    def rename(source, destination, **folder):
        if destination == "folder":
            raise OSError(errno.EIO, "Input/output error", destination)
        real(source, destination, **folder)

    monkeypatch.setattr(merge.os, "rename", rename)
    with pytest.raises(ArchiveError, match=r"stopped at .*/folder: Input/output error. Files restored so far stay"):
        saved.restore(target)
    monkeypatch.undo()
    assert sorted(path.name for path in target.iterdir()) == ["changes", "comes"]
    saved.restore(target, overwrite=True)
    assert differences(tmp_path / "second", target) == []


def test_a_backup_is_named_by_the_first_digits_of_its_id_if_no_other_begins_so(saved):
    older = saved.info()["backups"][1]
    assert saved.restore(backup_id=older["backup_id"][:8])["backup_id"] == older["backup_id"]
    none = "0000" if not older["backup_id"].startswith("0000") else "1111"
    with pytest.raises(ArchiveError, match=f"There is no backup with the id '{none}'"):
        saved.restore(backup_id=none)


def test_an_id_of_too_few_digits_is_answered_with_how_many_are_needed(saved):
    begin = saved.info()["backups"][1]["backup_id"][:3]
    with pytest.raises(OptionError, match=f"at least the first 4 digits of one, and is '{begin}'"):
        saved.restore(backup_id=begin)


def test_what_is_not_there_is_answered_with_what_is(saved):
    oldest = datetime.fromtimestamp(saved.info()["backups"][1]["timestamp"]).astimezone()
    with pytest.raises(ArchiveError, match=f"that is old enough .* The oldest backup is of {oldest:%Y-%m-%dT%H:%M:%S}"):
        saved.restore(restore_from_date="2001-01-01")
    with pytest.raises(ArchiveError, match="These hosts have one: host; choose one with hostname"):
        saved.restore(hostname="other")


def test_a_comparison_names_the_backup_and_not_the_scratch_folder(saved, tmp_path):
    shutil.copytree(tmp_path / "second", tmp_path / "other", symlinks=True)
    (tmp_path / "other" / "comes").unlink()
    write(tmp_path / "other" / "new", b"new")
    found = saved.verify(compare_to=str(tmp_path / "other"))["differences"]
    assert found[:2] == [f"new: only in {tmp_path / 'other'}", "comes: only in the backup"]
