# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The state of a scheduler, from its lock and its journal."""

from __future__ import annotations

import json
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.due_times import local_zone

from ..core.journal import API_STATE, Journal
from ..core.runs import QUEUED, READY
from ..process.service import JOURNAL_NAME
from .showing import show_document, show_rows
from .table import Layout

NOT_RUNNING = 3
_RUNS_ON_A_TERMINAL = Layout(
    order=("job_id", "phase", "action", "attempt", "pid", "seconds"),
    rank=("job_id", "phase", "seconds", "pid", "attempt", "action"),
    always=("job_id", "phase"),
)


def show_status(client_id: str, pid: int | None, folder: Path, how: str | None, has_api: bool = True) -> int:
    """Print the state of a scheduler; returns 0 if it runs, else 3."""
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
        if pid and has_api:
            found["api"] = api_state(folder)
    if how and how != "table":
        show_document(found, how)
    else:
        _show(found)
    return 0 if pid else NOT_RUNNING


def api_state(folder: Path) -> dict[str, Any] | None:
    """Whether the scheduler can use its API: ``since`` when, and the ``problem`` if it cannot. None before the first poll."""
    journal = Journal(folder / JOURNAL_NAME, is_reader=True)
    try:
        found = json.loads(journal.fact(API_STATE) or "null")
    finally:
        journal.close()
    return found if isinstance(found, dict) else None


def _api_in_words(state: dict[str, Any] | None) -> str:
    if state is None:
        return "not polled yet"
    since = datetime.fromtimestamp(state["since"], local_zone()).isoformat(" ", "seconds")
    if state["problem"]:
        return f"not usable since {since}, because: {state['problem']} Jobs are run as they were last seen"
    return f"usable since {since}"


def _show(found: dict[str, Any]) -> None:
    """Print tables for people: the state, and a line for each run."""
    jobs = ", ".join(f"{number} {status}" for status, number in found.get("jobs", {}).items())
    rows = [
        ("scheduler", f"runs (process {found['pid']})" if found["running"] else "does not run"),
        *([("API", _api_in_words(found["api"]))] if "api" in found else []),
        ("jobs", jobs or "none"),
        ("waiting reports", found.get("reports_waiting", 0)),
    ]
    show_rows(("client", found["client_id"]), [(name, str(value)) for name, value in rows])
    if found.get("runs"):
        names = list(found["runs"][0])
        lines = [[str(run[name] if run[name] is not None else "") for name in names] for run in found["runs"]]
        show_rows(names, lines, _RUNS_ON_A_TERMINAL)
