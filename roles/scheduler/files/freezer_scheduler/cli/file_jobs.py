# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The verbs for jobs without an API: they use the folder of job files and the scheduler's own file, as the scheduler does."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule import states
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.states import State

from ..config.settings import Settings
from ..core.events import EventBox, NotHeard
from ..core.folder import JobFolder
from ..core.journal import Journal, Known
from ..core.runs import QUEUED, READY
from ..process.daemon import Lock
from ..process.service import JOURNAL_NAME
from .command_line import UsageError
from .documents import id_of, show_all, shown
from .showing import show_document
from .status import NOT_RUNNING

_READS = ("job-list", "job-get")
_ASKS = ("job-start", "job-stop", "job-abort")


def run_on_files(flags: argparse.Namespace, settings: Settings, client_id: str) -> int:
    """Run a verb; returns the exit status. Raises FreezerError, UsageError, OSError."""
    files = FileJobs(settings.jobs_dir, settings.state_dir / client_id, client_id)
    if flags.verb not in (*_READS, *_ASKS):
        if flags.verb.startswith("job-"):
            raise UsageError(
                f"Without an API (--no-api) a job is a file of {settings.jobs_dir}: write, change or remove it there."
            )
        raise UsageError(
            f"{flags.verb} needs an API; run it without --no-api, and without no_api in the configuration."
        )
    if flags.verb == "job-list":
        if flags.all_clients:
            raise UsageError(f"-a needs an API: without one (--no-api) there are the jobs of {settings.jobs_dir} only.")
        show_all(flags, "job", lambda: _chosen(flags, files.all()), settings.zone)
        files.tell_problems()
        return 0
    job_id = id_of(flags, "job")
    job = files.all().get(job_id)
    if job is None:
        files.tell_problems()
        raise FreezerError(f"There is no job {job_id} in {settings.jobs_dir}.")
    if flags.verb == "job-get":
        show_document(shown(job, flags), flags.format or "json")
        return 0
    return files.ask(job_id, flags.verb.partition("-")[2])


class FileJobs:
    """The jobs of a folder, and the state that their scheduler has stored. ``folder`` is the scheduler's own."""

    def __init__(self, jobs_dir: Path, folder: Path, client_id: str) -> None:
        # Root may read the jobs of another user's scheduler.
        self._jobs = JobFolder(jobs_dir, folder.stat().st_uid if folder.exists() else None)
        self._folder = folder
        self._client_id = client_id

    def all(self) -> dict[str, dict[str, Any]]:
        """All jobs by id, in the form of an API. Raises FreezerError, OSError."""
        found = {job["job_id"]: job for job, _tag in self._jobs.read()}
        if not (self._folder / JOURNAL_NAME).exists():
            return {job_id: self._described(job, {}) for job_id, job in found.items()}
        journal = Journal(self._folder / JOURNAL_NAME, is_reader=True)
        try:
            known = {one.job_id: one for one in journal.jobs()}
            queued = {run.job_id for run in journal.runs() if run.phase == READY}
            for job_id, one in known.items():
                if job_id not in found and one.state.status in states.ACTIVE:
                    # Its file was removed, and its run goes on.
                    found[job_id] = json.loads(one.document)
            return {
                job_id: self._described(job, _noted(journal, known.get(job_id), job_id in queued))
                for job_id, job in sorted(found.items())
            }
        finally:
            journal.close()

    def ask(self, job_id: str, event: str) -> int:
        """Ask the scheduler for an event of a job; returns the exit status. Raises FreezerError, OSError."""
        pid = Lock(self._folder).holder()
        if not pid:
            print(
                f"freezer-scheduler: No scheduler of {self._client_id} runs, so nothing was requested.", file=sys.stderr
            )
            return NOT_RUNNING
        state = self._state(job_id)
        following, do = states.step(state, event)
        if following == state and do == states.NOTHING:
            print(f"There is nothing to {event}: the job {job_id} is {states.in_words(state.status)}.", file=sys.stderr)
            return 0
        try:
            EventBox(self._folder).ask(job_id, event)
        except NotHeard as problem:
            raise FreezerError(
                f"The {event} of the job {job_id} was not requested of the scheduler of {self._client_id} (process {pid}): "
                f"{problem}."
            ) from None
        print(f"The {event} of the job {job_id} is requested.", file=sys.stderr)
        return 0

    def tell_problems(self) -> None:
        """Print which files are not used, and why."""
        for problem in self._jobs.problems.values():
            print(f"freezer-scheduler: {problem}.", file=sys.stderr)

    def _state(self, job_id: str) -> State:
        if not (self._folder / JOURNAL_NAME).exists():
            return State()
        journal = Journal(self._folder / JOURNAL_NAME, is_reader=True)
        try:
            return next((one.state for one in journal.jobs() if one.job_id == job_id), State())
        finally:
            journal.close()

    def _described(self, job: Mapping[str, Any], noted: Mapping[str, Any]) -> dict[str, Any]:
        schedule = {**(job.get("job_schedule") or {}), **noted}
        return {**job, "client_id": self._client_id, "job_schedule": schedule}


def _noted(journal: Journal, known: Known | None, is_queued: bool) -> dict[str, Any]:
    """The state of a job that the scheduler has stored: keys of its schedule."""
    if known is None:
        return {}
    noted = journal.result(known.job_id)
    if is_queued:
        # As at an API, until the run starts.
        return {**noted, "status": states.SCHEDULED, "progress": {"phase": QUEUED}}
    return {**noted, "status": known.state.status}


def _chosen(flags: argparse.Namespace, jobs: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The jobs that match ``--search``, up to ``--limit``."""
    found = [shown(job, flags) for job in jobs.values()]
    if flags.search:
        found = [job for job in found if flags.search.lower() in json.dumps(job, ensure_ascii=False).lower()]
    return found[: flags.limit]
