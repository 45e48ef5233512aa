# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Folders that are replaced between tar's look at them and its reading of what is in them: the backup restores all the same."""

from __future__ import annotations

import os
import random
import shlex
import threading
import time

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive import leave_out
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import ArchiveError
from ansible_collections.freezer.backup.tests.support.moving import Moving
from ansible_collections.freezer.backup.tests.support.sets import Set, attempt, differences, tick
from ansible_collections.freezer.backup.tests.support.soak import rounds
from ansible_collections.freezer.backup.tests.support.trees import write

pytestmark = pytest.mark.rounds


@pytest.fixture
def moving(tmp_path, monkeypatch):
    some = Moving(tmp_path, monkeypatch)
    tick()
    return some


def assert_restores(some):
    assert some.verify()["outcome"] == "success"
    target = some.new_target()
    some.restore(target)
    assert differences(some.source, target) == []


@pytest.mark.parametrize("_again", range(rounds(1)))
def test_what_is_hidden_while_folders_are_written_and_back_for_its_files_makes_a_new_level_0(moving, _again):
    """Level 0 has P/a, a link to a folder of root's; level 1 would have P/a/passwd and no folder P/a."""
    os.symlink(moving.outside, moving.source / "P" / "a")
    assert moving.backup()["level"] == 0
    (moving.source / "P" / "a").unlink()
    write(moving.source / "P" / "a" / "passwd", b"mine")
    moving.between("mv P ../hidden", "mv ../hidden P")
    result = moving.backup()
    assert (result["level"], result["outcome"]) == (0, "success")
    assert result["reason"] == "./P was moved, replaced or changed while it was read, or can be reached in two ways"
    assert_restores(moving)
    assert [one["level"] for one in moving.info()["backups"]] == [0, 0]
    assert moving.info()["incomplete"] == []
    assert (moving.outside / "a" / "passwd").read_bytes() == b"root"


@pytest.mark.parametrize("level", [0, 1])
def test_what_is_hidden_until_a_level_is_done_is_read_by_the_next_one_although_its_times_are_old(moving, level):
    write(moving.source / "P" / "sub" / "deep" / "file", b"old")
    tick()
    for _level in range(level):
        moving.backup()
        write(moving.source / "P" / "sub" / "deep" / "file", b"new")
    moving.between("mv P ../hidden")
    result = moving.backup()
    assert (result["level"], result["outcome"]) == (level, "success")
    assert "./P" in [one["path"] for one in result["remarks"]]
    os.rename(moving.folder / "hidden", moving.source / "P")
    assert moving.backup()["level"] == level + 1
    assert_restores(moving)


@pytest.mark.parametrize("_again", range(rounds(1)))
def test_a_folder_that_becomes_a_link_during_level_0_is_stored_as_what_it_is_now(moving, _again):
    write(moving.source / "P" / "a" / "passwd", b"mine")
    moving.between(f"mv P ../hidden; ln -s {shlex.quote(str(moving.outside))} P")
    result = moving.backup()
    assert (result["level"], result["outcome"], result["unreadable"]) == (0, "success", [])
    assert len(moving.backup_folders()) == 1
    target = moving.new_target()
    moving.restore(target)
    assert os.readlink(target / "P") == str(moving.outside)
    assert moving.backup()["level"] == 1
    assert_restores(moving)


@pytest.mark.parametrize("another", [False, True], ids=["below ones own", "below another user's"])
def test_what_is_replaced_again_and_again_is_left_out_and_named_and_read_by_the_next_level(moving, another):
    write(moving.source / "P" / "sub" / "a" / "passwd", b"mine")
    write(moving.source / "P" / "sub" / "b" / "passwd", b"mine")
    if another:
        # Each time another one: in the end all that such a user can change is left out.
        os.chmod(moving.source / "P", 0o777)
    moving.again = True
    moving.between(
        "touch ../run-$$; n=$(ls .. | grep -c run-); d=$([ $n -lt 3 ] && echo a || echo b);"
        f" [ {int(another)} = 0 ] && d=a; rm -rf ../hidden; mv P/sub/$d ../hidden; ln -s /nowhere P/sub/$d",
        "for d in a b; do [ -L P/sub/$d ] && rm P/sub/$d && mv ../hidden P/sub/$d; done; true",
    )
    result = moving.backup()
    assert (result["level"], result["outcome"]) == (0, "partial")
    assert [one["path"] for one in result["unreadable"]] == (["./P"] if another else ["./P/sub/a"])
    assert "replaced while it was read" in result["unreadable"][0]["message"]
    moving.again = False
    moving.between()
    target = moving.new_target()
    moving.restore(target)
    assert (target / "A0").is_dir()
    result = moving.backup()
    assert (result["level"], result["outcome"]) == (1, "success")
    assert_restores(moving)


