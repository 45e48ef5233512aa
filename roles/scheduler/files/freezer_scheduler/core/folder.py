# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Jobs without an API: the files of a folder, one job in each, in JSON or YAML."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.errors import DocumentError
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.old_forms import usual_job
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError

from .intake import job_problem
from .reading import NotRead, parsed

LOG = logging.getLogger("freezer_scheduler")

_ENDINGS = (".conf", ".json", ".yaml", ".yml")
_PREFIX = "job_"


class JobFolder:
    """A folder of jobs. A file that other users may read or write is not used: it may contain passwords, and runs as we do.

    ``user`` is the id of the user who runs the scheduler, if it is another one.
    """

    def __init__(self, path: Path, user: int | None = None) -> None:
        self.path = path
        self._users = (os.geteuid() if user is None else user, 0)
        #: Why files were not used at the last reading, by name; sentences without a full stop.
        self.problems: dict[str, str] = {}

    def read(self) -> list[tuple[dict[str, Any], str]]:
        """The jobs, each with a tag for the state of its file. Raises FreezerError if there is no such folder."""
        try:
            names = sorted(name for name in os.listdir(self.path) if name.endswith(_ENDINGS))
        except OSError as error:
            raise FreezerError(f"The folder of jobs {self.path} cannot be read: {error.strerror}.") from error
        found: dict[str, tuple[dict[str, Any], str]] = {}
        problems: dict[str, str] = {}
        for name in names:
            try:
                job, tag = self._job(self.path / name)
                if job["job_id"] in found:
                    raise FreezerError(f"another file has the job {job['job_id']} already")
                found[job["job_id"]] = (job, tag)
            except Exception as error:  # noqa: BLE001 - an error of one file must not affect the others
                expected = isinstance(error, (OSError, ValueError, FreezerError, DocumentError))
                reason = str(error) if expected else f"it cannot be read ({type(error).__name__})"
                reason = error.strerror if isinstance(error, OSError) and error.strerror else reason
                reason = f"it {reason}" if isinstance(error, NotRead) else reason
                problems[name] = f"The job file {self.path / name} is not used: {reason}".rstrip(".")
        self.problems = problems
        return list(found.values())

    def read_and_log(self) -> list[tuple[dict[str, Any], str]]:
        """The same, and log once which files are not used."""
        said = self.problems
        found = self.read()
        for name, problem in self.problems.items():
            if said.get(name) != problem:
                LOG.error("%s", problem)
        return found

    def _job(self, path: Path) -> tuple[dict[str, Any], str]:
        with open(path, encoding="utf-8") as file:
            state = os.fstat(file.fileno())
            if state.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise FreezerError(
                    f"other users may read or write it (mode {stat.S_IMODE(state.st_mode):04o}); chmod it to 0600"
                )
            if state.st_uid not in self._users:
                raise FreezerError("it belongs to another user")
            job = parsed(file.read(), path.name)
            if isinstance(job, dict):
                job = usual_job(job)
        if not isinstance(job, dict) or not isinstance(job.get("job_actions"), list):
            raise FreezerError("it is no job: an object with job_actions")
        job.setdefault("job_id", path.stem.removeprefix(_PREFIX))
        problem = job_problem(job)
        if problem:
            raise FreezerError(problem)
        schedule = job.get("job_schedule") or {}
        kept = {key: value for key, value in schedule.items() if key.startswith("schedule_")}
        # An interval counts from the time of the file.
        job["job_schedule"] = {**kept, "time_created": int(state.st_mtime)}
        return job, f"{state.st_mtime_ns}-{state.st_size}"
