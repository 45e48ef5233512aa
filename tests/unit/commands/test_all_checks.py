# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""tools/check, which `make test` calls: nothing that failed is lost, although one check runs beside the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture
def check(tmp_path):
    """Runs tools/check with programs in place of labs, checks and pytest that end as the test says."""
    programs = {
        "tools/labs": "exit 1",
        "tools/lint": 'echo "lint: $1"; eval "exit \\$$1"',
        ".venv/bin/python": 'echo "tests: $*"; exit "$tests"',
    }
    for name, text in programs.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    shutil.copy(CHECKOUT / "tools/check", tmp_path / "tools/check")

    def run(quick=0, sanity=0, tests=0):
        ends = {"quick": str(quick), "sanity": str(sanity), "tests": str(tests)}
        done = subprocess.run(
            [tmp_path / "tools/check", "3"], env={**os.environ, **ends}, capture_output=True, text=True, check=False
        )
        assert done.stderr == ""
        assert list((tmp_path / "build").iterdir()) == []
        return done.returncode, done.stdout.splitlines()

    return run


def test_all_that_is_well_is_said_once(check):
    status, lines = check()
    assert status == 0
    assert sorted(lines) == ["lint: quick", "lint: sanity", "tests: -m pytest --numprocesses 3 --durations 10"]


def test_no_test_begins_after_a_quick_check_that_failed(check):
    status, lines = check(quick=1)
    assert status == 1
    assert sorted(lines) == ["lint: quick", "lint: sanity"]


def test_a_sanity_test_that_fails_is_a_failure_and_stands_at_the_end_too(check):
    status, lines = check(sanity=1)
    assert status == 1
    assert lines.count("lint: sanity") == 2
    assert lines[-1] == "lint: sanity"


def test_a_test_that_fails_is_a_failure(check):
    assert check(tests=3)[0] == 3
