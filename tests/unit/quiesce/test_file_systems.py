# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""Freezing file systems: real ones, held by real holders."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.quiesce import hold
from ansible_collections.freezer.backup.plugins.module_utils._engine.quiesce.base import QuiesceError
from ansible_collections.freezer.backup.plugins.module_utils._engine.quiesce.state import State


def test_a_frozen_file_system_takes_no_writes_until_it_is_thawed(host, file_system):
    host.freeze({"path": str(file_system.path)})
    written = threading.Event()

    def write() -> None:
        (file_system.path / "file").write_text("late")
        written.set()

    threading.Thread(target=write, daemon=True).start()
    assert not written.wait(0.5)
    result = host.thaw()
    assert written.wait(5)
    assert (result["changed"], result["released_by"]) == (True, "request")
    assert 0.5 <= result["held_seconds"] < 10


def test_the_same_hold_a_second_time_changes_nothing(host, file_system):
    target = {"path": str(file_system.path)}
    assert host.freeze(target, deadline_seconds=50)["changed"]
    second = host.freeze(target, deadline_seconds=50)
    assert not second["changed"]
    assert 0 < second["remaining_seconds"] < 50
    assert host.thaw()["changed"]
    assert not host.thaw()["changed"]


def test_another_hold_under_the_same_name_is_refused(host, file_system, make_file_system):
    host.freeze({"path": str(file_system.path)})
    other = make_file_system("other")
    with pytest.raises(QuiesceError, match="other targets: file system of .*data"):
        host.freeze({"path": str(other.path)})
    assert not other.is_frozen()
    assert file_system.is_frozen()


def test_holds_with_other_names_are_independent(host, file_system, make_file_system):
    other = make_file_system("other")
    host.freeze({"path": str(file_system.path)})
    host.freeze({"path": str(other.path)}, name="second")
    assert State(str(host.folder)).names() == ["default", "second"]
    host.thaw(name="second")
    assert file_system.is_frozen()
    assert not other.is_frozen()


def test_a_path_below_the_mount_point_freezes_its_file_system(host, file_system):
    (file_system.path / "deep" / "er").mkdir(parents=True)
    result = host.freeze({"path": str(file_system.path / "deep" / "er")})
    assert file_system.is_frozen()
    assert result["targets"][0]["mount_point"] == str(file_system.path)


def test_two_paths_of_one_file_system_are_refused(host, file_system):
    (file_system.path / "folder").mkdir()
    with pytest.raises(QuiesceError, match="name it once"):
        host.freeze({"path": str(file_system.path)}, {"path": str(file_system.path / "folder")})


@pytest.mark.parametrize("path", ["/", "/tmp", "/var/log", sys.prefix])
def test_what_ansible_needs_is_refused(host, path):
    with pytest.raises(QuiesceError, match=r"was not frozen: .* is on it"):
        host.freeze({"path": path})


def test_ansibles_own_folder_is_refused_unless_forced(host, file_system):
    with pytest.raises(QuiesceError, match="Use force if you are sure"):
        host.freeze({"path": str(file_system.path)}, needed_paths=[str(file_system.path / "ansible")])
    assert not file_system.is_frozen()
    host.freeze({"path": str(file_system.path)}, needed_paths=[str(file_system.path / "ansible")], force=True)
    assert file_system.is_frozen()


def test_the_holders_own_folder_is_refused_even_if_forced(file_system):
    with pytest.raises(QuiesceError, match="the holder itself writes to"):
        hold.freeze([{"path": str(file_system.path)}], folder=str(file_system.path / "holds"), force=True)
    assert not file_system.is_frozen()


def test_what_another_process_has_frozen_stays_frozen(host, file_system):
    file_system.freeze()
    with pytest.raises(QuiesceError, match="another process has frozen it already"):
        host.freeze({"path": str(file_system.path)})
    host.wait_until_over()
    assert file_system.is_frozen()


def test_a_thaw_by_another_process_is_reported(host, file_system):
    host.freeze({"path": str(file_system.path)})
    file_system.thaw()
    result = host.thaw()
    assert "was thawed by another process" in result["problems"][0]


def test_a_file_system_that_cannot_be_frozen_is_named(host):
    with pytest.raises(QuiesceError, match=r"file system of /dev/shm cannot be frozen"):
        host.freeze({"path": "/dev/shm"})


def test_if_one_cannot_be_frozen_none_stays_frozen(host, file_system):
    with pytest.raises(QuiesceError, match="/dev/shm"):
        host.freeze({"path": str(file_system.path)}, {"path": "/dev/shm"})
    assert not file_system.is_frozen()
    host.wait_until_over()


def test_a_path_that_is_not_there_is_refused(host):
    with pytest.raises(QuiesceError, match="There is no /nowhere"):
        host.freeze({"path": "/nowhere"})


def test_without_the_right_to_freeze_it_says_what_it_takes(tmp_path, file_system):
    code = (
        "import sys\n"
        "from ansible_collections.freezer.backup.plugins.module_utils._engine.quiesce import hold\n"
        "hold.freeze([{'path': sys.argv[1]}], folder=sys.argv[2])\n"
    )
    without = ["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin"]
    arguments = [sys.executable, "-c", code, str(file_system.path), str(tmp_path / "holds")]
    done = subprocess.run([*without, *arguments], capture_output=True, text=True, check=False)
    assert "cannot be frozen: only root can do that (CAP_SYS_ADMIN)" in done.stderr
    assert not file_system.is_frozen()
