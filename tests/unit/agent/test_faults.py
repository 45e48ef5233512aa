# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Storages that fail at any moment: a backup is whole and proven, or there is none and nothing of it is left."""

from __future__ import annotations

import errno
import os
import random
import resource
import shutil
import signal
import subprocess

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.media import files
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import DamagedArchive
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage import local
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.errors import SetBusy, StorageError
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.local import LocalStorage
from ansible_collections.freezer.backup.plugins.module_utils._engine.system import process
from ansible_collections.freezer.backup.tests.support.faulty_storage import FaultyStorage, fails, no_space
from ansible_collections.freezer.backup.tests.support.guards import no_hang
from ansible_collections.freezer.backup.tests.support.sets import Set, attempt, differences, tick
from ansible_collections.freezer.backup.tests.support.soak import rounds
from ansible_collections.freezer.backup.tests.support.trees import write

pytestmark = [pytest.mark.rounds, pytest.mark.usefixtures("tiny_segments")]

ROUNDS = rounds(3)


class TwoStorages(Set):
    """A set in two containers; ``scripts`` say by the name of a container what fails there."""

    def __init__(self, folder, monkeypatch, containers=("one", "two")):
        super().__init__(folder, max_level=9, max_segment_size="8k", compression="none")
        self.options["storages"] = [
            {"storage": "local", "container": str(folder / container)} for container in containers
        ]
        self.container = folder / containers[0]
        self.scripts = {}
        self.made = []
        write(self.source / "file", random.Random(1).randbytes(50_000))
        write(self.source / "folder" / "small", b"small")

        def storage_for(_kind, container, _access):
            storage = FaultyStorage(LocalStorage(container), self.scripts.get(os.path.basename(container)))
            self.made.append(storage)
            return storage

        monkeypatch.setattr(files, "storage_for", storage_for)

    def only(self, container):
        """What is in one of the containers, without a fault."""
        return Set(self.folder, container=str(self.folder / container), max_level=9)

    def left_in(self, container):
        return sorted(
            path.relative_to(self.folder / container).as_posix()
            for path in (self.folder / container).rglob("*")
            if path.name != ".lock"
        )


@pytest.fixture
def two(tmp_path, monkeypatch):
    return TwoStorages(tmp_path, monkeypatch)


def test_a_backup_goes_to_all_storages_and_restores_from_each(two):
    result = two.backup()
    assert [storage["outcome"] for storage in result["storages"]] == ["success", "success"]
    assert two.left_in("one") == two.left_in("two")
    for container in ("one", "two"):
        target = two.new_target()
        two.only(container).restore(target)
        assert differences(two.source, target) == []


@pytest.mark.parametrize("fault", [fails("The network is down"), no_space], ids=["network", "no space"])
@pytest.mark.parametrize(
    ("operation", "call"),
    [
        *(("hold", 1), ("children", 1), ("create", 1), ("create", 2), ("create", 5), ("write", 1), ("write", 7)),
        *(("commit", 1), ("commit", 3), ("commit", -3), ("commit", -2), ("commit", -1), ("create", -1), ("write", -1)),
    ],
)
def test_if_one_of_two_storages_fails_the_outcome_is_partial_and_nothing_is_left_there(two, operation, call, fault):
    if call < 0:  # counted from the end, of a backup without faults
        two.backup()
        call += two.made[1].calls[operation] + 1
        for container in ("one", "two"):
            subprocess.run(["rm", "-rf", two.folder / container], check=True)
    two.scripts["two"] = {(operation, call): fault}
    result = two.backup(init=True)
    assert result["outcome"] == "partial"
    assert [storage["outcome"] for storage in result["storages"]] == ["success", "failed"]
    assert f"(injected into {operation})." in result["storages"][1]["message"]
    assert result["metadata"]["container"] == str(two.folder / "one")
    assert [name for name in two.left_in("two") if "/" in name] == []
    assert two.only("one").verify(check="restore")["outcome"] == "success"
    target = two.new_target()
    two.restore(target, backup_id=result["backup_id"])
    assert differences(two.source, target) == []


def test_after_a_storage_missed_a_level_the_next_backup_is_full_in_both(two):
    two.backup()
    two.scripts["two"] = {("write", 1): fails("Down")}
    assert two.backup()["level"] == 1
    two.scripts.clear()
    result = two.backup()
    assert (result["level"], result["outcome"]) == (0, "success")
    assert "do not hold the same" in result["reason"]


