# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Bounds and hosts: memory does not follow the size of the source, and Python 3.9 without any library is enough."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.tests.support import agent_process
from ansible_collections.freezer.backup.tests.support.key_files import pass_file
from ansible_collections.freezer.backup.tests.support.sets import Set, differences
from ansible_collections.freezer.backup.tests.support.soak import SOAK
from ansible_collections.freezer.backup.tests.support.trees import make_everything, open_for_removal, write

BOUND_BYTES = 96 << 20
RESTORE_BOUND_BYTES = 128 << 20
# Not ru_maxrss: that of a process begins with the memory of whoever started it.
PEAK = """
import re, resource
peak = re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read()).group(1)
result["peak_bytes"] = 1024 * int(peak)
result["peak_of_a_child_bytes"] = 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
"""
LIST = """
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent
agent.list = lambda action: agent.read_contents(action, "list")
"""
_LONG = 3600.0
WITHOUT_LIBRARIES = "sys.modules['zstandard'] = None"


@pytest.mark.parametrize("compression", ["zstd", "none"])
def test_memory_stays_bounded_for_data_of_hundreds_of_megabytes(tmp_path, compression):
    some = Set(tmp_path, compression=compression)
    with open(some.source / "big", "wb") as big:
        block = os.urandom(1 << 20) + bytes(7 << 20)
        for _count in range(40):
            big.write(block)
    result = agent_process.run("backup", some.options, after=PEAK)
    assert result["source_bytes"] == 320 << 20
    assert result["peak_bytes"] < BOUND_BYTES
    assert result["peak_of_a_child_bytes"] < BOUND_BYTES
    for work in ("verify", "restore"):
        target = some.new_target()
        result = agent_process.run(work, some.action_to_restore(target), after=PEAK)
        assert max(result["peak_bytes"], result["peak_of_a_child_bytes"]) < BOUND_BYTES
    assert differences(some.source, target) == []


@pytest.mark.parametrize(("compression", "level"), [pytest.param("zstd", 19, marks=pytest.mark.soak), ("xz", 9)])
def test_memory_stays_bounded_on_four_cores_with_the_level_that_takes_most(tmp_path, compression, level):
    some = Set(tmp_path, max_level=1, compression=compression, compression_level=level, block_level_size="1M")
    four_cores = "import os; os.sched_getaffinity = lambda _process: {0, 1, 2, 3}"
    for number in range(2):  # then in blocks
        write(some.source / "large", b"".join(b"%d %d\n" % (number, line) for line in range(500_000)))
        result = agent_process.run("backup", some.options, before=four_cores, after=PEAK)
        assert (result["level"], result["peak_bytes"] < BOUND_BYTES) == (number, True)


@pytest.mark.parametrize("encryption", ["age", pytest.param("aes-256-cfb", marks=pytest.mark.soak)])
def test_memory_stays_bounded_with_a_passphrase(tmp_path, encryption):
    """What makes a passphrase expensive to try out takes memory; the program age takes 256 MiB for it."""
    some = Set(tmp_path, max_level=1, encryption=encryption, encrypt_pass_file=pass_file(tmp_path))
    environment = {"FREEZER_BACKUP_STATE": str(tmp_path / "state")}
    for work in ("backup", "backup", "verify", "restore", "info"):
        write(some.source / work, os.urandom(2_000_000))
        action = some.action_to_restore(some.new_target()) if work == "restore" else some.options
        result = agent_process.run(work, action, after=PEAK, env=environment)
        assert result["peak_bytes"] < BOUND_BYTES, work


def test_memory_stays_bounded_for_a_hole_of_six_gibibytes(tmp_path):
    some = Set(tmp_path)
    with open(some.source / "hole", "wb") as hole:
        hole.truncate(6 << 30)
    result = agent_process.run("backup", some.options, after=PEAK)
    assert (result["source_bytes"], result["peak_bytes"] < BOUND_BYTES) == (6 << 30, True)


def test_a_backup_of_more_segments_than_a_process_may_have_files_open_is_restored(tmp_path):
    some = Set(tmp_path, compression="none", max_segment_size="64K")
    with open(some.source / "big", "wb") as big:
        for _count in range(60):
            big.write(os.urandom(1 << 20))
    some.backup()
    few = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))"
    target = some.new_target()
    assert agent_process.run("restore", some.action_to_restore(target), before=few)["outcome"] == "success"
    assert differences(some.source, target) == []


