# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Another user puts links in place of folders while root reads them: nothing from outside the source gets into a backup."""

from __future__ import annotations

import ctypes
import fcntl
import os
import shlex
import signal
import struct
import subprocess
from contextlib import ExitStack, contextmanager

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.options import OptionError
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.tar import Source
from ansible_collections.freezer.backup.plugins.module_utils._engine.consistency import live
from ansible_collections.freezer.backup.plugins.module_utils._engine.system import mounts, private_mount
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.errors import HostError
from ansible_collections.freezer.backup.tests.support.guards import NOBODY, folder_without_root, without_root
from ansible_collections.freezer.backup.tests.support.moving import Moving
from ansible_collections.freezer.backup.tests.support.private_mounts import needs_private_mount
from ansible_collections.freezer.backup.tests.support.sets import Set, attempt, differences, tick
from ansible_collections.freezer.backup.tests.support.soak import rounds
from ansible_collections.freezer.backup.tests.support.trees import make_everything, open_for_removal, write

pytestmark = pytest.mark.rounds

SECRET = b"only root may read this"
ROUNDS = rounds(3)


@contextmanager
def _exchanging(folder):
    """Another user exchanges P and link in a folder, in one step, again and again while the body runs."""
    exchange = ctypes.CDLL(None, use_errno=True).renameat2
    attacker = os.fork()
    if attacker == 0:
        try:
            os.chdir(folder)
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            while exchange(-100, b"P", -100, b"link", 2) == 0:
                pass
        finally:
            os._exit(1)
    try:
        yield
    finally:
        os.kill(attacker, signal.SIGKILL)
        _pid, status = os.waitpid(attacker, 0)
        assert os.WIFSIGNALED(status), "it could not exchange them"


@pytest.fixture
def attacked(tmp_path, monkeypatch):
    """A source of another user's, in which P/a/passwd is that user's, and outside of it a/passwd is root's."""
    if os.geteuid() != 0:
        pytest.skip("a user other than root cannot be made to read root's files")
    some = Moving(tmp_path, monkeypatch)
    some.options["compression"] = "none"
    _give_away(some)
    tick()
    return some


def _give_away(some):
    write(some.source / "P" / "a" / "passwd", b"mine")
    write(some.outside / "a" / "passwd", SECRET, mode=0o600)
    some.outside.chmod(0o700)
    for path in (some.source, *some.source.rglob("*")):
        os.chown(path, NOBODY, NOBODY)


def _as_another_user(command):
    return f"setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups sh -c {shlex.quote(command)}"


def _exchange(some):
    return _as_another_user(f"mv P hidden && ln -s {shlex.quote(str(some.outside))} P")


def _stored(some, result):
    return b"".join(path.read_bytes() for path in sorted(some.folder_of(result).glob("data*")))


@needs_private_mount
@pytest.mark.parametrize("level", [0, 1])
def test_a_folder_that_is_exchanged_for_a_link_brings_nothing_from_outside(attacked, level):
    for _level in range(level):
        attacked.backup()
        write(attacked.source / "P" / "a" / "passwd", b"mine again")
    attacked.between("true", _exchange(attacked))
    result = attacked.backup()
    assert (attacked.source / "P").is_symlink()
    assert (result["level"], result["outcome"]) == (level, "success")
    assert (result["source_protected"], result["source_protected_reason"]) == (True, None)
    assert result["metadata"]["source_protected"] is True
    assert SECRET not in _stored(attacked, result)
    assert any(one["path"].startswith("./P") and "symbolic link" in one["message"] for one in result["remarks"])
    result = attacked.backup()
    assert result["level"] == level + 1
    target = attacked.new_target()
    attacked.restore(target)
    assert differences(attacked.source, target) == []


def test_where_no_private_mount_can_be_made_the_backup_is_made_and_says_so(attacked, monkeypatch):
    def refuses(number, *_arguments):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(private_mount, "_call", refuses)
    result = attacked.backup()
    assert (result["outcome"], result["source_protected"], result["problems"]) == ("success", False, [])
    assert result["source_protected_reason"] == (
        "no private mount can be made (Operation not permitted); that needs Linux 5.14 and the capability CAP_SYS_ADMIN"
    )
    assert result["metadata"]["source_protected"] is False
    # What the private mount is for.
    attacked.between("true", _exchange(attacked))
    assert SECRET in _stored(attacked, attacked.backup(no_incremental=True))


