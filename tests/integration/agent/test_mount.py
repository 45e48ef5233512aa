# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A backup that freezer-agent has mounted, as the kernel and its users see it (tests/labs/fuse)."""

from __future__ import annotations

import errno
import os
import random
import signal
import stat
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.media import copied_files
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.create import ArchivePlan
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.tree_comparison import differences
from ansible_collections.freezer.backup.plugins.module_utils._engine.system import fuse, mounts
from ansible_collections.freezer.backup.roles.agent.files.freezer_agent.exit_status import Signals
from ansible_collections.freezer.backup.roles.agent.files.freezer_agent.main import Run
from ansible_collections.freezer.backup.tests.support import golden_version_1, labs, upstream_backups
from ansible_collections.freezer.backup.tests.support.key_files import AgeKey
from ansible_collections.freezer.backup.tests.support.mounts import arguments, begin, mounted
from ansible_collections.freezer.backup.tests.support.role_runs import do_without
from ansible_collections.freezer.backup.tests.support.sets import Set, tick
from ansible_collections.freezer.backup.tests.support.soak import rounds
from ansible_collections.freezer.backup.tests.support.trees import make_everything, open_for_removal, write

MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def libfuse():
    try:
        return labs.start("fuse")["FREEZER_TEST_LIBFUSE"]
    except labs.LabUnavailable as reason:
        do_without(reason)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """An encrypted set with two levels of a tree that has everything, large files that are stored by their blocks among it."""
    folder = tmp_path_factory.mktemp("saved")
    person = AgeKey(folder, "person")
    some = Set(folder, max_level=5, encryption_recipients=[person.public], identity_file=person.file)
    make_everything(some.source)
    (some.source / "huge hole").unlink()
    write(some.source / "blocks", os.urandom(5 * MEBIBYTE + 7))
    with open(some.source / "holes and blocks", "wb") as file:
        file.write(b"first")
        file.truncate(9 * MEBIBYTE)
        file.seek(6 * MEBIBYTE + 5)
        file.write(os.urandom(MEBIBYTE))
    write(some.source / "goes", b"goes")
    if os.geteuid() == 0:
        os.mknod(some.source / "device", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
        os.chown(some.source / "fifo", 12345, 54321)
    tick()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copied_files, "ArchivePlan", partial(ArchivePlan, least_block_file=2 * MEBIBYTE))
        some.backup()
        (some.source / "goes").unlink()
        for name, place in (("blocks", 3 * MEBIBYTE), ("holes and blocks", 100)):
            with open(some.source / name, "rb+") as file:
                file.seek(place)
                file.write(b"changed")
        write(some.source / "linked" / "new", b"new")
        os.utime(some.source, ns=(0, 1_500_000_000_123_456_789))
        some.backup()
    yield some
    open_for_removal(some.source)


@pytest.fixture(scope="module")
def seen(saved, libfuse, tmp_path_factory):
    """Where the newest backup is mounted."""
    with mounted(libfuse, saved.options, tmp_path_factory.mktemp("seen") / "mount") as mount:
        yield mount.path


def test_a_mounted_backup_has_what_the_source_has(saved, seen):
    found = differences(str(saved.source), str(seen), os.geteuid() == 0, "the mount")
    # Lists of access are text in an archive, and are not shown.
    assert sorted(found) == ["attributes/acl: xattrs", "attributes/default acl: xattrs"]
    assert os.lstat(seen / "linked" / "first").st_nlink == 3
    assert os.lstat(seen / "linked" / "first").st_ino == os.lstat(seen / "third").st_ino
    assert not (seen / "goes").exists()


def test_holes_take_no_space_in_a_mounted_backup(seen):
    for name, most in (("sparse", MEBIBYTE), ("holes and blocks", 4 * MEBIBYTE)):
        assert os.stat(seen / name).st_blocks * 512 <= most < os.stat(seen / name).st_size


