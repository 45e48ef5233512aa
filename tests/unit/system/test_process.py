# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The one way to start a program: what it gets, what is read of it, and how it ends."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.system import process
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.errors import HostError

ROOT = Path(__file__).parents[3]
SHELL = ["sh", "-c"]


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_no_other_file_of_engine_and_programs_starts_programs():
    words = ("import subprocess", "from subprocess", "os.system(", "os.popen(", "posix_spawn(", "os.exec", "shell=True")
    found = {
        str(path.relative_to(ROOT))
        for folder in ("plugins", "roles")
        for path in (ROOT / folder).rglob("*.py")
        if any(word in path.read_text() for word in words)
    }
    assert found == {"plugins/module_utils/_engine/system/process.py"}


def test_a_program_gets_no_secret_and_no_options_of_a_shell(monkeypatch):
    for name in ("OS_PASSWORD", "FREEZER_PASSWORD", "AWS_SECRET_ACCESS_KEY", "TAR_OPTIONS", "ZSTD_CLEVEL"):
        monkeypatch.setenv(name, "not to be seen")
    monkeypatch.setenv("TMPDIR", "/var/tmp")
    monkeypatch.setenv(process.RUN_MARK, "run-0-1")
    found = dict(line.split("=", 1) for line in process.run(["env"]).output.splitlines())
    assert "not to be seen" not in found.values()
    assert (found["LC_ALL"], found["TMPDIR"], found[process.RUN_MARK]) == ("C", "/var/tmp", "run-0-1")
    assert "LVM_SYSTEM_DIR" not in found


def test_without_a_path_no_program_comes_from_the_working_folder(monkeypatch, tmp_path):
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "tool").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    assert process.find("tool") is None
    assert process.find("sh") is not None


def test_a_program_that_does_not_end_in_time_is_asked_and_then_killed_with_what_it_has_started(tmp_path):
    script = f"trap '' TERM; sleep 60 & echo $! > {tmp_path}/child; echo begun; echo why >&2; wait; wait"
    done = process.run([*SHELL, script], timeout_seconds=0.3, patience_seconds=0.3, own_session=True)
    assert done.status is None
    assert (done.output, done.said) == ("begun\n", "why\nit did not end in 0.3 s")
    # It was killed, but is the child of another process, which is not there to wait for it.
    end = time.monotonic() + 30
    while lives(int((tmp_path / "child").read_text())):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_program_that_ends_when_asked_may_finish_what_it_does():
    done = process.run(
        [*SHELL, "trap 'echo finished; exit 3' TERM; while :; do sleep 0.05; done"],
        timeout_seconds=0.3,
        patience_seconds=30,
    )
    assert (done.status, done.output) == (None, "finished\n")


def test_what_a_program_has_left_in_the_background_is_not_waited_for():
    script = "sleep 60 & echo $!"
    done = process.run([*SHELL, script], own_session=True)
    try:
        assert done.status == 0
        assert lives(int(done.output))
    finally:
        os.kill(int(done.output), 9)


def test_the_end_of_the_block_ends_a_program_whatever_happened():
    with pytest.raises(KeyboardInterrupt), process.Program(["cat"], stdin=process.PIPE) as program:
        raise KeyboardInterrupt
    assert not lives(program.pid)
    assert program.stdin.closed


def test_only_the_end_of_what_a_program_says_is_read_and_only_so_much_of_what_it_prints(monkeypatch):
    monkeypatch.setattr(process, "_OUTPUT_BYTES", 1000)
    monkeypatch.setattr(process, "_ERROR_BYTES", 10)
    done = process.run([*SHELL, "echo 0123456789abcdef >&2"])
    assert done.said == "789abcdef"
    with pytest.raises(HostError, match="prints more than 1000 bytes"):
        process.run([sys.executable, "-c", "print('x' * 1001)"])


def test_a_program_that_is_not_there_is_named():
    with pytest.raises(HostError, match=r"^/nowhere/tar cannot be started: No such file or directory\.$"):
        process.run(["/nowhere/tar"])


def test_a_program_of_a_user_that_is_not_there_is_not_started():
    with pytest.raises(HostError, match="There is no user nobody-such"):
        process.Program(["true"], os_user="nobody-such")


def test_the_reason_is_told_and_not_a_warning_that_came_before_it():
    said = "  WARNING: Sum of all thin volume sizes (160.00 MiB) exceeds the size of thin pool.\n  Not enough space.\n"
    assert process.Done(5, "", said).first_words == "Not enough space"
    assert process.Done(5, "", "WARNING: it is late.\n").first_words == "WARNING: it is late"
    assert process.Done(5, "", "").first_words == "it ended with status 5"
