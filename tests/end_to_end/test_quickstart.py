# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""The tour for newcomers, as `make quickstart` takes it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def take_tour(tmp_path):
    """Runs the tour with a home of its own, and sees that nothing is written there."""
    home = tmp_path / "home"
    home.mkdir()

    def take(*arguments: object) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "OS_"))}
        environment |= {"HOME": str(home), "http_proxy": "http://127.0.0.1:9"}
        argv = [sys.executable, CHECKOUT / "tools" / "quickstart.py", *arguments]
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert list(home.iterdir()) == []
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
    state = tmp_path / "state"
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
