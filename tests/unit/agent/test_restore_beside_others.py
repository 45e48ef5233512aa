# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A restore over a tree in which another user makes and exchanges things while it is under way, as in /tmp."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive import merge, removing, restore_target
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import ArchiveError
from ansible_collections.freezer.backup.plugins.module_utils._engine.system import trust
from ansible_collections.freezer.backup.tests.support.guards import NOBODY
from ansible_collections.freezer.backup.tests.support.sets import Set, attempt, differences
from ansible_collections.freezer.backup.tests.support.soak import rounds
from ansible_collections.freezer.backup.tests.support.trees import access_acl, write

pytestmark = pytest.mark.rounds

ROUNDS = rounds(2)
# It exchanges the folder that it made for a link, in one step.
_ATTACKER = """
import ctypes, os, sys, time
folder, outside, before, first = sys.argv[1:]
exchange = ctypes.CDLL(None, use_errno=True).renameat2
end = time.time() + 60
os.symlink(outside, folder + "/z")
print("ready", flush=True)
while not os.path.lexists(f"{folder}/{before}") and time.time() < end: pass
os.mkdir(folder + "/x")
while not os.path.lexists(f"{folder}/x/{first}") and time.time() < end: pass
exchange(-100, (folder + "/x").encode(), -100, (folder + "/z").encode(), 2)
"""


#: It makes what the restore would make, a link or a folder of its own, and takes over what it can.
_MAKER = """
import glob, os, sys
folder, outside = sys.argv[1:]
target = folder + "/new"
print("ready", flush=True)
while True:
    for make, take in ((lambda: os.symlink(outside, target), os.unlink), (lambda: os.mkdir(target, 0o777), os.rmdir)):
        try:
            make()
            take(target)
        except OSError:
            pass
    for name in glob.glob(folder + "/new/.freezer-restore-*") + [target]:
        try:
            os.rename(name, folder + "/mine")
            os.symlink(outside, name)
        except OSError:
            pass
"""


@contextmanager
def _another_user(program, *arguments):
    """A program of another user while the body runs, from the moment on in which it is ready."""
    user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    python = "/usr/bin/python3" if os.geteuid() == 0 else sys.executable
    attacker = subprocess.Popen([python, "-c", program, *arguments], stdout=subprocess.PIPE, cwd="/", **user)
    try:
        assert attacker.stdout.read(6) == b"ready\n"
        yield
    finally:
        attacker.kill()
        attacker.wait()
        attacker.stdout.close()


@pytest.fixture
def shared(tmp_path):
    """A backup with a folder that all may write to, its target, and a folder beside it that nothing is to get into."""
    return _shared(tmp_path)


def _shared(folder, files=1):
    some = Set(folder, compression="none")
    (some.source / "tmp" / "x" / "deep").mkdir(parents=True)
    (some.source / "tmp").chmod(0o1777)
    for number in range(files):
        write(some.source / "tmp" / f"b{number:05}", b"x")
        write(some.source / "tmp" / "x" / f"a{number:05}", b"x")
    write(some.source / "tmp" / "x" / "passwd", b"mine")
    write(some.source / "tmp" / "x" / "deep" / "passwd", b"mine")
    some.backup()
    target = some.new_target()
    (target / "tmp").mkdir(parents=True)
    (target / "tmp").chmod(0o1777)
    write(folder / "outside" / "passwd", b"root")
    write(folder / "outside" / "deep" / "passwd", b"root")
    (folder / "outside").chmod(0o700)
    return some, target, folder / "outside"


def _state(folder):
    found = folder.stat()
    return (
        (found.st_uid, found.st_mode, found.st_mtime_ns, sorted(os.listdir(folder)), os.listxattr(folder)),
        [path.read_bytes() for path in sorted(folder.rglob("passwd"))],
    )


def _after_the_look(monkeypatch, does):
    real = restore_target.conflicts

    def looked(staged, target):
        yield from real(staged, target)
        does()

    monkeypatch.setattr(restore_target, "conflicts", looked)


def _exchange(folder, outside):
    os.rename(folder, folder.parent / "away")
    os.symlink(outside, folder)


@pytest.mark.parametrize("there", [True, False])
def test_a_link_that_another_user_makes_after_the_look_gives_way_to_the_folder_of_the_backup(
    shared, monkeypatch, there
):
    some, target, outside = shared
    folder = target / "tmp" / "x"
    if there:
        write(folder / "passwd", b"before")
    before = _state(outside)
    _after_the_look(monkeypatch, lambda: _exchange(folder, outside) if there else os.symlink(outside, folder))
    some.restore(target, overwrite=True)
    assert _state(outside) == before
    shutil.rmtree(target / "tmp" / "away", ignore_errors=True)
    assert [line for line in differences(some.source, target) if line != "tmp: mtime"] == []


