# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Standard streams that are closed or full: work is done all the same, and a result that nobody gets is a failure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from ansible_collections.freezer.backup.tests.support.agent_process import IMPORT_ROOT

_PROGRAMS = "ansible_collections.freezer.backup.roles.{0}.files.freezer_{0}.{1}"
_UNWRITTEN = "Standard output could not be written: No space left on device.\n"


class Ended(NamedTuple):
    status: int
    said: str


class Place(NamedTuple):
    """A folder with a source and a container."""

    folder: Path

    def agent(self, words: str, redirected: str) -> Ended:
        return run("agent", f"{words} --storage local --container {self.folder}/container", redirected)

    def backup(self, redirected: str, words: str = "") -> Ended:
        return self.agent(f"-F {self.folder}/source -N tree --hostname host {words}", redirected)

    def backups(self) -> list[Path]:
        return [*(self.folder / "container" / "host_tree").glob("*/manifest.json")]


def run(program: str, words: str, redirected: str, unbuffered: bool = False, module: str = "main") -> Ended:
    """A program in a shell that has closed or redirected some of its streams."""
    environ = {**os.environ, "PYTHONPATH": IMPORT_ROOT, "PYTHONUNBUFFERED": "1" if unbuffered else ""}
    line = f"exec {sys.executable} -m {_PROGRAMS.format(program, module)} {words} {redirected}"
    done = subprocess.run(
        ["sh", "-c", line], check=False, capture_output=True, text=True, timeout=60, env=environ, input=""
    )
    return Ended(done.returncode, done.stderr)


@pytest.fixture
def place(tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").write_text("x")
    (tmp_path / "container").mkdir()
    return Place(tmp_path)


@pytest.mark.parametrize("redirected", ["<&- >&- 2>&-", "2>/dev/full"])
def test_streams_that_are_closed_or_full_stop_no_backup(place, redirected):
    assert place.backup(redirected) == (0, "")
    assert len(place.backups()) == 1


def test_a_closed_stream_is_an_empty_one(place, tmp_path):
    assert run("agent", "--stdin", "<&-") == (2, "freezer-agent: What came on standard input is not JSON.\n")
    assert place.agent("--list", ">&-") == (0, "")
    assert run("scheduler", f"job-list --no-api -f {tmp_path}", ">&- <&-") == (0, "")


def test_a_result_that_standard_output_has_no_room_for_is_a_failure(place):
    assert place.agent("--list", ">/dev/full") == (1, f"freezer-agent: {_UNWRITTEN}")
    for words, unbuffered in (("--help", True), ("--version", False)):
        assert run("agent", words, ">/dev/full", unbuffered) == (1, f"freezer-agent: {_UNWRITTEN}")
    assert run("scheduler", "job-list --help", ">/dev/full") == (1, f"freezer-scheduler: {_UNWRITTEN}")
    assert run("api", "--help", ">/dev/full") == (1, f"freezer-api: {_UNWRITTEN}")


@pytest.mark.parametrize("unbuffered", [False, True])
@pytest.mark.parametrize("words", ["--help", "policy list"])
def test_what_freezer_manage_cannot_write_is_a_failure(words, unbuffered):
    assert run("api", words, ">/dev/full", unbuffered, "manage") == (1, f"freezer-manage: {_UNWRITTEN}")


@pytest.mark.parametrize(("where", "named"), [("/dev/full", "/dev/full"), ("- >/dev/full", "standard output")])
def test_metadata_that_cannot_be_written_is_told_beside_the_backup_that_is_there(place, where, named):
    status, said = place.backup("", f"--quiet --metadata-out {where}")
    (manifest,) = place.backups()
    backup_id = json.loads(manifest.read_text())["backup_id"]
    assert said == (
        f"freezer-agent: The result could not be written to {named}: No space left on device. "
        f"The backup {backup_id} itself is there.\n"
    )
    assert status == 3
