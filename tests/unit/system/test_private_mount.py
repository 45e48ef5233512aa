# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The way to a folder, and a private mount of it in which no link is followed."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.system import mounts, private_mount
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.errors import HostError
from ansible_collections.freezer.backup.tests.support.guards import NOBODY
from ansible_collections.freezer.backup.tests.support.private_mounts import needs_private_mount
from ansible_collections.freezer.backup.tests.support.trees import write


@pytest.fixture
def opened():
    """Opens folders and closes them at the end; gives a path to the descriptor, and the link that another can exchange."""
    descriptors = []

    def open_folder(path):
        descriptor, link = private_mount.open_folder(str(path))
        descriptors.append(descriptor)
        return f"/proc/self/fd/{descriptor}", link

    yield open_folder
    for descriptor in descriptors:
        os.close(descriptor)


@pytest.fixture
def private(opened):
    """Makes a private mount of a folder; gives a path to it."""
    descriptors = []

    def mount(path):
        descriptors.append(private_mount.open_private_mount(int(opened(path)[0].rpartition("/")[2])))
        return f"/proc/self/fd/{descriptors[-1]}"

    yield mount
    for descriptor in descriptors:
        os.close(descriptor)


def test_the_way_to_a_folder_leads_through_links_of_ones_own(tmp_path, opened):
    (tmp_path / "a" / "b").mkdir(parents=True)
    os.symlink("../a/./b", tmp_path / "a" / "relative")
    os.symlink(tmp_path / "a" / "relative" / ".." / "b", tmp_path / "absolute")
    for path, real in {"absolute": "a/b", "a/relative": "a/b", "a/relative/..//.": "a", "": ""}.items():
        folder, link = opened(tmp_path / path if path else tmp_path)
        assert os.readlink(folder) == str(tmp_path / real).rstrip("/")
        assert link is None


def test_a_link_that_another_user_can_exchange_is_named(tmp_path, opened):
    (tmp_path / "home" / "data").mkdir(parents=True)
    (tmp_path / "home").chmod(0o777)
    os.symlink("data", tmp_path / "home" / "current")
    assert opened(tmp_path / "home" / "data")[1] is None
    folder, link = opened(tmp_path / "home" / "current")
    assert os.readlink(folder) == str(tmp_path / "home" / "data")
    assert link == str(tmp_path / "home" / "current")
    (tmp_path / "home").chmod(0o1777)
    assert opened(tmp_path / "home" / "current")[1] is None
    if os.geteuid() == 0:
        os.chown(tmp_path / "home" / "current", NOBODY, NOBODY, follow_symlinks=False)
        assert opened(tmp_path / "home" / "current")[1] == link


@pytest.mark.parametrize("path", ["nowhere", "file", "file/below", "round"])
def test_a_way_that_ends_at_no_folder_is_an_error_and_leaves_nothing_open(tmp_path, path):
    write(tmp_path / "file")
    os.symlink("round", tmp_path / "round")
    before = os.listdir("/proc/self/fd")
    with pytest.raises(OSError, match=r"No such|Not a directory|is not a folder"):
        private_mount.open_folder(str(tmp_path / path))
    assert os.listdir("/proc/self/fd") == before


@needs_private_mount
def test_in_a_private_mount_nothing_can_be_written_and_no_link_be_followed(tmp_path, private):
    write(tmp_path / "folder" / "file", b"inside")
    os.symlink("folder", tmp_path / "link")
    inside = private(tmp_path)
    for path, code in {"link/file": errno.ELOOP, "folder/new": errno.EROFS}.items():
        with pytest.raises(OSError, match=os.strerror(code)):
            os.close(os.open(f"{inside}/{path}", os.O_WRONLY | os.O_CREAT))
    assert os.readlink(f"{inside}/link") == "folder"
    ours, theirs = os.stat(f"{inside}/folder/file"), os.stat(tmp_path / "folder" / "file")
    assert (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino)
    assert not any(mount.point.startswith(str(tmp_path)) for mount in mounts.read_mounts())
    os.rename(tmp_path / "folder", tmp_path / "moved")
    assert os.listdir(f"{inside}/moved") == ["file"]


@needs_private_mount
def test_a_private_mount_has_what_is_mounted_below_and_not_what_is_mounted_there_later(tmp_path, private):
    for name in ("before", "after"):
        (tmp_path / name).mkdir()

    def mount(name):
        subprocess.run(["mount", "-t", "tmpfs", "none", str(tmp_path / name)], check=True)
        write(tmp_path / name / "file")
        os.symlink("file", tmp_path / name / "link")

    mount("before")
    try:
        inside = private(tmp_path)
        mount("after")
        assert os.listdir(f"{inside}/before") == os.listdir(tmp_path / "before")
        assert os.stat(f"{inside}/before").st_dev == os.stat(tmp_path / "before").st_dev
        assert os.listdir(f"{inside}/after") == []
        with pytest.raises(OSError, match="symbolic links"):
            os.stat(f"{inside}/before/link")
    finally:
        for name in ("before", "after"):
            subprocess.run(["umount", str(tmp_path / name)], check=False)


@needs_private_mount
def test_without_the_right_to_mount_it_says_what_it_takes(tmp_path):
    code = (
        "import sys\n"
        "from ansible_collections.freezer.backup.plugins.module_utils._engine.system import private_mount\n"
        "private_mount.open_private_mount(private_mount.open_folder(sys.argv[1])[0])\n"
    )
    without = ["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin"]
    arguments = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run([*without, *arguments], capture_output=True, text=True, check=False)
    assert "no private mount can be made (Operation not permitted)" in done.stderr
    assert "needs Linux 5.14 and the capability CAP_SYS_ADMIN" in done.stderr


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EINVAL, errno.EPERM, errno.ENOSPC])
def test_what_the_kernel_refuses_is_a_sentence_and_leaves_nothing_open(tmp_path, monkeypatch, code):
    def call(number, *_arguments):
        if number == private_mount._OPEN_TREE:
            return os.open(tmp_path, os.O_RDONLY)
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(private_mount, "_call", call)
    folder = os.open(tmp_path, os.O_RDONLY)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(HostError, match=os.strerror(code)):
        private_mount.open_private_mount(folder)
    assert os.listdir("/proc/self/fd") == before
    os.close(folder)


def test_a_system_without_such_calls_is_named(monkeypatch):
    monkeypatch.setattr(sys, "platform", "freebsd14")
    with pytest.raises(HostError, match="no private mounts on freebsd14"):
        private_mount.open_private_mount(0)