def test_the_newest_backup_is_restored_from_whichever_storage_has_it(two):
    two.backup()
    write(two.source / "new", b"new")
    two.scripts["one"] = {("write", 1): fails("Down")}
    newest = two.backup()
    assert newest["outcome"] == "partial"
    two.scripts.clear()
    target = two.new_target()
    assert two.restore(target)["backup_id"] == newest["backup_id"]
    assert differences(two.source, target) == []
    with pytest.raises(DamagedArchive, match=r"Not every storage has the backup .*/one"):
        two.verify()
    assert two.only("two").verify()["container"] == str(two.folder / "two")


def test_a_damaged_copy_is_named_and_the_other_one_restored_and_verify_refuses_it(two):
    two.backup()
    for data in (two.folder / "one").rglob("data.*"):
        data.write_bytes(b"damaged")
    target = two.new_target()
    restored = two.restore(target)
    assert (restored["container"], restored["outcome"]) == (str(two.folder / "two"), "success")
    assert "data.000000" in restored["remarks"][0]
    assert differences(two.source, target) == []
    for check in ("segments", "stream", "restore"):
        with pytest.raises(DamagedArchive, match=r"data.000000 of local storage .*/one"):
            two.verify(check=check)
    for data in (two.folder / "two").rglob("data.*"):
        data.unlink()
    target = two.new_target()
    with pytest.raises(DamagedArchive):
        two.restore(target)
    assert not target.exists()


@pytest.mark.parametrize("operation", ["hold", "children", "create", "write", "commit"])
def test_if_all_storages_fail_the_error_is_told_and_nothing_is_left(two, operation):
    two.scripts = {name: {(operation, 1): fails(f"{name} is down")} for name in ("one", "two")}
    with pytest.raises(StorageError, match="is down"):
        two.backup()
    for container in ("one", "two"):
        assert [name for name in two.left_in(container) if "/" in name] == []


def test_a_storage_that_is_locked_by_another_run_is_left_out_and_its_files_are_not_touched(two):
    two.backup()
    running = LocalStorage(str(two.folder / "two"))
    with running.lock("host_tree"):
        # Another run is writing, at the very folder that ours would have, because both began in the same second.
        for offset in range(3):
            stamp = int(two.only("two").info()["backups"][0]["timestamp"]) + offset
            running.put(f"host_tree/{stamp}_0/data.000000", b"theirs")
            running.put(f"host_tree/{stamp}_1/data.000000", b"theirs")
        before = two.left_in("two")
        result = two.backup()
        assert (result["outcome"], "Another run is writing" in result["storages"][1]["message"]) == ("partial", True)
        assert two.left_in("two") == before


def test_if_all_storages_are_locked_the_run_is_refused(two):
    with LocalStorage(str(two.folder / "one")).lock("host_tree"):
        with LocalStorage(str(two.folder / "two")).lock("host_tree"), pytest.raises(SetBusy):
            two.backup()


@pytest.mark.parametrize("round_number", range(ROUNDS))
@pytest.mark.parametrize("operation", ["hold", "children", "create", "write", "commit", "open", "read"])
def test_a_fault_at_any_call_leaves_a_proven_backup_or_none(tmp_path, monkeypatch, operation, round_number):
    some = TwoStorages(tmp_path, monkeypatch, containers=("one",))
    tick()
    good = some.backup()
    write(some.source / "file", random.Random(2).randbytes(50_000))
    counted = some.backup()
    calls = max(1, some.made[-1].calls[operation])
    moment = random.Random(f"{operation} {round_number}").randint(1, calls)
    some.scripts["one"] = {(operation, moment): fails("Down")}
    write(some.source / "new", b"new")
    result, problem = attempt(some.backup)
    assert result is not None or "(injected into" in str(problem)
    expected = result or counted
    some.scripts.clear()
    listed = some.info()
    assert (listed["incomplete"], listed["damaged"]) == ([], [])
    assert listed["backups"][0]["backup_id"] == expected["backup_id"]
    assert some.verify(check="restore")["outcome"] == "success"
    assert good["backup_id"] in [one["backup_id"] for one in listed["backups"]]
    assert some.backup()["outcome"] == "success"
    target = some.new_target()
    some.restore(target)
    assert differences(some.source, target) == []


