# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What is mounted below the path: in the backup, or left out and named; what holds no files is never read."""

from __future__ import annotations

import os
import subprocess

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import results
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive import scan, tar
from ansible_collections.freezer.backup.plugins.module_utils._engine.system import mounts
from ansible_collections.freezer.backup.tests.support.sets import Set, differences, tick
from ansible_collections.freezer.backup.tests.support.trees import write


class Mounted:
    """A source with a file system and /proc mounted below it."""

    def __init__(self, folder):
        self.set = Set(folder, max_level=5)
        self._points = []
        write(self.set.source / "own", b"own")

    def mount(self, kind, name):
        point = self.set.source / name
        point.mkdir()
        try:
            subprocess.run(["mount", "-t", kind, "none", str(point)], check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            if os.environ.get("CI") == "true":
                raise
            pytest.skip(f"nothing can be mounted here: {getattr(error, 'stderr', '') or error}")
        self._points.append(point)
        return point

    def unmount(self, point):
        subprocess.run(["umount", "-l", str(point)], check=False)
        self._points.remove(point)

    def close(self):
        for point in reversed(list(self._points)):
            self.unmount(point)


@pytest.fixture
def mounted(tmp_path):
    made = Mounted(tmp_path)
    yield made
    made.close()


def test_what_is_mounted_below_the_path_is_in_the_backup(mounted):
    point = mounted.mount("tmpfs", "data [1]*")
    write(point / "folder" / "file", b"mounted")
    tick()
    made = mounted.set.backup()
    assert (made["outcome"], made["left_out_count"]) == ("success", 0)
    target = mounted.set.new_target()
    mounted.set.restore(target)
    assert (target / "data [1]*" / "folder" / "file").read_bytes() == b"mounted"
    assert differences(mounted.set.source, target) == []
    tick()
    write(point / "second", b"2")
    os.unlink(point / "folder" / "file")
    made = mounted.set.backup()
    assert made["level"] == 1
    assert made["counts"]["files"] == 1
    mounted.set.restore(target, overwrite=True)
    target = mounted.set.new_target()
    mounted.set.restore(target)
    assert differences(mounted.set.source, target) == []


def test_what_holds_no_files_is_an_empty_folder_in_the_backup_and_named(mounted):
    for name in ("proc", "proc *"):
        mounted.mount("proc", name)
    data = mounted.mount("tmpfs", "data")
    write(data / "file", b"mounted")
    write(mounted.set.source / "process" / "file", b"its name begins like the other")
    made = mounted.set.backup()
    assert made["outcome"] == "success"
    assert [one["path"] for one in made["left_out"]] == ["./proc", "./proc *"]
    assert "proc holds no files" in made["left_out"][0]["message"]
    assert made["reason"].endswith("2 other file systems were left out: ./proc, ./proc *")
    assert (made["unreadable_count"], made["counts"]["files"]) == (0, 3)
    target = mounted.set.new_target()
    mounted.set.restore(target)
    assert os.listdir(target / "proc") == []
    assert (target / "data" / "file").read_bytes() == b"mounted"
    assert mounted.set.backup()["level"] == 1


def test_with_one_file_system_it_is_left_out_counted_and_no_failure(mounted):
    write(mounted.mount("tmpfs", "data") / "file", b"mounted")
    made = mounted.set.backup(one_file_system=True)
    assert (made["outcome"], made["left_out_count"], made["source_bytes"]) == ("success", 1, 3)
    assert made["left_out"][0]["path"] == "./data"
    assert made["reason"].endswith("; 1 other file system was left out: ./data")


def test_a_set_goes_on_where_nothing_is_mounted_and_begins_anew_where_something_is(mounted):
    assert mounted.set.backup(one_file_system=True)["level"] == 0
    assert mounted.set.backup()["level"] == 1
    point = mounted.mount("tmpfs", "data")
    made = mounted.set.backup()
    assert made["level"] == 0
    assert made["reason"].startswith(
        f"the selection of files has changed: file systems mounted below {mounted.set.source} are read now, and were not "
        "before"
    )
    mounted.unmount(point)
    made = mounted.set.backup(exclude=["*.bak"])
    assert made["reason"].startswith(
        f"the selection of files has changed: exclude has changed, and file systems mounted below {mounted.set.source} were read"
    )


def test_another_file_system_at_the_same_point_is_read_whole_however_old_its_files_are(mounted):
    point = mounted.mount("tmpfs", "data")
    write(point / "file", b"of the first")
    os.utime(point / "file", (1, 1))
    mounted.set.backup()
    mounted.unmount(point)
    point.rmdir()
    point = mounted.mount("tmpfs", "data")
    write(point / "file", b"of the other")
    os.utime(point / "file", (1, 1))
    mounted.set.backup()
    target = mounted.set.new_target()
    mounted.set.restore(target)
    assert (target / "data" / "file").read_bytes() == b"of the other"


def test_the_expected_size_does_not_count_what_is_not_entered(tmp_path):
    write(tmp_path / "proc" / "kcore", b"x" * 100_000)
    whole = scan.expected_size(tar.Source(str(tmp_path), one_file_system=False))
    without = scan.expected_size(tar.Source(str(tmp_path), one_file_system=False, not_entered=["./proc"]))
    assert (whole[0], without[0]) == (100_000, 0)


def test_kinds_without_files_are_found_in_the_mount_table_where_nothing_covers_them():
    def mount(point, kind):
        return mounts.Mount("0:1", "/", point, kind, "none")

    table = [
        mount("/", "ext4"),
        mount("/proc", "proc"),
        mount("/proc/sys/fs/binfmt_misc", "binfmt_misc"),
        mount("/sys", "sysfs"),
        mount("/net", "autofs"),
        mount("/net", "nfs4"),
        mount("/srv/chroot/dev", "devtmpfs"),
        mount("/data", "xfs"),
        mount("/tmp", "tmpfs"),
    ]
    found = [(one.point, one.kind) for one in mounts.without_files("/", table)]
    assert found == [("/proc", "proc"), ("/srv/chroot/dev", "devtmpfs"), ("/sys", "sysfs")]
    assert [one.point for one in mounts.without_files("/srv", table)] == ["/srv/chroot/dev"]
    assert mounts.without_files("/proc", table[:2]) == []


def test_many_left_out_are_counted_and_some_of_them_named():
    entries = [{"path": f"./{name}"} for name in "abcdefg"]
    said = results.left_out_said({"left_out_count": 7, "left_out": entries})
    assert said == "7 other file systems were left out: ./a, ./b, ./c, ./d, ./e and 2 more"