@needs_private_mount
def test_whenever_a_folder_is_exchanged_for_a_link_no_backup_has_anything_from_outside(tmp_path):
    some = Set(tmp_path, max_level=3, compression="none")
    outside = tmp_path / "outside"
    for name in ("a", "b", "c"):
        for number in range(30):
            write(some.source / "P" / name / f"file{number}", b"mine")
            write(outside / name / f"file{number}", SECRET, mode=0o600)
    outside.chmod(0o700)
    os.symlink(outside, some.source / "link")
    for path in (some.source, *some.source.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    with _exchanging(some.source):
        results = [attempt(some.backup)[0] for _round in range(ROUNDS)]
    made = [one for one in results if one is not None]
    print(f"{len(made)} made, {sum(one['outcome'] == 'success' for one in made)} of them with all of it")
    assert all(one["source_protected"] for one in made)
    for path in some.container.rglob("data*"):
        assert SECRET not in path.read_bytes(), path
    assert some.verify()["outcome"] == "success"
    assert some.backup(no_incremental=True)["outcome"] == "success"
    target = some.new_target()
    some.restore(target)
    assert differences(some.source, target) == []


@needs_private_mount
def test_increments_go_on_whether_or_not_the_levels_before_were_read_through_a_private_mount(tmp_path, monkeypatch):
    some = Set(tmp_path, max_level=9)
    make_everything(some.source)
    point = some.source / "mounted"
    point.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", str(point)], check=True)
    try:
        write(point / "folder" / "file")
        tick()
        assert some.backup()["level"] == 0
        for level in range(1, 5):
            with monkeypatch.context() as patch:
                if level % 2:
                    patch.setattr(live, "open_private_mount", _refuses)
                result = some.backup()
            assert (result["level"], result["outcome"], result["source_protected"]) == (
                level,
                "success",
                level % 2 == 0,
            )
            # The one that is of the future.
            assert (result["counts"]["files"], result["source_bytes"]) == (1, 6)
        target = some.new_target()
        some.restore(target)
        assert differences(some.source, target) == []
    finally:
        subprocess.run(["umount", str(point)], check=True)
        open_for_removal(tmp_path)


def _refuses(_folder):
    raise HostError("none here")


@needs_private_mount
def test_the_result_says_why_links_could_be_followed(tmp_path, monkeypatch):
    some = Set(tmp_path)
    write(some.source / "folder" / "file")
    os.symlink("folder/file", some.source / "link")
    os.symlink("folder", some.source / "current")
    some.source.chmod(0o777)
    table = mounts.read_mounts()

    def told(**options):
        result = some.backup(**options)
        assert (result["outcome"], result["problems"]) == ("success", [])
        return result["source_protected"], result["source_protected_reason"]

    assert told() == (True, None)
    assert told(path_to_backup=str(some.source / "folder" / "file")) == (True, None)
    assert told(dereference_symlink="hard") == (True, None)
    for follow in ("soft", "all"):
        expected = (False, "dereference_symlink is given, so that links are followed")
        assert told(dereference_symlink=follow) == expected
    assert told(path_to_backup=str(some.source / "link")) == (
        False,
        f"{some.source}/link is a symbolic link, which is followed",
    )
    assert told(path_to_backup=str(some.source / "current")) == (
        False,
        f"another user can exchange the link {some.source}/current on the way to the source",
    )
    unbindable = mounts.Mount("0:9", "/", f"{some.source}/folder", "ext4", "x", True)
    monkeypatch.setattr(mounts, "read_mounts", lambda: [*table, unbindable])
    assert told() == (False, f"unbindable mounts are not in a private one: {some.source}/folder")


def test_a_user_other_than_root_reads_as_before_and_is_told_nothing():
    with folder_without_root() as folder:
        some = Set(folder)
        write(some.source / "file")
        result = without_root(some.backup)
    assert (result["outcome"], result["source_protected"], result["source_protected_reason"]) == ("success", None, None)
    assert "source_protected" not in result["metadata"]


def test_a_source_that_is_gone_when_it_is_opened_is_refused_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(OptionError, match="path_to_backup .*/gone cannot be read: No such file"), ExitStack() as stack:
        live.protect(Source(str(tmp_path / "gone")), stack)


@pytest.fixture
def automounted(tmp_path):
    """A folder on which a file system is mounted on demand, as automount(8) and systemd do it with autofs."""
    with open("/proc/filesystems", encoding="utf-8") as kinds:
        if os.geteuid() != 0 or "autofs" not in kinds.read():
            pytest.skip("autofs cannot be mounted here")
    point = tmp_path / "source" / "auto"
    point.mkdir(parents=True)
    waits, asks = os.pipe()
    ready, is_ready = os.pipe()
    daemon = os.fork()
    if daemon == 0:
        try:
            os.setpgid(0, 0)  # what this group does there is not waited for
            subprocess.run(
                [
                    "mount",
                    "-i",
                    "-t",
                    "autofs",
                    "-o",
                    f"fd={asks},pgrp={os.getpgrp()},minproto=5,maxproto=5,direct",
                    "auto",
                    point,
                ],
                check=True,
                pass_fds=[asks],
            )
            folder = os.open(point, os.O_RDONLY)
            os.write(is_ready, b"1")
            while True:
                _version, _kind, token = struct.unpack_from("iiI", os.read(waits, 304))
                subprocess.run(["mount", "-t", "tmpfs", "none", point], check=True)
                fcntl.ioctl(folder, 0x9360, token)  # AUTOFS_IOC_READY
        finally:
            os._exit(1)
    os.close(is_ready)
    try:
        assert os.read(ready, 1) == b"1"
        yield point
    finally:
        os.kill(daemon, signal.SIGKILL)
        os.waitpid(daemon, 0)
        for descriptor in (waits, asks, ready):
            os.close(descriptor)
        while subprocess.run(["umount", "-l", point], check=False, capture_output=True).returncode == 0:
            pass


@needs_private_mount
def test_what_is_mounted_on_demand_is_mounted_before_the_private_mount_is_made_unless_it_is_left_out(
    automounted, tmp_path
):
    some = Set(tmp_path, max_level=3)
    write(some.source / "file")

    def kinds():
        return [mount.kind for mount in mounts.read_mounts() if mount.point == str(automounted)]

    made = some.backup(exclude=["auto"])
    assert (made["outcome"], made["source_protected"], kinds()) == ("success", True, ["autofs"])
    made = some.backup()
    assert (made["outcome"], made["source_protected"], kinds()) == ("success", True, ["autofs", "tmpfs"])
    assert [one["path"] for one in made["left_out"]] == ["./auto"]
    assert made["remarks_count"] == 1
