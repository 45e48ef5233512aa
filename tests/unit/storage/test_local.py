# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import os
import stat

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.storage import folders, local
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.choose import storage_for
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.errors import (
    ObjectMissing,
    OddObject,
    StorageError,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.local import LocalStorage
from ansible_collections.freezer.backup.tests.support.guards import folder_without_root, without_root
from ansible_collections.freezer.backup.tests.support.storage_contract import StorageContract


class TestContract(StorageContract):
    @pytest.fixture
    def storage(self, tmp_path):
        return LocalStorage(str(tmp_path / "container"))

    @pytest.fixture
    def same_place(self, storage):
        return LocalStorage(storage.container)


def test_files_and_folders_are_for_their_owner_alone_whatever_the_umask_says(tmp_path):
    before = os.umask(0)
    try:
        storage = LocalStorage(str(tmp_path / "new" / "container"))
        with storage.lock("a_b"):
            storage.put("a_b/1_0/x", b"secret")
    finally:
        os.umask(before)
    modes = {path.relative_to(tmp_path).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert modes == {
        "new": 0o700,
        "new/container": 0o700,
        "new/container/a_b": 0o700,
        "new/container/a_b/.lock": 0o600,
        "new/container/a_b/1_0": 0o700,
        "new/container/a_b/1_0/x": 0o600,
    }


@pytest.mark.parametrize("unlinked", [False, True])
def test_a_file_that_is_linked_as_the_lock_of_a_set_stays_as_it_is(tmp_path, monkeypatch, unlinked):
    storage = LocalStorage(str(tmp_path / "container"))
    storage.put("a_b/x", b"")
    victim, lock = tmp_path / "victim", tmp_path / "container" / "a_b" / ".lock"
    victim.write_bytes(b"precious")
    lock.hardlink_to(victim)
    if unlinked:  # so that it has one name again when it is looked at
        taken = local.fcntl.flock
        monkeypatch.setattr(local.fcntl, "flock", lambda *arguments: (lock.unlink(), taken(*arguments)))
    with storage.lock("a_b"):
        assert victim.read_bytes() == b"precious"
    assert victim.read_bytes() == b"precious"


def test_an_object_is_synced_before_it_is_renamed_and_its_folder_after(tmp_path, monkeypatch):
    storage = LocalStorage(str(tmp_path))
    storage.put("a_b/1_0/first", b"makes the folders")
    done = []
    for name in ("fsync", "rename", "close"):
        real = getattr(os, name)

        def traced(*arguments, _name=name, _real=real, **folders):
            kind = ""
            if _name == "fsync":
                kind = " folder" if stat.S_ISDIR(os.fstat(arguments[0]).st_mode) else " file"
            done.append(_name + kind)
            return _real(*arguments, **folders)

        monkeypatch.setattr(local.os, name, traced)
    storage.put("a_b/1_0/x", b"content")
    assert [one for one in done if one != "close"] == ["fsync file", "rename", "fsync folder"]
    assert done.index("close", done.index("fsync file")) < done.index("rename")


def test_a_new_folder_is_synced_into_the_one_above(tmp_path, monkeypatch):
    synced = []
    real = os.fsync

    def traced(descriptor):
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    monkeypatch.setattr(local.os, "fsync", traced)
    LocalStorage(str(tmp_path / "container")).put("a_b/1_0/x", b"")
    assert [path for path in synced if os.path.isdir(path)] == [
        str(tmp_path),
        str(tmp_path / "container"),
        str(tmp_path / "container" / "a_b"),
        str(tmp_path / "container" / "a_b" / "1_0"),
    ]


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP])
def test_file_systems_that_cannot_sync_folders_are_good_enough(tmp_path, monkeypatch, code):
    real = os.fsync

    def refuses_folders(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))
        real(descriptor)

    monkeypatch.setattr(local.os, "fsync", refuses_folders)
    storage = LocalStorage(str(tmp_path / "container"))
    storage.put("a_b/1_0/x", b"content")
    assert storage.children("a_b/1_0") == ["x"]


