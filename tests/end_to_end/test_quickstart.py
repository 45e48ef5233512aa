# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""The tour for newcomers, as `make quickstart` takes it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.tools import quickstart

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def take_tour(tmp_path):
    """Runs the tour with a home and places of its own, and sees that nothing is written there."""
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    temporary.mkdir()

    def take(*arguments: object) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "OS_"))}
        environment |= {"HOME": str(home), "http_proxy": "http://127.0.0.1:9"}
        environment |= {"TMPDIR": str(temporary), "FREEZER_BACKUP_STATE": str(home / "known")}
        argv = [sys.executable, CHECKOUT / "tools" / "quickstart.py", *arguments]
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert (list(home.iterdir()), list(temporary.iterdir())) == ([], [])
        return done

    return take


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "a folder"
    (folder / "below").mkdir(parents=True)
    for number in range(5):
        (folder / "below" / f"file {number}").write_text(f"{number}\n" * 1000)
    (folder / "link").symlink_to("below")
    return folder


def test_the_tour_ends_with_a_summary_a_second_time_too(take_tour, source, tmp_path):
    state = tmp_path / "the state"
    for known in (2, 4):
        done = take_tour(source, "--state", state)
        assert done.returncode == 0, done.stdout + done.stderr
        summary = done.stdout.partition("\nBacked up ")[2]
        assert f"a copy of {source}" in summary
        assert "level 0 (full)" in summary
        assert "level 1 (what changed since level 0)" in summary
        assert f"success, {known} backups known" in summary
    assert (state / "restored-older" / "below" / "file 0").read_text() == "0\n" * 1000
    assert not (state / "restored-older" / "added later").exists()
    assert (state / "restored-newest" / "added later" / "file").is_file()
    assert [path for path in source.rglob("*") if "added" in path.name] == []


def test_a_folder_whose_path_is_too_long_for_a_socket_can_be_written_to(tmp_path):
    for name, inside in (("short", True), ("long" * 30, False)):
        state = tmp_path / name
        state.mkdir()
        with quickstart.socket_path(state) as path:
            assert path.is_relative_to(state) is inside
            assert len(os.fsencode(path)) <= quickstart.LONGEST_SOCKET_BYTES
            assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["/there/is/none"], "is not a folder"), (["{source}", "--state", "{source}/state"], "lies inside")],
)
def test_a_folder_that_cannot_be_toured_gets_a_sentence(take_tour, source, arguments, said):
    done = take_tour(*[argument.format(source=source) for argument in arguments])
    assert done.returncode == 1
    assert done.stderr.startswith("make quickstart: ")
    assert said in done.stderr
    assert not (source / "state").exists()