def test_a_folder_that_another_user_makes_after_the_look_stops_the_restore_which_says_what_stays(shared, monkeypatch):
    some, target, _outside = shared
    folder = target / "tmp" / "x"

    def makes():
        folder.mkdir()
        folder.chmod(0o777)
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)

    _after_the_look(monkeypatch, makes)
    with pytest.raises(ArchiveError, match=r"stopped at .*/tmp/x: .* Files restored so far stay") as stopped:
        some.restore(target, overwrite=True)
    assert ("belongs to the user" if os.geteuid() == 0 else "every user may write to") in str(stopped.value)
    assert os.listdir(folder) == []
    assert sorted(os.listdir(target)) == ["tmp"]
    assert sorted(os.listdir(target / "tmp")) == ["b00000", "x"]


def test_a_folder_that_is_exchanged_for_a_link_as_it_is_opened_is_not_entered(shared, monkeypatch):
    some, target, outside = shared
    folder = target / "tmp" / "x"
    write(folder / "deep" / "passwd", b"before")
    before = _state(outside)
    real = os.open

    def opens(path, *arguments, **options):
        if path == "x":
            monkeypatch.setattr(merge.os, "open", real)
            _exchange(folder, outside)
        return real(path, *arguments, **options)

    monkeypatch.setattr(merge.os, "open", opens)
    with pytest.raises(ArchiveError, match=r"stopped at .*/tmp/x: It was replaced during the restore"):
        some.restore(target, overwrite=True)
    assert _state(outside) == before


@pytest.mark.parametrize("which", ["x", "x/deep"])
def test_a_folder_that_is_exchanged_for_a_link_while_it_is_worked_in_leads_nowhere_else(shared, monkeypatch, which):
    """Neither what is moved into it nor the owner, mode and time that it gets in the end."""
    some, target, outside = shared
    folder = target / "tmp" / which
    write(target / "tmp" / "x" / "deep" / "passwd", b"before")
    before = _state(outside)
    real = merge.let_owner_in

    def entered(path):
        real(path)
        if path.startswith("/proc") and os.path.samefile(path, folder):
            _exchange(folder, outside)

    monkeypatch.setattr(merge, "let_owner_in", entered)
    with pytest.raises(ArchiveError, match=r"stopped at .*/tmp/x(/deep)?: It was replaced during the restore"):
        some.restore(target, overwrite=True)
    assert _state(outside) == before
    assert (folder.parent / "away" / "passwd").read_bytes() == b"mine"


def test_hard_links_to_a_file_that_another_user_exchanges_are_links_to_the_file_of_the_backup(tmp_path, monkeypatch):
    some = Set(tmp_path)
    write(some.source / "tmp" / "a", b"theirs")
    (some.source / "tmp").chmod(0o1777)
    (some.source / "z").mkdir()
    os.link(some.source / "tmp" / "a", some.source / "z" / "b")
    some.backup()
    target = some.new_target()
    for name in ("tmp", "z"):
        (target / name).mkdir(parents=True)
    (target / "tmp").chmod(0o1777)
    is_own = trust.is_own
    monkeypatch.setattr(trust, "is_own", lambda found: is_own(found) and not stat.S_ISREG(found.st_mode))
    real = os.rename

    def rename(source, destination, **folder):
        real(source, destination, **folder)
        if destination == "a":
            (target / "tmp" / "a").rename(target / "tmp" / "kept")
            os.symlink("/etc/passwd", target / "tmp" / "a")

    monkeypatch.setattr(merge.os, "rename", rename)
    some.restore(target, overwrite=True)
    assert os.path.samefile(target / "tmp" / "kept", target / "z" / "b")
    monkeypatch.setattr(merge.os, "rename", real)
    (target / "tmp" / "kept").unlink()
    for _again in range(2):
        some.restore(target, overwrite=True)
        assert differences(some.source, target) == []


def test_another_user_who_races_a_restore_over_a_folder_for_all_gets_nothing_outside_of_it_changed():
    for _round in range(ROUNDS):
        with tempfile.TemporaryDirectory(prefix="freezer-test-") as name:
            Path(name).chmod(0o755)
            some, target, outside = _shared(Path(name), files=300)
            if os.geteuid() == 0:
                for path in (some.source / "tmp").rglob("*"):
                    os.chown(path, NOBODY, NOBODY)
                some.backup(max_level=0)
            before = _state(outside)
            stopped = "The restore stopped at"
            try:
                with _another_user(_ATTACKER, target / "tmp", outside, "b00000", "a00000"):
                    some.restore(target, overwrite=True)
            except ArchiveError as problem:
                stopped = str(problem)
            assert "The restore stopped at" in stopped
            assert _state(outside) == before


