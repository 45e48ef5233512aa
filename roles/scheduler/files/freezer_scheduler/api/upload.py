# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Storing the jobs of a folder at an API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.errors import DocumentError
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client import jobs as registry_jobs
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.client import Registry
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.plan import without_stamps
from ansible_collections.freezer.backup.plugins.module_utils._engine.http.errors import (
    ServerError,
    Unauthorized,
    Unreachable,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.grammar import ScheduleError

from ..core.folder import JobFolder

CREATED, CHANGED, SAME = "created", "changed", "the same already"
#: Keys that schedulers and APIs write; files of upstream's schedulers have them too.
_NOT_FROM_FILES = ("session_tag", "time_created")


class Uploaded(NamedTuple):
    """The result for a file. ``job_id`` is empty if it is no job, ``problem`` a sentence if it was not stored."""

    job_id: str
    done: str = ""
    problem: str = ""
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.problem or f"The job {self.job_id} is {self.done}{' at the API' if self.done != SAME else ''}."


def upload(registry: Registry, folder: JobFolder, client_id: str, *, for_all: bool) -> Iterator[Uploaded]:
    """Create or change the jobs of an API as in the files of a folder, by their ids; idempotent.

    ``client_id`` is the client of the jobs that name none, or ``for_all`` of them. What an API knows of their runs stays,
    and jobs without a file are left alone. Raises FreezerError if the folder or the API cannot be read.
    """
    jobs = folder.read()
    for problem in folder.problems.values():
        yield Uploaded("", problem=f"{problem}.")
    for job, _tag in jobs:
        wanted = without_stamps(job)
        wanted["job_schedule"] = _without(wanted["job_schedule"])
        if for_all or not wanted.get("client_id"):
            wanted["client_id"] = client_id
        yield _stored(registry, _without(wanted))


def _stored(registry: Registry, wanted: dict[str, Any]) -> Uploaded:
    job_id = str(wanted["job_id"])
    try:
        existing = registry.jobs.get(job_id)
        owner = (existing or {}).get("client_id")
        if existing is not None and owner != wanted["client_id"]:
            # Files of one name on two hosts would take the job from each other.
            return Uploaded(
                job_id,
                problem=f"The job {job_id} was not stored: there is one of the client {owner}; give the job of "
                f"{wanted['client_id']} a job_id of its own.",
            )
        result = registry_jobs.ensure_job(registry, wanted, "present", check_mode=False)
    except (Unreachable, Unauthorized, ServerError):
        raise
    except (FreezerError, DocumentError, ScheduleError) as error:
        return Uploaded(job_id, problem=f"The job {job_id} was not stored: {str(error).rstrip('.')}.")
    done = CREATED if existing is None else CHANGED if result.changed else SAME
    return Uploaded(job_id, done, warnings=tuple(result.warnings))


def _without(part: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in part.items() if key not in _NOT_FROM_FILES}