@pytest.mark.parametrize("codec", ["zstd", "gzip", "none"])
@pytest.mark.parametrize("operation", ["children", "open", "read"])
def test_a_fault_at_any_call_of_a_restore_leaves_the_target_as_it_was(tmp_path, monkeypatch, operation, codec):
    some = TwoStorages(tmp_path, monkeypatch, containers=("one",))
    some.backup(compression=codec)
    write(some.source / "new", b"new")
    some.backup(compression=codec)
    some.made.clear()
    some.restore()
    calls = some.made[-1].calls[operation]
    assert calls
    for moment in sorted({1, 2, calls // 2 or 1, calls}):
        some.scripts["one"] = {(operation, moment): fails("Down")}
        target = some.new_target()
        result, problem = attempt(some.restore, target)
        if result is None:
            assert "injected" in str(problem)
            assert not target.exists()
        else:
            assert differences(some.source, target) == []
        result, problem = attempt(some.verify)
        assert result is not None or "injected" in str(problem)


def test_a_storage_that_fails_to_clean_up_leaves_a_folder_that_is_listed_as_incomplete(tmp_path, monkeypatch):
    some = TwoStorages(tmp_path, monkeypatch, containers=("one",))
    some.scripts["one"] = {("commit", 2): fails("Down"), ("delete_folder", 0): fails("Still down")}
    with pytest.raises(StorageError, match="Down"):
        some.backup()
    some.scripts.clear()
    listed = some.info()
    assert (len(listed["incomplete"]), listed["backups"]) == (1, [])
    assert some.backup()["outcome"] == "success"
    assert some.verify()["outcome"] == "success"


def test_a_disk_that_takes_no_more_ends_the_backup_in_a_sentence_and_leaves_nothing(tmp_path):
    """The limit of the file size is a full disk that needs no root: the kernel refuses to write on."""
    some = Set(tmp_path, compression="none", max_segment_size="8M")
    write(some.source / "file", random.Random(1).randbytes(3_000_000))
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with no_hang(30):
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
                some.backup()
        except StorageError as problem:
            code = 0 if "File too large" in str(problem) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert some.backup_folders() == []
    assert some.backup()["outcome"] == "success"


def test_a_file_system_that_is_full_ends_the_backup_and_leaves_the_last_one(tmp_path, monkeypatch):
    """A real one, as small as that, where this user may mount it; where not, the error that it would give."""
    some = Set(tmp_path, compression="none", max_level=5)
    write(some.source / "file", random.Random(1).randbytes(600_000))
    some.container.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", some.container]
    mounted = subprocess.run(mount, check=False, capture_output=True).returncode == 0

    def full(_descriptor, _data):
        raise OSError(errno.ENOSPC, "No space left on device")

    try:
        some.backup()
        write(some.source / "file", random.Random(2).randbytes(3_000_000))
        if not mounted:
            monkeypatch.setattr(local.os, "write", full)
        with pytest.raises(StorageError, match="No space left on device; free some space"):
            some.backup()
        monkeypatch.undo()
        assert len(some.backup_folders()) == 1
        assert some.verify(check="restore")["outcome"] == "success"
        write(some.source / "file", b"small again")
        assert some.backup()["level"] == 1
    finally:
        if mounted:
            subprocess.run(["umount", some.container], check=True)


def test_a_temporary_folder_that_cannot_be_used_is_told_in_a_sentence(one_set, monkeypatch):
    write(one_set.source / "file")
    one_set.backup(max_level=3)
    monkeypatch.setattr("tempfile.tempdir", "/proc/nowhere")
    with pytest.raises(FreezerError, match=r"^The backup failed: .*No such file or directory"):
        one_set.backup(max_level=3)
    with pytest.raises(FreezerError, match=r"^The verification failed: .*No such file or directory"):
        one_set.verify(check="restore")
    assert len(one_set.backup_folders()) == 1


def test_a_host_without_tar_is_told_so(one_set, monkeypatch, tmp_path):
    write(one_set.source / "file")
    one_set.backup(compression="none")
    (tmp_path / "bin").mkdir()
    os.symlink(shutil.which("rm"), tmp_path / "bin" / "rm")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(process, "_PATHS", "")
    for work in (one_set.backup, one_set.restore, lambda: one_set.verify(check="restore")):
        with pytest.raises(FreezerError, match=r"There is no tar on this host; install GNU tar"):
            work()
    assert one_set.verify(check="stream")["outcome"] == "success"  # a catalogue is compared without tar
    assert len(one_set.backup_folders()) == 1
    assert not (tmp_path / "restored-1").exists()


def test_a_tar_that_is_not_gnu_tar_is_refused(one_set, monkeypatch, tmp_path):
    write(one_set.source / "file")
    write(tmp_path / "bin" / "tar", b"#!/bin/sh\necho 'bsdtar 3.6.2 - libarchive'\n", 0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    with pytest.raises(FreezerError, match="is not GNU tar"):
        one_set.backup()
    assert one_set.backup_folders() == []
