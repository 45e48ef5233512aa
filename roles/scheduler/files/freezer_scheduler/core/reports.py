# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Reports of runs for the API: results go to the journal, progress is kept in memory until it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.runs import Outcome, backups_gone

from .journal import BACKUP, BACKUPS_GONE, JOB, SESSION_END, Journal
from .runs import QUEUED, Run


class Reports:
    """``passing`` has the reports of progress: keys of schedules by job."""

    def __init__(self, journal: Journal, client_id: str, *, has_api: bool) -> None:
        self.passing: dict[str, dict[str, Any]] = {}
        self._journal = journal
        self._client_id = client_id
        self._has_api = has_api

    # Progress.

    def queued(self, run: Run) -> None:
        """A run waits for a slot."""
        self.passing.setdefault(run.job_id, {})["progress"] = {"phase": QUEUED}

    def progress(self, run: Run, found: Mapping[str, Any]) -> None:
        """The progress of the process of a run."""
        keys = {"action": run.index + 1, "attempt": run.attempt, **found}
        self.passing.setdefault(run.job_id, {}).update(progress=keys, current_pid=run.pid)

    def take_passing(self) -> dict[str, dict[str, Any]]:
        """The reports of progress, which are then removed here."""
        passing, self.passing = self.passing, {}
        return passing

    def forget(self, job_id: str) -> None:
        """Remove the progress of a job."""
        self.passing.pop(job_id, None)

    # Results.

    def begun(self, run: Run, now: float) -> None:
        """The first agent of a run has started."""
        run.told = True
        keys = run.begun_keys(now)
        if run.session_id:
            keys["session_tag"] = run.session_tag
        self._journal.report(JOB, run.job_id, keys)

    def backups(self, run: Run, outcome: Outcome) -> None:
        """The backup that an attempt has made, and those that it has removed."""
        if not self._has_api:
            return
        gone = backups_gone(outcome.document)
        if gone:
            self._journal.report(BACKUPS_GONE, run.run_id, {"backup_ids": gone})
        record = run.recorded(outcome, self._client_id)
        if record is not None:
            self._journal.report(BACKUP, str(record.get("backup_id") or run.run_id), record)

    def result(self, run: Run, result: str, now: float, session_tag: int, *, ran: bool) -> None:
        """The result of a run. ``session_tag`` is the round that its job knows now."""
        keys = {**run.ended_keys(result, now), "current_pid": -1}
        if run.session_id:
            keys["session_tag"] = session_tag
        if not run.told and ran:
            keys["time_started"] = int(run.started)
        self._journal.report(JOB, run.job_id, keys)
        if ran:
            self.session_end(run, result)

    def session_end(self, run: Run, result: str) -> None:
        """The result of a run, for its session."""
        if run.session_id and self._has_api:
            ended = {"job_id": run.job_id, "tag": run.session_tag, "result": result}
            self._journal.report(SESSION_END, run.session_id, ended)
