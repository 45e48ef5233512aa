# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What a scheduler does: from the lock that it holds and the file that it keeps."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

from .journal import Journal
from .runs import QUEUED, READY
from .service import JOURNAL_NAME
from .showing import show_document, show_rows
from .table import Layout

NOT_RUNNING = 3
_RUNS_ON_A_TERMINAL = Layout(
    order=("job_id", "phase", "action", "attempt", "pid", "seconds"),
    rank=("job_id", "phase", "seconds", "pid", "attempt", "action"),
    always=("job_id", "phase"),
)


def show_status(client_id: str, pid: int | None, folder: Path, how: str | None) -> int:
    """Print it; returns 0 if the scheduler runs, else 3."""
    found: dict[str, Any] = {"client_id": client_id, "running": bool(pid), "pid": pid}
    if (folder / JOURNAL_NAME).exists():
        journal = Journal(folder / JOURNAL_NAME, is_reader=True)
        now = time.time()
        queued = {run.job_id for run in journal.runs() if run.phase == READY}
        shown = (QUEUED if known.job_id in queued else known.state.status or "new" for known in journal.jobs())
        found["jobs"] = dict(Counter(shown))
        found["runs"] = [
            {
                "job_id": run.job_id,
                "phase": QUEUED if run.phase == READY else run.phase,
                "action": run.index + 1,
                "attempt": run.attempt,
                "pid": run.pid or None,
                "seconds": round(now - run.started),
            }
            for run in journal.runs()
        ]
        found["reports_waiting"] = journal.waiting_count()
        journal.close()
    if how and how != "table":
        show_document(found, how)
    else:
        _show(found)
    return 0 if pid else NOT_RUNNING


def _show(found: dict[str, Any]) -> None:
    """For people: what it is, and a line for each run."""
    jobs = ", ".join(f"{number} {status}" for status, number in found.get("jobs", {}).items())
    rows = [
        ("scheduler", f"runs (process {found['pid']})" if found["running"] else "does not run"),
        ("jobs", jobs or "none"),
        ("reports that wait for the API", found.get("reports_waiting", 0)),
    ]
    show_rows(("client", found["client_id"]), [(name, str(value)) for name, value in rows])
    if found.get("runs"):
        names = list(found["runs"][0])
        lines = [[str(run[name] if run[name] is not None else "") for name in names] for run in found["runs"]]
        show_rows(names, lines, _RUNS_ON_A_TERMINAL)