@pytest.mark.parametrize("operation", ["write", "fsync", "rename"])
def test_a_full_disk_is_a_sentence_that_says_what_to_do_and_leaves_nothing(tmp_path, monkeypatch, operation):
    storage = LocalStorage(str(tmp_path / "container"))
    storage.put("a_b/1_0/first", b"")

    def full(*_arguments, **_folders):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(local.os, operation, full)
    with pytest.raises(StorageError, match=r"No space left on device; free some space or choose another container\."):
        storage.put("a_b/1_0/x", b"content")
    assert [path.name for path in (tmp_path / "container" / "a_b" / "1_0").iterdir()] == ["first"]


def test_removing_a_folder_follows_no_link_also_one_put_there_meanwhile(tmp_path, monkeypatch):
    storage = LocalStorage(str(tmp_path / "container"))
    for name in ("data", "inner/data", "other/data"):
        storage.put(f"a_b/1_0/{name}", b"x")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "precious").write_bytes(b"x")
    folder = tmp_path / "container" / "a_b" / "1_0"
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    assert storage.size_of("a_b/1_0") == 3 + len(str(tmp_path / "elsewhere"))
    real = folders.is_folder

    def swapped(name, above):
        found = real(name, above)
        if name == "inner":
            (folder / "inner").rename(tmp_path / "was-inner")
            (folder / "inner").symlink_to(tmp_path / "elsewhere")
        return found

    monkeypatch.setattr(folders, "is_folder", swapped)
    with pytest.raises(OddObject, match="inner is a symbolic link and not a folder"):
        storage.delete_folder("a_b/1_0")
    monkeypatch.undo()
    storage.delete_folder("a_b/1_0")
    assert not folder.exists()
    assert (tmp_path / "elsewhere" / "precious").exists()


def test_folders_deeper_than_any_backup_has_are_refused_in_a_sentence(tmp_path):
    (tmp_path / "a_b" / "1_0" / "/".join("d" * 150)).mkdir(parents=True)
    storage = LocalStorage(str(tmp_path))
    for verb in (storage.size_of, storage.delete_folder):
        with pytest.raises(OddObject, match="is deeper than anything that a backup has written. Remove it"):
            verb("a_b/1_0")


def test_what_a_killed_writer_left_is_not_listed(tmp_path):
    storage = LocalStorage(str(tmp_path))
    storage.put("a_b/1_0/x", b"")
    (tmp_path / "a_b" / "1_0" / ".data.000000.0123abcd.partial").write_bytes(b"half")
    assert storage.children("a_b/1_0") == ["x"]


@pytest.mark.parametrize("container", ["", "relative/path", "./x", "a\0b", "/a\0b"])
def test_a_container_has_to_be_an_absolute_path(container):
    with pytest.raises(StorageError, match="absolute path"):
        LocalStorage(container)


def test_a_file_in_place_of_the_container_is_an_error_in_a_sentence(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    storage = LocalStorage(str(tmp_path / "file"))
    with pytest.raises(StorageError, match="There is no folder"):
        storage.children("")
    with pytest.raises(StorageError, match="Making the folder .* failed: Not a directory"):
        storage.put("a_b/1_0/x", b"")
    with pytest.raises(ObjectMissing):
        storage.open("a_b/1_0/x")


def test_a_container_that_this_user_may_not_use_is_an_error_in_a_sentence():
    def use(folder):
        closed = folder / "closed"
        closed.mkdir()
        LocalStorage(str(closed)).put("a_b/1_0/x", b"")
        closed.chmod(0)
        storage = LocalStorage(str(closed))
        messages = []
        for work in (
            lambda: storage.children(""),
            lambda: storage.put("a_b/1_0/x", b""),
            lambda: storage.open("a_b/1_0/x"),
            lambda: storage.lock("a_b").__enter__(),
            lambda: storage.delete_folder("a_b/1_0"),
        ):
            try:
                work()
                messages.append("went well")
            except ObjectMissing:
                messages.append("missing")
            except StorageError as problem:
                messages.append(str(problem))
        return messages

    with folder_without_root() as folder:
        messages = without_root(use, folder)
    assert len(messages) == 5
    for message in messages:
        assert "Permission denied" in message, messages
        assert "needs access to it." in message, messages


def test_an_unknown_kind_of_storage_is_named():
    with pytest.raises(StorageError, match="no storage of the kind 'tape'"):
        storage_for("tape", "/x")