def test_another_user_who_makes_the_target_first_gets_neither_the_files_nor_a_folder_of_roots():
    """In a folder for all, with the sticky bit: as what is there, as a link to a folder of root's, or in between."""
    with tempfile.TemporaryDirectory(prefix="freezer-test-") as name:
        top = Path(name)
        top.chmod(0o755)
        some, _target, outside = _shared(top)
        shared = top / "shared"
        shared.mkdir()
        shared.chmod(0o1777)
        before = _state(outside)
        restored = 0
        with _another_user(_MAKER, shared, outside):
            for _round in range(ROUNDS):
                _result, problem = attempt(some.restore, shared / "new")
                if problem is None:
                    restored += 1
                    found = os.lstat(shared / "new")
                    assert stat.S_ISDIR(found.st_mode)
                    if os.geteuid() == 0:
                        assert found.st_uid == 0
                    assert differences(some.source, shared / "new") == []
                    shutil.rmtree(shared / "new")
                else:
                    assert str(problem)[-1] == "."
                assert _state(outside) == before
        print(f"{restored} of {ROUNDS} restored")
        mine = shared / "mine"
        assert mine.is_symlink() or not mine.exists() or not list(mine.rglob("passwd"))


@pytest.mark.parametrize("undo", [False, True])
def test_a_folder_that_is_exchanged_for_a_link_while_it_is_removed_leads_nowhere_else(
    shared, tmp_path, monkeypatch, undo
):
    some, target, outside = shared
    folder = target / "tmp" / "own"
    for name in ("deep/passwd", "passwd", "a"):
        write(folder / name, b"own")
    before = _state(outside)
    real, exchanged = removing.let_owner_in, []

    def entered(path):
        real(path)
        if not exchanged and os.path.samefile(path, folder):
            exchanged.append(path)
            _exchange(folder, outside)

    monkeypatch.setattr(removing, "let_owner_in", entered)
    more = {"undo_folder": str(tmp_path / "undo")} if undo else {}
    result, problem = attempt(some.restore, target, overwrite=True, delete=True, **more)
    assert exchanged
    assert _state(outside) == before
    assert problem is None or "It was replaced during the restore" in str(problem), (result, problem)


def _private(folder):
    """A backup with private folders, and a target in which they are open to all; the modes of the backup."""
    some = Set(folder)
    for name in ("top", "private/secret", "private/deep/secret", "shared/file", "z/file"):
        write(some.source / name, b"SECRET")
    modes = {".": 0o750, "private": 0o700, "private/deep": 0o711, "shared": 0o755, "z": 0o700}
    for name, mode in modes.items():
        (some.source / name).chmod(mode)
    some.backup()
    target = some.new_target()
    for name in modes:
        (target / name).mkdir(parents=True, exist_ok=True)
        (target / name).chmod(0o755)
    return some, target, modes


def _modes(target, names):
    return {name: stat.S_IMODE((target / name).stat().st_mode) for name in names}


def test_a_private_folder_is_closed_to_others_before_anything_is_moved_into_it(tmp_path, monkeypatch):
    some, target, modes = _private(tmp_path)
    seen = {}
    real = merge.move

    def moves(here, folder, name):
        seen["/".join((*folder.names, name))] = stat.S_IMODE(os.fstat(folder.descriptor).st_mode)
        return real(here, folder, name)

    monkeypatch.setattr(merge, "move", moves)
    some.restore(target, overwrite=True)
    assert seen == {
        "top": 0o750,
        "private/secret": 0o700,
        "private/deep/secret": 0o711,
        "shared/file": 0o755,
        "z/file": 0o700,
    }
    assert _modes(target, modes) == modes
    assert differences(some.source, target) == []


def test_after_a_restore_that_stops_midway_private_folders_are_private_and_the_message_names_the_place(
    tmp_path, monkeypatch
):
    some, target, modes = _private(tmp_path)
    real = merge.move

    def moves(here, folder, name):
        if folder.names == ("private",):
            raise OSError(28, "No space left on device")
        return real(here, folder, name)

    monkeypatch.setattr(merge, "move", moves)
    with pytest.raises(ArchiveError, match=r"stopped at .*/private/secret: No space left on device\. Files"):
        some.restore(target, overwrite=True)
    assert (target / "private" / "deep" / "secret").read_bytes() == b"SECRET"
    # The rest was not come to, and is as it was.
    assert _modes(target, modes) == {**modes, "shared": 0o755, "z": 0o755}
    monkeypatch.undo()
    some.restore(target, overwrite=True)
    assert differences(some.source, target) == []


def test_a_folder_whose_acl_lets_others_in_is_closed_while_entries_are_moved(tmp_path, monkeypatch):
    some, target, modes = _private(tmp_path)
    if not access_acl(target / "shared", NOBODY):
        pytest.skip("this file system has no ACLs")
    seen = []
    real = merge.move

    def moves(here, folder, name):
        if name == "file" and folder.names == ("shared",):
            seen.append(stat.S_IMODE(os.fstat(folder.descriptor).st_mode))
        return real(here, folder, name)

    monkeypatch.setattr(merge, "move", moves)
    some.restore(target, overwrite=True)
    assert seen == [0o700]
    assert _modes(target, modes) == modes
    assert differences(some.source, target) == []