def test_names_are_found_in_any_order_and_bytes_at_any_place(saved, seen):
    names = sorted(os.listdir(os.fsencode(seen / "files")), reverse=True)
    assert sorted(names) == sorted(os.listdir(os.fsencode(saved.source / "files")))
    for name in names:
        assert (Path(os.fsdecode(os.path.join(os.fsencode(seen / "files"), name)))).read_bytes() == b"in " + name
    assert not os.path.lexists(seen / "files" / "no such name")
    content = (saved.source / "blocks").read_bytes()
    with open(seen / "blocks", "rb") as file:
        for place in (4 * MEBIBYTE - 3, 0, 3 * MEBIBYTE - 1, 5 * MEBIBYTE + 3, MEBIBYTE):
            file.seek(place)
            assert file.read(MEBIBYTE + 1) == content[place : place + MEBIBYTE + 1]


def test_nobody_can_change_a_mounted_backup_or_gain_rights_by_it(seen):
    line = next(
        line for line in Path("/proc/self/mountinfo").read_text().splitlines() if line.split()[4] == str(seen.resolve())
    )
    assert {"ro", "nosuid", "nodev"} <= set(line.split()[5].split(","))
    for change in (
        lambda: write(seen / "new", b""),
        (seen / "linked" / "first").unlink,
        lambda: os.chmod(seen / "setuid", 0o777),
        lambda: os.setxattr(seen / "linked" / "first", "user.some", b"value"),
    ):
        with pytest.raises(OSError, match="Read-only file system") as refusal:
            change()
        assert refusal.value.errno == errno.EROFS


@pytest.fixture
def one_file(tmp_path):
    """A set of one file."""
    some = Set(tmp_path)
    write(some.source / "file", b"content")
    some.backup()
    return some


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, "umount"])
def test_a_mount_ends_by_a_signal_or_when_it_is_unmounted(one_file, libfuse, tmp_path, how):
    with mounted(libfuse, one_file.options, tmp_path / "mount") as mount:
        assert (mount.path / "file").read_text() == "content"
        if how == signal.SIGTERM:
            with open(mount.path / "file", "rb"):  # also while it is in use
                status, said = mount.end(how)
        else:
            status, said = mount.end(how)
    assert status == 0, said
    assert f"of tree of host is mounted read-only at {mount.path}. Ctrl-C, or umount" in said
    assert "Unmounted tree of host.\n" in said
    assert str(mount.path) not in [one.point for one in mounts.read_mounts()]


def test_what_a_killed_mount_has_left_is_named_with_what_to_do(run, libfuse, one_file, tmp_path):
    with mounted(libfuse, one_file.options, tmp_path / "left") as mount:
        mount.end(signal.SIGKILL)
    status, said = run(point=mount.path)
    assert status == 1
    assert (
        f"what a process that was killed has mounted; take it away first: {fuse.unmounting(str(mount.path))}." in said
    )
    subprocess.run(fuse.unmounting(str(mount.path)).split(), check=True)
    status, said = run("--dry-run", point=mount.path)
    assert status == 0, said


@pytest.mark.rounds
def test_a_signal_at_any_time_leaves_nothing_mounted(one_file, libfuse, tmp_path):
    choice = random.Random(1)
    point = tmp_path / "mount"
    point.mkdir()
    for _round in range(rounds(2)):
        process = begin(libfuse, one_file.options, point)
        began = time.monotonic()
        while not os.path.ismount(point) and process.poll() is None and time.monotonic() - began < 60:
            time.sleep(0.001)
        time.sleep(choice.choice([0, 0.001, 0.01]))
        process.terminate()
        said = process.communicate(timeout=60)[1]
        assert process.returncode == 0, said
        assert not os.path.ismount(point)
        # Also while it is being mounted.
        process = begin(libfuse, one_file.options, point)
        time.sleep(choice.random() * 1.5 * (time.monotonic() - began))
        process.terminate()
        said = process.communicate(timeout=60)[1]
        assert process.returncode in (0, 128 + signal.SIGTERM, -signal.SIGTERM), said
        assert os.listdir(point) == []
        assert not os.path.ismount(point)


