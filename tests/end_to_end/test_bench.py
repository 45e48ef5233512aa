# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""`make bench` in small: what it measures, prints and writes, not how fast anything is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
BENCH = CHECKOUT / "tests/bench/bench.py"
DATASET = CHECKOUT / "tests/bench/dataset.py"
CONTESTS = ["level_0", "restore", "verify", "level_1_unchanged", "level_1_changed", "tiny_unchanged"]
CONTESTS += ["list", "ansible_call", "job_set_unchanged", "job_set_new", "due_times"]
TINY = "0.002"


# What is measured against needs not be there for this test of the measuring: any program that speaks zstd will do.
ZSTD = """\
import sys, zstandard
work = zstandard.ZstdDecompressor() if "-dc" in sys.argv else zstandard.ZstdCompressor()
source = open(sys.argv[-1], "rb") if sys.argv[-1][0] != "-" else sys.stdin.buffer
work.copy_stream(source, sys.stdout.buffer) if sys.argv[1:] != ["--version"] else print("python zstandard")
"""


def _python(*argv: str | Path, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": path}
    return subprocess.run([sys.executable, *argv], capture_output=True, text=True, check=False, env=environment)


def _path_with_zstd(folder: Path) -> str:
    """PATH with a `zstd` on it, one of our own where the machine has none."""
    if shutil.which("zstd"):
        return os.environ["PATH"]
    (folder / "zstd.py").write_text(ZSTD)
    program = folder / "zstd"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{folder}/zstd.py" "$@"\n')
    program.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict, Path]:
    """What one small run printed and wrote, and the folder that it worked in."""
    work = tmp_path_factory.mktemp("bench")
    path = _path_with_zstd(tmp_path_factory.mktemp("zstd"))
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setenv("FREEZER_BACKUP_STATE", str(work.parent / f"{work.name}-known"))
    done = _python(BENCH, "--scale", TINY, "--pairs", "1", "--work", work, "--output", work / "bench.json", path=path)
    monkeypatch.undo()
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads((work / "bench.json").read_text()), work


def test_bench_measures_every_contest_on_both_sides(finished: tuple[str, dict, Path]) -> None:
    _table, document, _work = finished
    assert [contest["name"] for contest in document["contests"]] == CONTESTS
    for contest in document["contests"]:
        assert contest["pairs"] == len(contest["ratios"]) == 1
        for side in ("ours", "peer"):
            (run,) = contest["runs"][side]
            assert run["wall_seconds"] > 0
            assert run["cpu_seconds"] > 0
            assert contest["medians"][side]["wall_seconds"] == run["wall_seconds"]
        # The peer may be gone before its memory is looked at; a Python of ours never is.
        assert contest["runs"]["ours"][0]["memory_bytes"] > 5 << 20
        assert contest["ratio"] == pytest.approx(
            contest["medians"]["peer"]["wall_seconds"] / contest["medians"]["ours"]["wall_seconds"], abs=0.01
        )


def test_bench_measures_the_api_with_as_many_jobs_as_the_scale_says(finished: tuple[str, dict, Path]) -> None:
    table, document, _work = finished
    assert "freezer-api, 20 jobs, one worker" in table
    for figure in document["api"]["figures"]:
        assert figure["wall_milliseconds"] > 0
        assert any(line.startswith(figure["title"]) for line in table.splitlines())


def test_bench_says_what_backups_stored(finished: tuple[str, dict, Path]) -> None:
    _table, document, _work = finished
    stored = {contest["name"]: contest["medians"]["ours"]["stored_bytes"] for contest in document["contests"]}
    assert stored["level_0"] > stored["level_1_changed"] > stored["level_1_unchanged"] > 0
    assert stored["restore"] is None


def test_bench_says_on_what_it_measured(finished: tuple[str, dict, Path]) -> None:
    table, document, _work = finished
    machine = document["machine"]
    assert machine["cores"] == len(os.sched_getaffinity(0))
    assert "GNU tar" in machine["tar"]
    for fact in ("tar", "zstd", "kernel", "commit", "processor"):
        assert machine[fact]
        assert machine[fact] in table


def test_the_table_has_a_line_and_a_peer_for_every_contest(finished: tuple[str, dict, Path]) -> None:
    table, document, _work = finished
    for contest in document["contests"]:
        assert any(line.startswith(contest["title"]) for line in table.splitlines())
        assert f"against {contest['peer']}, 1 pair" in table


def test_bench_leaves_only_the_trees_for_the_next_run(finished: tuple[str, dict, Path]) -> None:
    _table, _document, work = finished
    assert sorted(path.name for path in work.iterdir()) == ["bench.json", "cache"]
    assert len(list((work / "cache").iterdir())) == 2


def test_bench_leaves_nothing_in_what_the_host_knows_of_containers(finished: tuple[str, dict, Path]) -> None:
    _table, _document, work = finished
    assert not (work.parent / f"{work.name}-known").exists()


def test_a_full_backup_is_measured_again_and_again(tmp_path: Path) -> None:
    # Each time the container is emptied, and the host knows it from the time before.
    path = _path_with_zstd(tmp_path)
    output = tmp_path / "bench.json"
    few = ["--only", "level_0", "--scale", TINY, "--pairs", "2", "--work", tmp_path / "work", "--output", output]
    done = _python(BENCH, *few, path=path)
    assert done.returncode == 0, done.stderr
    assert [contest["pairs"] for contest in json.loads(output.read_text())["contests"]] == [2]


def test_bench_refuses_a_contest_that_there_is_not(tmp_path: Path) -> None:
    done = _python(BENCH, "--only", "level_7", "--work", tmp_path, "--output", tmp_path / "bench.json")
    assert done.returncode == 2
    assert "there is no contest level_7; there are level_0, " in done.stderr
    assert not (tmp_path / "bench.json").exists()


def test_bench_says_what_it_needs_to_measure_against(tmp_path: Path) -> None:
    done = _python(BENCH, "--work", tmp_path, "--output", tmp_path / "bench.json", path=str(tmp_path))
    assert done.returncode == 2
    assert "there is no tar here to measure against" in done.stderr


def _listing(top: Path) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for path in top.rglob("*"):
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        status = path.lstat()
        found[str(path.relative_to(top))] = (content, status.st_mode, status.st_nlink, status.st_mtime_ns)
    return found


def test_a_seed_makes_the_same_tree_again_and_another_seed_does_not(tmp_path: Path) -> None:
    for name, seed in (("one", "1"), ("two", "1"), ("three", "5")):
        assert _python(DATASET, "make", tmp_path / name, "--scale", "0.001", "--seed", seed).returncode == 0
    assert _listing(tmp_path / "one") == _listing(tmp_path / "two")
    assert _listing(tmp_path / "one") != _listing(tmp_path / "three")


def test_mutate_edits_adds_removes_and_overwrites(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    assert _python(DATASET, "make", tree, "--scale", "0.05").returncode == 0
    before = _listing(tree)
    done = _python(DATASET, "mutate", tree)
    assert done.returncode == 0, done.stderr
    after = _listing(tree)
    added, removed = after.keys() - before.keys(), before.keys() - after.keys()
    edited = {name for name in before.keys() & after.keys() if before[name][0] != after[name][0]}
    assert (len(added), len(removed)) == (1, 1)
    # Of ten files eight are edited; a hard link shows the edit of its file once more.
    assert len([name for name in edited if name.startswith("small/") and not name.endswith(".hard")]) == 8
    assert [name for name in edited if name.startswith("big/")] == ["big/1.log"]
