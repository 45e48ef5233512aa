# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""One freezer-scheduler with 10,000 jobs: how long it takes to start, how much memory it needs, how late jobs are, and
what a look at the API that finds nothing new costs the API.

The agent is a shell script that says that it was successful: what agents cost is no subject here.

usage: python tests/bench/scheduler.py [--jobs N] [--seconds N] [--watched N]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import api_process
from support.scheduler_process import Scheduler, wait_for

from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.client import connect
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.api.conversation import Conversation
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.core.journal import Journal

AGENT = """#!/bin/sh
echo '{"outcome": "success", "changed": false}' >"/proc/self/fd/$3"
"""
_POLLS = 300


def measure(jobs: int, seconds: int, watched: int) -> dict[str, float]:
    """The figures, for so many jobs, each of which is due once within so many seconds; the first ``watched`` are looked at."""
    folder = Path(tempfile.mkdtemp(prefix="freezer-bench-"))
    api = api_process.start(folder, "--max-body-bytes", str(4 << 20))
    try:
        return _measure(jobs, seconds, watched, folder, api)
    finally:
        api.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _measure(jobs: int, seconds: int, watched: int, folder: Path, api: api_process.ApiProcess) -> dict[str, float]:
    registry = connect(url=api.url)
    # Until then they are stored, and the scheduler has started.
    begin = int(time.time()) + 60 + jobs // 500
    for first in range(0, jobs, 500):
        operations = []
        for number in range(first, min(first + 500, jobs)):
            due = datetime.fromtimestamp(begin + number * seconds // jobs, UTC)
            operations.append({"op": "replace", "job_id": f"job{number}", "document": _job(due)})
        answers = registry.jobs.batch(operations)
        assert all(answer["status"] < 300 for answer in answers), answers[0]

    polls_seconds = _poll_cost(registry, folder, api)
    agent = folder / "agent"
    agent.write_text(AGENT)
    agent.chmod(0o700)
    config = {"agent_command": agent, "concurrent_jobs": 8, "systemd_scopes": "false", "interval": 60, "debug": "true"}
    scheduler = Scheduler("bench", folder, api.url, config)
    started = time.monotonic()
    scheduler.start()
    wait_for(lambda: _known(scheduler) == jobs, 120)
    start_seconds = time.monotonic() - started
    assert time.time() < begin, (
        "this machine is too slow, or too busy: the first jobs were due before the scheduler ran"
    )
    while time.time() < begin + watched:
        time.sleep(1)
    late = sorted(float(text) for text in re.findall(r"has started, ([0-9.]+) s after", scheduler.log))
    memory = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{scheduler.process.pid}/status").read_text())
    scheduler.end()
    return {
        "jobs": jobs,
        "seconds": seconds,
        "runs": len(late),
        "start_seconds": round(start_seconds, 2),
        "memory_mib": round(int(memory[1]) / 1024, 1) if memory else 0,
        "late_median_seconds": round(statistics.median(late), 3),
        "late_p99_seconds": late[int(len(late) * 0.99)],
        "late_most_seconds": late[-1],
        "idle_poll_api_cpu_ms": round(polls_seconds * 1000, 3),
    }


def _job(due: datetime) -> dict[str, object]:
    action = {"action": "backup", "mode": "fs", "backup_name": "b", "path_to_backup": "/etc", "container": "/srv/backups",
              "storage": "local"}  # fmt: skip
    # As different as schedules are: each is due within the minute of this hour, and every day.
    schedule = {"schedule_hour": str(due.hour), "schedule_minute": str(due.minute), "schedule_second": str(due.second),
                "schedule_timezone": "UTC"}  # fmt: skip
    return {"client_id": "bench", "description": "one of many", "job_schedule": schedule,
            "job_actions": [{"freezer_action": action, "max_retries": 3, "max_retries_interval": 60}]}  # fmt: skip


def _known(scheduler: Scheduler) -> int:
    journal = Journal(scheduler.state / "scheduler.db")
    try:
        return sum(1 for known in journal.jobs() if known.state.status)
    finally:
        journal.close()


def _poll_cost(registry, folder: Path, api: api_process.ApiProcess) -> float:
    """What one look costs the API in processor time, in seconds."""
    journal = Journal(folder / "poll.db")
    conversation = Conversation(lambda: registry, journal, "bench", {})
    pages = conversation.jobs()
    assert pages is not None
    assert sum(len(page) for page in pages)
    before = _cpu(api)
    for _poll in range(_POLLS):
        assert conversation.jobs() is None
    return (_cpu(api) - before) / _POLLS


def _cpu(api: api_process.ApiProcess) -> float:
    total = 0
    for pid in [api.process.pid, *api.worker_ids()]:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Measure, print, and write build/bench-scheduler.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--watched", type=int, default=120)
    flags = parser.parse_args()
    figures = measure(flags.jobs, flags.seconds, flags.watched)
    text = json.dumps(figures, indent=2)
    Path("build").mkdir(exist_ok=True)
    Path("build/bench-scheduler.json").write_text(text + "\n", encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