def test_a_user_with_many_places_keeps_no_other_user_from_a_backup(moving):
    """Each try finds something replaced in another folder that this user may change: they are left out, one after the other."""
    for number in range(1, 7):
        write(moving.source / f"P{number}" / "a" / "file")
        os.chmod(moving.source / f"P{number}", 0o777)
    moving.again = True
    moving.between(
        "touch ../run-$$; n=$(ls .. | grep -c run-); mv P$n/a ../hidden && ln -s /nowhere P$n/a",
        "for d in P?; do [ -L $d/a ] && rm $d/a && mv ../hidden $d/a; done; true",
    )
    result = moving.backup()
    assert (result["level"], result["outcome"]) == (0, "partial")
    assert [one["path"] for one in result["unreadable"]] == [f"./P{number}/a" for number in range(1, 7)]
    target = moving.new_target()
    moving.restore(target)
    assert (target / "P" / "kept").read_bytes() == b"kept"


def test_in_a_folder_with_the_sticky_bit_the_entry_of_the_user_is_left_out_and_the_folder_only_in_the_end(
    tmp_path, monkeypatch
):
    for name in ("u1", "u2", "u3", "u4", "roots"):
        (tmp_path / "tmp" / name / "a").mkdir(parents=True)
    os.chmod(tmp_path / "tmp", 0o1777)
    theirs = {os.lstat(tmp_path / "tmp" / f"u{number}").st_ino for number in range(1, 5)}
    monkeypatch.setattr(leave_out.trust, "is_own", lambda found: found.st_ino not in theirs)
    assert leave_out.wider(str(tmp_path), "./tmp/u1/a") == ["./tmp/u1/a", "./tmp/u1", "./tmp"]
    assert leave_out.wider(str(tmp_path), "./tmp/roots/a") == ["./tmp/roots/a"]
    given_up = []
    for path, then in [
        ("./tmp/u1/a", ["./tmp/u1/a"]),
        ("./tmp/u1/b", ["./tmp/u1"]),
        ("./tmp/u2/a", ["./tmp/u1", "./tmp/u2/a"]),
        ("./tmp/u3/a", ["./tmp/u1", "./tmp/u2/a", "./tmp/u3/a"]),
        ("./tmp/u4/a", ["./tmp"]),
    ]:
        given_up = leave_out.and_also(given_up, leave_out.wider(str(tmp_path), path))
        assert given_up == then
    assert leave_out.and_also(given_up, ["./tmp/u5/a"]) == given_up


def test_a_source_in_which_ever_other_folders_are_replaced_gives_an_error_that_says_what_to_do_and_no_backup(moving):
    for number in range(9):
        write(moving.source / f"P{number}" / "a" / "file")
    moving.again = True
    moving.between(
        "touch ../run-$$; n=$(ls .. | grep -c run-); mv P$n ../hidden; ln -s /nowhere P$n",
        "for d in P?; do [ -L $d ] && rm $d && mv ../hidden $d; done; true",
    )
    with pytest.raises(ArchiveError, match=r"There is no backup of .*: in each of 4 attempts .* \./P4. Leave it out"):
        moving.backup()
    assert moving.backup_folders() == []


def test_whatever_is_moved_about_at_random_while_it_is_read_every_backup_that_is_there_restores(tmp_path):
    """A user hides folders, brings them back, and has links to a folder of root's in their place, all the time."""
    some = Set(tmp_path, max_level=3)
    outside = tmp_path / "outside"
    write(outside / "sub" / "passwd", b"root")
    tops = [some.source / f"P{number}" for number in range(12)]
    for top in tops:
        write(top / "a" / "sub" / "passwd", b"mine")
        for number in range(20):
            write(top / f"f{number}", b"x")
    stop = threading.Event()

    def move_about():
        choose = random.Random(12)
        while not stop.is_set():
            top = choose.choice(tops)
            what = choose.choice([top, top / "a", top / "a" / "sub"])
            hidden = tmp_path / "hidden"
            os.rename(what, hidden)
            if choose.random() < 0.7:
                os.symlink(outside, what)
                time.sleep(choose.random() / 200)
                os.unlink(what)
            time.sleep(choose.random() / 200)
            os.rename(hidden, what)

    mover = threading.Thread(target=move_about)
    mover.start()
    made, given_up, anew = [], 0, 0
    try:
        for _round in range(8 + 5 * rounds(0)):
            result, refusal = attempt(some.backup)
            if result is None:
                assert "a path was replaced while it was read" in str(refusal)
                given_up += 1
            else:
                made.append(result["backup_id"])
                anew += "replaced" in result["reason"]
    finally:
        stop.set()
        mover.join()
    print(f"{len(made)} made, {anew} of them anew, {given_up} given up")
    for backup_id in made:
        assert some.verify(backup_id=backup_id)["outcome"] == "success"
        assert some.restore(backup_id=backup_id)["outcome"] == "success"
    assert (outside / "sub" / "passwd").read_bytes() == b"root"
    # What was read through a link is in the backups as if it stood there; a full one has what stands there now.
    assert some.backup(no_incremental=True)["outcome"] == "success"
    assert_restores(some)
