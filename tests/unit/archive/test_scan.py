# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What a progress bar is told to expect."""

from __future__ import annotations

import os
import time

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.scan import expected_size
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.tar import Source
from ansible_collections.freezer.backup.plugins.module_utils._engine.progress import Progress


class Listener(Progress):
    """Keeps what it is told."""

    wants_totals = True

    def begin(self, phase, total_bytes=None, total_files=None):
        self.expected, self.done, self.members = (total_bytes, total_files), 0, 0

    def advance(self, done_bytes=0, done_files=0):
        self.done += done_bytes
        self.members += done_files


@pytest.fixture
def folder(tmp_path):
    """Small files, a large one, a sparse one, and a link."""
    top = tmp_path / "source"
    (top / "sub").mkdir(parents=True)
    for number in range(200):
        (top / "sub" / f"file{number}").write_bytes(b"x" * number * 7)
    (top / "large").write_bytes(os.urandom(3 << 20))
    with (top / "sparse").open("wb") as sparse:
        sparse.truncate(1 << 40)
    (top / "link").symlink_to("large")
    return top


def test_the_expectation_is_close_to_what_is_read(folder, tmp_path):
    listener = Listener()
    action = {"path_to_backup": str(folder), "storage": "local", "container": str(tmp_path / "store")}
    agent.backup({**action, "backup_name": "x"}, listener)
    expected_bytes, expected_files = listener.expected
    assert expected_files == listener.members
    assert expected_bytes == listener.done


@pytest.mark.parametrize("compression", ["zstd", "none"])
def test_bar_and_summary_of_a_backup_a_proof_and_a_restore_have_one_measure_of_size(folder, tmp_path, compression):
    (folder / "second name").hardlink_to(folder / "large")
    place = {"storage": "local", "container": str(tmp_path / "store"), "backup_name": "x"}
    seen = []
    listener = Listener()
    made = agent.backup({**place, "path_to_backup": str(folder), "compression": compression}, listener)
    seen.append(listener.done)
    agent.verify({**place, "check": "stream"}, listener)
    seen += [listener.expected[0], listener.done]
    target = str(tmp_path / "target")
    restored = agent.restore({**place, "restore_abs_path": target}, listener)
    seen += [listener.expected[0], listener.done, restored["restored_bytes"]]
    assert set(seen) == {made["source_bytes"]}


def test_after_a_moment_only_what_changed_since_is_expected(folder):
    time.sleep(0.02)  # the clock of a file system is coarse
    now = time.time()
    time.sleep(0.02)
    (folder / "new").write_bytes(bytes(100_000))
    size, members = expected_size(Source(str(folder)), since=now)
    assert members == 3  # two folders and the new file
    assert size == 100_000


def test_what_tar_leaves_out_is_not_expected(folder):
    source = Source(str(folder), exclude=["file*", "./large"], own_output=["./sub/file1"])
    assert expected_size(source)[1] == 4  # two folders, the sparse file and the link
    assert expected_size(Source(str(folder), "large"))[1] == 1
