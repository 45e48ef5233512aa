# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What the API hears of runs: what it has to hear goes to the journal, what it may hear is kept until there is time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.runs import Outcome, backups_gone

from .journal import BACKUP, BACKUPS_GONE, JOB, SESSION_END, Journal
from .runs import QUEUED, Run


class Reports:
    """``passing`` is what the API may be told if there is time for it: keys of schedules by job."""

    def __init__(self, journal: Journal, client_id: str, *, has_api: bool) -> None:
        self.passing: dict[str, dict[str, Any]] = {}
        self._journal = journal
        self._client_id = client_id
        self._has_api = has_api

    # What may be told.

    def queued(self, run: Run) -> None:
        """A run waits for its place; the list of jobs shows that if it does so for long enough."""
        self.passing.setdefault(run.job_id, {})["progress"] = {"phase": QUEUED}

    def progress(self, run: Run, found: Mapping[str, Any]) -> None:
        """How far the process of a run is."""
        keys = {"action": run.index + 1, "attempt": run.attempt, **found}
        self.passing.setdefault(run.job_id, {}).update(progress=keys, current_pid=run.pid)

    def take_passing(self) -> dict[str, dict[str, Any]]:
        """What may be told, which is not kept any longer."""
        passing, self.passing = self.passing, {}
        return passing

    def forget(self, job_id: str) -> None:
        """What may be told of a job is not true any more."""
        self.passing.pop(job_id, None)

    # What has to be told.

    def begun(self, run: Run, now: float) -> None:
        """The first agent of a run is at work."""
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
        """What a run came to. ``session_tag`` is the round that its job knows now."""
        keys = {**run.ended_keys(result, now), "current_pid": -1}
        if run.session_id:
            keys["session_tag"] = session_tag
        if not run.told and ran:
            keys["time_started"] = int(run.started)
        self._journal.report(JOB, run.job_id, keys)
        if ran:
            self.session_end(run, result)

    def session_end(self, run: Run, result: str) -> None:
        """What a run came to, for its session."""
        if run.session_id and self._has_api:
            ended = {"job_id": run.job_id, "tag": run.session_tag, "result": result}
            self._journal.report(SESSION_END, run.session_id, ended)
