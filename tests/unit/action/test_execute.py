# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The action exec: what its command gets, and how it ends."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.execute import execute
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.errors import HostError
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.process import Program


def lives(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_command_that_is_ended_takes_what_it_has_started_with_it(tmp_path, monkeypatch):
    noted = tmp_path / "child"
    waits = Program.wait

    def interrupted(program, timeout_seconds=None):
        if timeout_seconds is not None:
            return waits(program, timeout_seconds)
        while not noted.exists() or not noted.read_text().endswith("\n"):
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(Program, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        execute({"command": ["sh", "-c", f"sleep 60 & echo $! > {noted}; wait"]})
    # Both have been killed; of the one that has no parent left, only the kernel knows when.
    end = time.monotonic() + 30
    while lives(noted.read_text().strip()):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_command_gets_the_environment_of_its_agent(tmp_path, monkeypatch):
    monkeypatch.setenv("OS_CLOUD", "west")
    result = execute({"command": ["sh", "-c", f'test "$OS_CLOUD" = west && > {tmp_path}/here']})
    assert (result["outcome"], result["command_status"], (tmp_path / "here").exists()) == ("success", 0, True)


def test_a_command_that_is_not_there_is_named():
    with pytest.raises(HostError, match=r"^/nowhere/tool cannot be started: No such file or directory\.$"):
        execute({"script": "/nowhere/tool"})
