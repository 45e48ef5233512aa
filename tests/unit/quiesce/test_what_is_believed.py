# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A record names commands, and programs get an environment: what is believed, and what is handed on."""

from __future__ import annotations

import json
import os
import pwd

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.quiesce import hold, programs, state
from ansible_collections.freezer.backup.plugins.module_utils._engine.quiesce.base import QuiesceError
from ansible_collections.freezer.backup.plugins.module_utils._engine.quiesce.state import State


@pytest.fixture
def planted(tmp_path):
    """A folder with the record of a hold whose `finalize` leaves a trace."""
    folder = tmp_path / "planted"
    folder.mkdir(mode=0o700)
    trace = tmp_path / "trace"
    record = {
        "state": "holding",
        "boot_id": state_boot_id(),
        "targets": [{"command": {"finalize": ["touch", str(trace)]}}],
        "timeout_seconds": 5,
        "taken": [0],
    }
    (folder / "default.json").write_text(json.dumps(record))
    (folder / "default.json").chmod(0o600)
    return folder, trace


def state_boot_id():
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def anybody_may_enter(folder):
    folder.chmod(0o711)
    return folder


def anybody_may_write(folder):
    folder.chmod(0o777)
    return folder


def behind_a_link(folder):
    link = folder.with_name("link")
    link.symlink_to(folder)
    return link


def of_another(folder):
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    os.chown(folder, 65534, 65534)
    return folder


def a_file(folder):
    path = folder.with_name("file")
    path.write_text("")
    return path


EVERY_USE = [
    hold.look,
    hold.thaw,
    hold.unfinished,
    lambda folder: hold.freeze([{"command": {"finalize": ["true"]}}], folder=folder),
]


@pytest.mark.parametrize("use", EVERY_USE, ids=["look", "thaw", "unfinished", "freeze"])
@pytest.mark.parametrize("foreign", [anybody_may_enter, anybody_may_write, behind_a_link, of_another, a_file])
def test_a_folder_that_another_could_have_made_is_refused_and_nothing_in_it_is_run(planted, foreign, use):
    folder, trace = planted
    with pytest.raises(QuiesceError, match="nothing in it is trusted"):
        use(str(foreign(folder)))
    assert not trace.exists()


def test_a_folder_of_ours_is_believed(planted):
    folder, trace = planted
    assert hold.look(str(folder))["left"]
    assert hold.thaw(str(folder))["changed"]
    assert trace.exists()


def by_a_link(path):
    path.rename(path.with_name("real"))
    path.symlink_to("real")


def by_a_fifo(path):
    path.unlink()
    os.mkfifo(path)


def by_an_endless_file(path):
    os.truncate(path, 1 << 40)


def others_may_write(path):
    path.chmod(0o666)


def by_nonsense(path):
    path.write_text("[" * 100_000)


@pytest.mark.parametrize("replaced", [by_a_link, by_a_fifo, by_an_endless_file, others_may_write, by_nonsense])
def test_a_record_that_is_no_file_of_ours_is_refused_and_hangs_nothing(planted, replaced):
    folder, trace = planted
    replaced(folder / "default.json")
    for use in (hold.look, hold.thaw):
        with pytest.raises(QuiesceError):
            use(str(folder))
    assert not trace.exists()


def test_holds_are_never_kept_where_another_user_could_make_the_folder_first(monkeypatch, tmp_path):
    monkeypatch.setattr(state.os, "geteuid", lambda: 54321)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))  # root's, or this user's: not that of 54321
    home = pwd.struct_passwd(("some", "x", 54321, 54321, "", "/home/some", "/bin/sh"))
    monkeypatch.setattr(state.pwd, "getpwuid", lambda _user: home)
    assert state.default_folder() == "/home/some/.local/state/freezer-backup/holds"
    os.chown(tmp_path, os.getuid(), -1)
    monkeypatch.setattr(state.os, "geteuid", lambda: tmp_path.stat().st_uid or 54321)
    if tmp_path.stat().st_uid:
        assert state.default_folder() == f"{tmp_path}/freezer-backup"


def test_a_new_folder_is_for_its_user_alone_whatever_the_umask_says(tmp_path):
    before = os.umask(0)
    try:
        State(str(tmp_path / "a" / "b")).make()
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "a", tmp_path / "a" / "b")] == [0o700, 0o700]


def environment_of(os_user=None, variables=None):
    program = programs.start(["/usr/bin/env"], variables, os_user=os_user, talk=True)
    try:
        return dict(line.decode().rstrip("\n").split("=", 1) for line in program.stdout)
    finally:
        program.end()


@pytest.fixture
def secrets(monkeypatch):
    for name in ("OS_PASSWORD", "OS_TOKEN", "AWS_SECRET_ACCESS_KEY", "FREEZER_PASSWORD", "SSH_AUTH_SOCK", "SUDO_USER"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("PGPASSFILE", "/secret")
    monkeypatch.setenv("PATH", f"/root/secret:{os.environ['PATH']}")


def test_a_program_of_this_user_gets_no_password_of_clouds(secrets):
    found = environment_of(variables={"PGUSER": "backup"})
    assert "secret" not in {value for name, value in found.items() if name != "PATH"}
    assert (found["PGUSER"], found["PGPASSFILE"], found["LC_ALL"]) == ("backup", "/secret", "C")


def test_a_program_of_another_user_gets_nothing_of_roots_environment(secrets):
    if os.geteuid() != 0:
        pytest.skip("only root can run a client as another user")
    found = environment_of("nobody", {"PGUSER": "backup"})
    assert "secret" not in " ".join(found.values())
    assert set(found) - {"_", "PWD", "SHLVL"} == {"HOME", "USER", "LOGNAME", "SHELL", "PATH", "LC_ALL", "PGUSER"}
    assert (found["USER"], found["HOME"]) == ("nobody", pwd.getpwnam("nobody").pw_dir)
