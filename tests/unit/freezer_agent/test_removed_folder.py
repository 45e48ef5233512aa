# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The folder in which a program was started may have been removed since."""

from __future__ import annotations

import pytest

from ansible_collections.freezer.backup.roles.agent.files.freezer_agent import exit_status
from ansible_collections.freezer.backup.roles.agent.files.freezer_agent.main import Run
from ansible_collections.freezer.backup.tests.support.trees import write


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """The exit status and the last line of a run from a folder that has been removed."""
    write(tmp_path / "source" / "file", b"x")
    (tmp_path / "container").mkdir()
    (tmp_path / "removed").mkdir()
    monkeypatch.chdir(tmp_path / "removed")
    (tmp_path / "removed").rmdir()

    def go(*words: str) -> tuple[int, str]:
        status = Run().go(words, exit_status.Signals())
        return status, (capsys.readouterr().err.splitlines() or [""])[-1]

    return go


def test_absolute_paths_are_backed_up_and_restored_from_a_removed_folder(run, tmp_path):
    place = ["--storage", "local", "-C", f"{tmp_path}/container", "-N", "tree", "--quiet"]
    for compression in ("gzip", "zstd"):
        assert run("-F", f"{tmp_path}/source", *place, "--compression", compression) == (0, "")
        target = tmp_path / compression
        assert run("--action", "restore", *place, "--restore-abs-path", str(target)) == (0, "")
        assert (target / "file").read_bytes() == b"x"


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("-F", "source", "--storage", "local", "-C", "/x"), "--path-to-backup"),
        (("-F", "/etc", "--storage", "local", "-C", "container"), "--container"),
    ],
)
def test_a_relative_path_from_a_removed_folder_is_answered_with_a_sentence(run, words, name):
    status, said = run(*words)
    assert said.startswith(
        f"freezer-agent: {name} is a path from the current folder, which has been removed; go to another"
    )
    assert status == exit_status.UNUSABLE
