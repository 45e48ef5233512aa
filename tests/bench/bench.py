# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Measures backup, restore and verification against GNU tar and zstd; prints a table and writes build/bench.json.

Beside every figure of ours stands one of a peer, the bare pipe that does the same work. The two take turns (ours, peer,
ours, peer, ...), so that whatever else the machine does meets both. What they read is in the page cache, and they write
to one file system. Ours includes the start of Python, the hashes, the catalogue, and an fsync of everything that it
wrote; the pipe does nothing of that.

The trees are made once and kept in WORK/cache.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ansible_call
import api
import dataset
import due_times
import elastic as elasticsearch
import report
from contest import Contest, Outcome, hold
from job_sets import JobSets
from measure import CommandFailed
from tree_contests import TreeContests, WrongResult

CHECKOUT = Path(__file__).resolve().parents[2]
TINY_FILES = 200_000
_SCALE = "how much there is; 1 is a tree of 1 GiB in 20,000 files, 10,000 jobs in the API, 1,000 in a set"
_PARTS = "only that part; holds, how long databases are held, is measured in guests, as root, and not among all"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=("all", "api", "elasticsearch", "holds"), default="all", help=_PARTS)
    parser.add_argument("--scale", type=float, default=1.0, help=_SCALE)
    parser.add_argument("--pairs", type=int, default=5, help="how often each side runs (default: 5)")
    parser.add_argument("--only", action="append", metavar="NAME", help="only the contest with this name (repeatable)")
    parser.add_argument("--jobs", type=int, default=10_000, help="elasticsearch: how many jobs (10000)")
    parser.add_argument("--backups", type=int, default=100_000, help="elasticsearch: how many backups (100000)")
    parser.add_argument(
        "--work", type=Path, default=CHECKOUT / "build/bench", help="folder to read from and write to, e.g. on a tmpfs"
    )
    parser.add_argument("--output", type=Path, default=CHECKOUT / "build/bench.json", help="where the JSON goes")
    return parser.parse_args()


def cached(folder: Path, make: Callable[[Path], None]) -> Path:
    """A folder that an earlier run has left, or a new one."""
    if not folder.exists():
        unfinished = folder.with_name(f".{folder.name}")
        shutil.rmtree(unfinished, ignore_errors=True)
        make(unfinished)
        unfinished.rename(folder)
    return folder


def contests(work: Path, cache: Path, scale: float) -> list[Contest]:
    """All contests, in the order in which each finds what it builds on."""
    version = dataset.GENERATION
    mixed = TreeContests(
        work / "mixed",
        lambda: cached(cache / f"mixed-{scale:g}-{version}", lambda top: dataset.make(top, scale)),
    )
    count = round(TINY_FILES * scale)
    tiny = TreeContests(
        work / "tiny",
        lambda: cached(cache / f"tiny-{count}-{version}", lambda top: dataset.make_tiny(top, count)),
    )
    found = [
        mixed.level_0(),
        mixed.restore(),
        mixed.verify(),
        mixed.level_1_unchanged(),
        mixed.level_1_changed(),
        tiny.tiny_unchanged(),
        tiny.listed(),
    ]
    if ansible_call.MODULE.exists():
        found.append(ansible_call.unchanged_backup(work / "ansible"))
    job_sets = JobSets(work / "job-sets", scale)
    found += [job_sets.unchanged(), job_sets.new(), due_times.contest(scale)]
    return found


def _measured_api(running: Path, scale: float) -> dict[str, Any]:
    try:
        return {"machine": report.circumstances(running.parent), **api.measure(running, scale)}
    finally:
        shutil.rmtree(running, ignore_errors=True)


def _api_alone(running: Path, output: Path, scale: float) -> int:
    """Measure freezer-api; what else was measured before stays in the file."""
    shutil.rmtree(running, ignore_errors=True)
    document = json.loads(output.read_text()) if output.exists() else {"bench_version": 1}
    document["api"] = _measured_api(running, scale)
    report.write_json(document, output)
    print(api.table(document["api"]))
    print(f"\nwritten to {output}")
    return 0


def _elasticsearch(running: Path, given: argparse.Namespace) -> int:
    """Measure freezer-api on Elasticsearch; what else was measured before stays in the file."""
    shutil.rmtree(running, ignore_errors=True)
    document = json.loads(given.output.read_text()) if given.output.exists() else {"bench_version": 1}
    try:
        measured = elasticsearch.measure(running, given.jobs, given.backups)
        document["elasticsearch"] = {"machine": report.circumstances(running.parent), **measured}
    finally:
        shutil.rmtree(running, ignore_errors=True)
    report.write_json(document, given.output)
    print(elasticsearch.table(document["elasticsearch"]))
    print(f"\nwritten to {given.output}")
    return 0


def _holds_alone(rounds: int, work: Path, output: Path) -> int:
    """Measure holds; what else was measured before stays in the file."""
    import holds

    document = json.loads(output.read_text()) if output.exists() else {"bench_version": 1}
    document["holds"] = {"machine": report.circumstances(work), **holds.measure(rounds)}
    report.write_json(document, output)
    print(holds.table({name: of for name, of in document["holds"].items() if name != "machine"}))
    print(f"\nwritten to {output}")
    return 0


def main() -> int:
    given = _arguments()
    work = given.work.resolve()
    running = work / "running"
    # What this host knows of containers is not for those that are gone after a measurement.
    os.environ["FREEZER_BACKUP_STATE"] = str(running / "known")
    if given.part == "api":
        return _api_alone(running, given.output, given.scale)
    if given.part == "elasticsearch":
        return _elasticsearch(running, given)
    if given.part == "holds":
        return _holds_alone(given.pairs, work, given.output)
    all_contests = contests(running, work / "cache", given.scale)
    names = [contest.name for contest in all_contests]
    unknown = set(given.only or ()) - set(names)
    if unknown:
        print(f"bench: there is no contest {sorted(unknown)[0]}; there are {', '.join(names)}", file=sys.stderr)
        return 2
    missing = [program for program in ("tar", "zstd") if shutil.which(program) is None]
    if missing:
        print(f"bench: there is no {missing[0]} here to measure against; install it", file=sys.stderr)
        return 2
    facts = report.circumstances(work)
    outcomes: list[Outcome] = []
    try:
        shutil.rmtree(running, ignore_errors=True)
        for contest in all_contests:
            if given.only is None or contest.name in given.only:
                print(f"bench: {contest.title} ...", file=sys.stderr, flush=True)
                outcomes.append(hold(contest, given.pairs))
    except (CommandFailed, WrongResult, due_times.Differ) as problem:
        print(f"bench: {problem}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(running, ignore_errors=True)
    document = report.as_document(facts, given.scale, outcomes)
    if given.only is None:
        print("bench: freezer-api ...", file=sys.stderr, flush=True)
        document["api"] = _measured_api(running, given.scale)
    report.write_json(document, given.output)
    print(report.table(document))
    if "api" in document:
        print(f"\n{api.table(document['api'])}")
    print(f"\nwritten to {given.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
