# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Progress in logs."""

from __future__ import annotations

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.progress import Progress
from ansible_collections.freezer.backup.roles.agent.files.freezer_agent.progress_lines import ProgressLines, Several

MEBIBYTE = 1 << 20


class Clock:
    """A clock that the test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def said():
    return []


@pytest.fixture
def lines(clock, said):
    return ProgressLines(said.append, interval_seconds=5, clock=clock)


def test_a_line_comes_at_most_every_few_seconds(lines, clock, said):
    lines.begin("backup", total_bytes=100 * MEBIBYTE)
    for _second in range(20):
        clock.now += 1
        lines.advance(done_bytes=MEBIBYTE)
    assert len(said) == 4


def test_a_line_says_percent_bytes_speed_and_time_left(lines, clock, said):
    lines.begin("backup", total_bytes=100 * MEBIBYTE)
    lines.advance(done_files=300)
    clock.now += 10
    lines.advance(done_bytes=25 * MEBIBYTE)
    assert said == ["backup: 25%, 25.0 MiB of 100 MiB, 300 files, 2.50 MiB/s, 30 s left"]


def test_without_a_total_there_is_no_percent_and_no_time_left(lines, clock, said):
    lines.begin("backup")
    clock.now += 10
    lines.advance(done_bytes=20 * MEBIBYTE, done_files=1)
    assert said == ["backup: 20.0 MiB, 1 file, 2.00 MiB/s"]


def test_more_than_expected_is_not_more_than_all(lines, clock, said):
    lines.begin("restore", total_bytes=MEBIBYTE)
    clock.now += 10
    lines.advance(done_bytes=2 * MEBIBYTE)
    assert said[0].startswith("restore: 100%, ")
    assert said[0].endswith(", 0 ms left")


def test_outside_a_phase_nothing_is_said(lines, clock, said):
    clock.now += 10
    lines.advance(done_bytes=1)
    lines.begin("verify")
    lines.end()
    clock.now += 10
    lines.advance(done_bytes=1)
    assert said == []


def test_a_log_asks_for_no_totals_and_a_bar_beside_it_does(lines):
    class Bar(Progress):
        wants_totals = True

    assert not Several([lines]).wants_totals
    assert Several([lines, Bar()]).wants_totals