def test_a_damaged_file_is_an_error_that_names_it_and_others_are_read(libfuse, tmp_path):
    some = Set(tmp_path, compression="none")
    for name in ("before", "damaged", "later"):
        write(some.source / name, name[:1].encode() * (3 * MEBIBYTE))
    folder = some.folder_of(some.backup())
    stored = (folder / "data.000000").read_bytes()
    place = stored.index(b"d" * MEBIBYTE) + MEBIBYTE + MEBIBYTE // 2
    (folder / "data.000000").write_bytes(stored[:place] + b"x" + stored[place + 1 :])
    with mounted(libfuse, some.options, tmp_path / "mount") as mount:
        for name in ("before", "later"):
            assert (mount.path / name).read_bytes() == (some.source / name).read_bytes()
        with pytest.raises(OSError, match="Input/output error"):
            (mount.path / "damaged").read_bytes()
        status, said = mount.end()
    assert status == 3
    lines = [line for line in said.splitlines() if line.startswith("freezer-agent: damaged cannot be read: ")]
    assert len(lines) == 1
    assert "is not what was written" in lines[0]
    assert "Unmounted tree of host, not all of which could be read." in said


@pytest.fixture
def run(libfuse, one_file, tmp_path, capfd, monkeypatch):
    """freezer-agent in this process, asked to mount a set at a new folder: exit status, and what it says."""
    monkeypatch.setenv("FUSE_LIBRARY_PATH", libfuse)

    def call(*words: str, options: dict[str, str] | None = None, point: Path | None = None) -> tuple[int, str]:
        mounts_before = mounts.read_mounts()
        if point is None:
            point = tmp_path / "mount"
            point.mkdir(exist_ok=True)
        action = one_file.options if options is None else options
        status = Run().go(["--action", "mount", *arguments(action), "--mount-point", str(point), *words], Signals())
        assert [one.point for one in mounts.read_mounts() if one not in mounts_before] == []
        out, err = capfd.readouterr()
        assert (out, "Traceback" in err) == ("", False)
        return status, err

    return call


def test_what_a_mount_needs_and_the_host_lacks_is_named_with_what_to_do(run, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "mfusepy", None)
        status, said = run()
        assert (status, f"A mount needs the Python library mfusepy, which {sys.executable} does not" in said) == (
            1,
            True,
        )
        assert f"{sys.executable} -m pip install 'mfusepy" in said
    with monkeypatch.context() as patch:
        patch.delitem(sys.modules, "mfusepy", raising=False)
        patch.setenv("FUSE_LIBRARY_PATH", "/nowhere/libfuse3.so.3")
        status, said = run()
        assert (status, "A mount needs libfuse, which this host does not have" in said) == (1, True)
        assert "Install the package fuse3" in said
    with monkeypatch.context() as patch:
        patch.setattr(fuse, "_DEVICE", "/dev/no-fuse")
        status, said = run()
        assert (status, "/dev/no-fuse cannot be opened: No such file or directory." in said) == (1, True)
        assert "modprobe fuse" in said


def test_a_plan_names_what_would_be_mounted_and_mounts_nothing(run, tmp_path):
    status, said = run("--dry-run")
    assert status == 0, said
    assert f"Nothing was mounted. tree of host would be, at {tmp_path / 'mount'}." in said


def test_backups_without_a_catalogue_are_refused_with_the_reason(run, tmp_path):
    place = {"storage": "local", "hostname": golden_version_1.HOST}
    container = golden_version_1.unpack(tmp_path / "earlier")
    status, said = run(options={**place, "container": str(container), "backup_name": golden_version_1.NAMES[0]})
    assert (status, "was made by an earlier release, which stored no list of what is in it" in said) == (1, True)
    container = upstream_backups.unpack(tmp_path / "upstream")
    status, said = run(options={**place, "container": str(container), "backup_name": "bzip2"})
    assert (status, "was made by the agent of OpenStack's Freezer, which stored no list" in said) == (1, True)


def test_only_an_empty_folder_of_the_user_is_mounted_at(run, tmp_path):
    (tmp_path / "full").mkdir()
    write(tmp_path / "full" / "file", b"")
    (tmp_path / "open").mkdir(mode=0o777)
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "open" / "inside").mkdir()
    for name, why in {
        "full": "is not empty, and a mount would hide what is in it; name an empty folder.",
        "full/file": "is no folder to mount at",
        "missing": "is no folder to mount at: No such file or directory.",
        "open": f"Nothing was mounted at {tmp_path}/open: every user may write to {tmp_path}/open.",
        "open/inside": f"every user may write to {tmp_path}/open. Name an empty folder of your own.",
    }.items():
        status, said = run(point=tmp_path / name)
        assert (status, why in said) == (1, True), said
