# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Small file systems that are full: the sentence names what is full, nothing half done counts, and the next run works."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.restore_file import restore_file
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import ArchiveError
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.errors import StorageError
from ansible_collections.freezer.backup.tests.support.key_files import AgeKey
from ansible_collections.freezer.backup.tests.support.sets import Set, attempt, differences, tick
from ansible_collections.freezer.backup.tests.support.soak import rounds
from ansible_collections.freezer.backup.tests.support.trees import write

pytestmark = pytest.mark.rounds

#: Sizes of file systems, at random between what is too small and what is enough, for each test.
ROUNDS = rounds(2)
NO_ROOM = "No space left on device"


@contextmanager
def small(path: Path, kibibytes: int) -> Iterator[Path]:
    """A file system of that size."""
    path.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k,mode=700", "none", str(path)]
    made = subprocess.run(mount, check=False, capture_output=True, text=True)
    if made.returncode != 0:
        if os.environ.get("CI") == "true":
            pytest.fail(made.stderr)
        pytest.skip(f"no file system can be mounted here: {made.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", str(path)], check=True)


def sizes(least: int, most: int) -> list[int]:
    """The least, the most, and some between them, each of whole pages."""
    choose = random.Random(f"{least} {most} {ROUNDS}")
    return [least, most, *(choose.randrange(least, most) // 4 * 4 for _round in range(ROUNDS))]


@pytest.fixture
def some(tmp_path):
    """An encrypted set of two levels with many small files and a large one, whose blocks are in both."""
    key = AgeKey(tmp_path, "identity")
    made = Set(tmp_path, max_level=9, encryption_recipients=[key.public], block_level_size="1M")
    made.opens = {"identity_file": key.file}
    for number in range(300):
        write(made.source / f"folder {number % 7}" / f"a file with a long name {number:06}", b"x")
    write(made.source / "large", random.Random(1).randbytes(2_500_000))
    made.backup()
    change(made, 2)
    return made


def change(some, number):
    tick()
    with open(some.source / "large", "r+b") as large:
        large.seek(2_400_000)
        large.write(random.Random(number).randbytes(100_000))
    assert some.backup()["level"] > 0


def assert_restores(some):
    target = some.new_target()
    some.restore(target, **some.opens)
    assert differences(some.source, target) == []
    shutil.rmtree(target)


def test_a_temporary_folder_without_room_is_named_and_leaves_neither_a_backup_nor_a_scratch_folder(
    some, tmp_path, monkeypatch
):
    full = 0
    for kibibytes in sizes(4, 96):
        before = some.backup_folders()
        with small(tmp_path / "tmp", kibibytes) as folder, monkeypatch.context() as patch:
            patch.setattr(tempfile, "tempdir", str(folder))
            made, problem = attempt(some.backup)
            assert os.listdir(folder) == []
            restored, refused = attempt(some.restore, some.new_target(), **some.opens)
            assert os.listdir(folder) == []
        for one in (problem, refused):
            assert one is None or (str(folder) in str(one) and NO_ROOM in str(one) and str(one)[-1] == "."), str(one)
        assert (made is None) == (some.backup_folders() == before)
        full += made is None
        assert restored is None or restored["outcome"] == "success"
        assert_restores(some)
        assert some.verify(**some.opens)["outcome"] == "success"
    assert full
    assert some.backup()["outcome"] == "success"


@pytest.mark.parametrize("into", ["a new folder", "a folder with files"])
def test_a_target_without_room_is_named_and_stays_as_it_was(some, tmp_path, into):
    full = 0
    for kibibytes in [*sizes(64, 4096), *range(2440, 2760, 160)]:
        with small(tmp_path / "target", kibibytes) as disk:
            target = disk / "new"
            if into != "a new folder":
                write(target / "own", b"own")
            restored, problem = attempt(some.restore, target, overwrite=True, **some.opens)
            if problem is None:
                (target / "own").unlink(missing_ok=True)
                assert differences(some.source, target) in ([], [".: mtime"])
                continue
            full += 1
            assert isinstance(problem, ArchiveError)
            assert f"no room for the backup in {target} ({NO_ROOM}), so nothing was restored" in str(problem)
            assert restored is None
            assert [path.name for path in disk.rglob("*")] == ([] if into == "a new folder" else ["new", "own"])
    assert full
    assert_restores(some)


def test_a_large_file_whose_last_block_has_no_room_is_not_taken_for_whole(some, tmp_path):
    """A disk takes a part of a block, and says that it is full with the next one only: after the last there is none."""
    full = 0
    for kibibytes in range(2000, 2560, 56):
        with small(tmp_path / "target", kibibytes) as disk:
            target = disk / "new"
            _restored, problem = attempt(some.restore, target, include=["./large"], **some.opens)
            if problem is None:
                assert (target / "large").read_bytes() == (some.source / "large").read_bytes()
            else:
                full += 1
                assert NO_ROOM in str(problem)
                assert os.listdir(disk) == []
    assert full


def test_a_container_without_room_is_named_and_keeps_the_backups_that_it_has(some, tmp_path):
    full = 0
    for number, kibibytes in enumerate(sizes(2700, 5200)):
        with small(tmp_path / f"disk {number}", kibibytes) as disk:
            one = Set(tmp_path, **{**some.options, "container": str(disk / "container")})
            one.container, one.opens = disk / "container", some.opens
            made, problem = attempt(one.backup)
            write(one.source / "another", random.Random(number).randbytes(1_000_000))
            tick()
            again, refused = attempt(one.backup)
            for one_problem in (problem, refused):
                if one_problem is not None:
                    full += 1
                    assert isinstance(one_problem, StorageError)
                    assert NO_ROOM in str(one_problem)
                    assert "free some space or choose another container" in str(one_problem)
                    assert str(one.container) in str(one_problem)
            assert len(one.backup_folders()) == (made is not None) + (again is not None)
            if made is not None or again is not None:
                assert one.verify(check="restore", **one.opens)["outcome"] == "success"
            (one.source / "another").unlink()
            # With room again the next run works.
            subprocess.run(["mount", "-o", "remount,size=16m", str(disk)], check=True)
            assert one.backup()["outcome"] == "success"
            assert_restores(one)
    assert full


def test_a_state_folder_without_room_is_named_in_the_result_and_the_backup_is_made(some, tmp_path, monkeypatch):
    full = 0
    for kibibytes in (4, 16) if ROUNDS < 10 else (4, 8, 12, 16, 20, 24):
        with small(tmp_path / "state", kibibytes) as folder, monkeypatch.context() as patch:
            patch.setenv("FREEZER_BACKUP_STATE", str(folder))
            one = Set(tmp_path, **{**some.options, "container": str(tmp_path / f"of {kibibytes}")})
            one.container, one.opens = tmp_path / f"of {kibibytes}", some.opens
            for _level in range(2):
                result = one.backup()
                assert result["outcome"] == "success"
                said = " ".join([*result["problems"], result["signed_by_reason"] or ""])
                assert NO_ROOM not in said or str(folder) in said
                full += NO_ROOM in said
                assert not list(folder.rglob("*.partial"))
                assert_restores(one)
                tick()
                write(one.source / "changed", os.urandom(9))
            subprocess.run(["mount", "-o", "remount,size=1m", str(folder)], check=True)
            one.backup()  # it remembers again
            tick()
            write(one.source / "changed", os.urandom(9))
            result = one.backup()
            assert (result["problems"], result["signed_by_reason"], result["outcome"]) == ([], None, "success")
            assert result["level"] > 0
            assert_restores(one)
    assert full


def test_an_output_without_room_is_told_and_is_no_temporary_folder(some, tmp_path):
    action = {**some.action_to_restore(tmp_path), "include": ["./large"], **some.opens}
    del action["restore_abs_path"]
    with small(tmp_path / "disk", 1024) as disk, open(disk / "large", "wb") as file:
        with pytest.raises(FreezerError) as problem:
            restore_file(action, file.fileno())
        assert "large" in str(problem.value)
        assert "temporary" not in str(problem.value)
