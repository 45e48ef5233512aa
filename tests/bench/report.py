# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What was measured, as a table for readers and as JSON for programs."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contest import Outcome, Result

CHECKOUT = Path(__file__).resolve().parents[2]
_MEBIBYTE = 1 << 20


def _first_line(*argv: str) -> str:
    found = subprocess.run(argv, check=False, capture_output=True, text=True, cwd=CHECKOUT)
    return found.stdout.partition("\n")[0].strip() if found.returncode == 0 else ""


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _file_system(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    listed = subprocess.run(["df", "--output=fstype", folder], check=True, capture_output=True, text=True)
    return listed.stdout.split()[-1]


def circumstances(work: Path) -> dict[str, Any]:
    """On what and when this is measured. The load is what others did on the machine just before."""
    changed = _first_line("git", "status", "--porcelain", "--untracked-files=no")
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _first_line("git", "rev-parse", "--short=12", "HEAD") + ("+changes" if changed else ""),
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(),
        "file_system": _file_system(work),
        "python": platform.python_version(),
        "tar": _first_line("tar", "--version"),
        "zstd": _first_line("zstd", "--version").strip("* ").partition(", by")[0],
        "load_average": os.getloadavg()[0],
    }


def _run(result: Result) -> dict[str, Any]:
    return {
        "wall_seconds": round(result.run.wall_seconds, 4),
        "cpu_seconds": round(result.run.cpu_seconds, 4),
        "memory_bytes": result.run.memory_bytes,
        "process_bytes": result.run.process_bytes,
        "stored_bytes": result.stored_bytes,
    }


def _median(results: Sequence[Result], figure: Callable[[Result], float]) -> float:
    return statistics.median(figure(result) for result in results)


def _medians(results: Sequence[Result]) -> dict[str, Any]:
    stored = [result.stored_bytes for result in results if result.stored_bytes is not None]
    return {
        "wall_seconds": round(_median(results, lambda one: one.run.wall_seconds), 4),
        "cpu_seconds": round(_median(results, lambda one: one.run.cpu_seconds), 4),
        "memory_bytes": round(_median(results, lambda one: one.run.memory_bytes)),
        "stored_bytes": round(statistics.median(stored)) if stored else None,
    }


def as_document(facts: dict[str, Any], scale: float, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Everything, every single run included, as it is written to build/bench.json."""
    return {
        "bench_version": 1,
        "machine": facts,
        "scale": scale,
        "contests": [
            {
                "name": outcome.contest.name,
                "title": outcome.contest.title,
                "peer": outcome.contest.peer_title,
                "peer_argv": list(outcome.contest.peer.argv),
                "goal": outcome.contest.goal,
                "pairs": len(outcome.ours),
                "ratio": round(outcome.ratio, 3),
                "ratios": [round(ratio, 3) for ratio in outcome.ratios],
                "cpu_ratio": round(statistics.median(outcome.cpu_ratios), 3),
                "cpu_ratios": [round(ratio, 3) for ratio in outcome.cpu_ratios],
                "medians": {"ours": _medians(outcome.ours), "peer": _medians(outcome.peer)},
                "runs": {"ours": [_run(one) for one in outcome.ours], "peer": [_run(one) for one in outcome.peer]},
            }
            for outcome in outcomes
        ],
    }


def _mebibytes(size: float | None) -> str:
    if size is None:
        return "-"
    return f"{size / _MEBIBYTE:.0f}" if size >= 10 * _MEBIBYTE else f"{size / _MEBIBYTE:.2f}"


def table(document: dict[str, Any]) -> str:
    """The document for a terminal: medians, and the ratio of the pairs' wall times."""
    machine = document["machine"]
    lines = [
        "{cores} cores ({processor}), Linux {kernel}, {file_system}; load before {load_average:.2f}".format(**machine),
        "{tar}; {zstd}; Python {python}; commit {commit}; {date}".format(**machine),
        f"scale {document['scale']:g}; medians. speed: how many times as fast as the peer by the clock, median of the",
        "pairs and their range. CPU: processor time of ours by that of the peer, median of the pairs. memory: the peaks",
        "of all processes of a run added up. stored: all that was written.",
        "",
        f"{'':<47}{'':>14}{'seconds':>16}{'CPU seconds':>16}{'memory MiB':>14}{'stored MiB':>16}",
        f"{'':<34}{'speed':>7}{'range':>14}{'CPU':>6}"
        + 2 * f"{'ours':>9}{'peer':>7}"
        + f"{'ours':>8}{'peer':>6}{'ours':>9}{'peer':>7}",
    ]
    for one in document["contests"]:
        ours, peer = one["medians"]["ours"], one["medians"]["peer"]
        spread = f"{min(one['ratios']):.2f}-{max(one['ratios']):.2f}"
        lines.append(
            f"{one['title']:<34}{one['ratio']:>7.2f}{spread:>14}{one['cpu_ratio']:>6.2f}"
            f"{ours['wall_seconds']:>9.2f}{peer['wall_seconds']:>7.2f}"
            f"{ours['cpu_seconds']:>9.2f}{peer['cpu_seconds']:>7.2f}"
            f"{_mebibytes(ours['memory_bytes']):>8}{_mebibytes(peer['memory_bytes']):>6}"
            f"{_mebibytes(ours['stored_bytes']):>9}{_mebibytes(peer['stored_bytes']):>7}"
        )
        goal = f"; goal: {one['goal']}" if one["goal"] else ""
        lines.append(f"  against {one['peer']}, {one['pairs']} {'pair' if one['pairs'] == 1 else 'pairs'}{goal}")
    return "\n".join(lines)


def write_json(document: dict[str, Any], path: Path) -> None:
    """Write the document, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n")