def test_memory_stays_bounded_for_a_sparse_file_of_a_tebibyte_and_its_map(tmp_path):
    some = Set(tmp_path, max_level=3)
    sparse = some.source / "sparse"
    written = {0: b"first", 300 << 30: os.urandom(3 << 20), (1 << 40) - 7: b"the end"}
    sparse.touch()
    os.truncate(sparse, 1 << 40)
    for level in range(2):
        for place, content in written.items():
            _write_at(sparse, place, content)
        result = agent_process.run("backup", some.options, after=PEAK)
        assert (result["level"], result["peak_bytes"] < BOUND_BYTES) == (level, True)
        written[700 << 30] = b"between"
    target = some.new_target()
    result = agent_process.run("restore", some.action_to_restore(target), after=PEAK)
    assert max(result["peak_bytes"], result["peak_of_a_child_bytes"]) < RESTORE_BOUND_BYTES
    restored = target / "sparse"
    assert (restored.stat().st_size, restored.stat().st_blocks < 16 << 11) == (1 << 40, True)
    with open(restored, "rb") as file:
        for place, content in written.items():
            file.seek(place)
            assert file.read(len(content)) == content


def _write_at(path: Path, place: int, content: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(place)
        file.write(content)


@pytest.mark.rounds
def test_memory_stays_bounded_for_many_files(tmp_path):
    _bounded_for_names(Set(tmp_path, max_level=3), 100 if SOAK else 10)


@pytest.mark.soak
def test_memory_stays_bounded_for_two_million_names(tmp_path):
    _bounded_for_names(Set(tmp_path, max_level=3), 2000, tar_bytes=128 << 20)


def _bounded_for_names(some: Set, folders: int, tar_bytes: int = BOUND_BYTES) -> None:
    """Back up twice, list, and restore a file and all. tar itself remembers all names of what it backs up."""
    for number in range(folders):
        folder = some.source / f"folder {number}"
        folder.mkdir()
        for name in range(1000):
            os.mknod(folder / f"a file with a rather long name, number {name}")
    for level in range(2):
        result = agent_process.run("backup", some.options, after=PEAK, timeout_seconds=_LONG)
        assert (result["level"], result["peak_bytes"] < BOUND_BYTES) == (level, True)
        assert result["peak_of_a_child_bytes"] < tar_bytes
    asked = {key: value for key, value in some.options.items() if key not in ("path_to_backup", "max_level")}
    listed = agent_process.run("list", asked, before=LIST, after=PEAK, timeout_seconds=_LONG)
    assert (listed["entries_count"], listed["peak_bytes"] < RESTORE_BOUND_BYTES) == (1 + folders * 1001, True)
    one = {"include": ["folder 7/a file with a rather long name, number 7"]}
    for part in (one, {}):
        action = some.action_to_restore(some.new_target(), **part)
        result = agent_process.run("restore", action, after=PEAK, timeout_seconds=_LONG)
        assert result["outcome"] == "success"
        assert max(result["peak_bytes"], result["peak_of_a_child_bytes"]) < RESTORE_BOUND_BYTES
    assert result["counts"] == {"directories": folders, "files": folders * 1000}


def older_python():
    """A Python 3.9 if this machine has one, else the oldest that it has, which may be the one that runs the tests."""
    found = [shutil.which("python3.9"), *sorted(Path.home().glob(".pyenv/versions/3.9*/bin/python3.9"))]
    found += [shutil.which("python3.10"), "/usr/bin/python3", sys.executable]
    for python in found:
        if python is None or not os.access(python, os.X_OK):
            continue
        works = subprocess.run([python, "-c", "import sys; sys.exit(sys.version_info < (3, 9))"], check=False)
        if works.returncode == 0:
            return str(python)
    return sys.executable


def test_the_oldest_python_here_backs_up_and_restores_without_any_library(tmp_path):
    python = older_python()
    some = Set(tmp_path, max_level=3)
    make_everything(some.source)
    try:
        for level in range(2):
            result = agent_process.run("backup", some.options, python=python, before=WITHOUT_LIBRARIES)
            assert (result["level"], result["outcome"]) == (level, "success")
            write(some.source / "new", b"new")
        write(some.source / "folder" / "x", b"new")
        agent_process.run("backup", some.options, python=python, before=WITHOUT_LIBRARIES)
        assert (
            agent_process.run("verify", some.options, python=python, before=WITHOUT_LIBRARIES)["outcome"] == "success"
        )
        target = some.new_target()
        action = some.action_to_restore(target)
        agent_process.run("restore", action, python=python, before=WITHOUT_LIBRARIES)
        assert differences(some.source, target) == []
        again = some.new_target()
        some.restore(again)  # by the Python that runs the tests
        assert differences(some.source, again) == []
        listed = agent_process.run("info", some.options, python=python, before=WITHOUT_LIBRARIES)
        assert len(listed["backups"]) == 3
    finally:
        open_for_removal(tmp_path)
