# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The requests of a scheduler to the API: registration, jobs, reports of runs, sessions.

For one thread at a time. A report that is repeated, because its answer was lost, has the same effect as one.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.comparison import merged
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.client import Registry
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.collection import Collection
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.ensure import change_whole
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.kinds import (
    ensure_backup_record,
    ensure_client,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.http.errors import (
    Conflict,
    NotAllowed,
    NotFound,
    Rejected,
    RestError,
    ServerError,
    Unreachable,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.schema import OWN_RUN_KEYS
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.states import COMPLETED, EVENTS

from ..core.folder import JobFolder
from ..core.intake import integer_problem, job_problem, session_problem
from ..core.journal import API_STATE, BACKUP, BACKUPS_GONE, JOB, Journal, Report
from ..core.surroundings import Join, Joined
from .upload import upload

LOG = logging.getLogger("freezer_scheduler")

#: How many reports are sent in one request.
BATCH = 500
_AT_THE_TOP = ("session_tag",)
_SEEN_EVENT = "seen_event"
_TRIES = 5


class Conversation:
    """The API for one client. ``about`` is the description of the client, ``uploads`` a folder of jobs to be stored."""

    def __init__(
        self,
        connect: Callable[[], Registry],
        journal: Journal,
        client_id: str,
        about: Mapping[str, Any],
        uploads: JobFolder | None = None,
    ) -> None:
        self._uploads = uploads
        self._connect = connect
        self._journal = journal
        self._client_id = client_id
        self._about = about
        self._registry: Registry | None = None
        self._jobs_tag: str | None = None
        self._sessions_tag: str | None = None
        self._has_batches = True
        self._takes_own_keys = True
        self._has_looked_at_completed = False
        #: Problems that are in the log already.
        self._said: set[str] = set()

    @property
    def registry(self) -> Registry:
        """The API. Raises RestError if the login fails."""
        if self._registry is None:
            self._registry = self._connect()
        return self._registry

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._registry is not None:
            self._registry.close()

    def remember(self, problem: str, now: float) -> None:
        """Store for `status` whether the API can be used, since ``now``; ``problem`` says why not."""
        self._journal.begin()
        self._journal.note(API_STATE, json.dumps({"problem": problem, "since": now}))
        self._journal.commit()

    def forget_tags(self) -> None:
        """Read everything again with the next poll."""
        self._jobs_tag = self._sessions_tag = None
        self._has_looked_at_completed = False

    def register(self) -> None:
        """Register this client if it is not; an existing document is left as its user has written it.

        Raises RestError.
        """
        if self.registry.clients.get(self._client_id) is None:
            ensure_client(self.registry, {"client_id": self._client_id, **self._about}, "present", check_mode=False)

    def upload(self) -> None:
        """Store the jobs of the folder that this scheduler was started with, once. Raises RestError."""
        if self._uploads is None:
            return
        try:
            for one in upload(self.registry, self._uploads, self._client_id, for_all=False):
                LOG.log(logging.ERROR if one.problem else logging.INFO, "%s", one)
                for warning in one.warnings:
                    LOG.warning("%s", warning)
        except RestError:
            raise
        except FreezerError as error:
            LOG.error("%s", error)
        self._uploads = None

    def jobs(self) -> Iterator[list[tuple[dict[str, Any], str | None]]] | None:
        """The jobs of this client that are not completed, or have an event, in pages; None if none has changed since the
        last time.

        They count as read after the last page.
        """
        search = {"match": [{"client_id": self._client_id}], "match_not": [{"status": COMPLETED}]}
        jobs = self.registry.jobs
        tag, pages, tags = jobs.all_unless_known(self._jobs_tag, search)
        if pages is None:
            return None

        def read() -> Iterator[list[tuple[dict[str, Any], str | None]]]:
            self._jobs_tag = None
            for page in pages:
                if jobs.has_left_out and "jobs" not in self._said:
                    self._said.add("jobs")
                    LOG.error("The API has sent a job that is no object; it is left out")
                yield [(job, tags.get(str(job.get("job_id")))) for job in page]
            # Our API reopens a completed job for an event, and tags its answers. One of upstream's does neither, and
            # earlier releases of ours left some completed.
            if tag is None or not self._has_looked_at_completed:
                yield self._asked_of_completed()
                self._has_looked_at_completed = True
            self._jobs_tag = tag

        return read()

    def _asked_of_completed(self) -> list[tuple[dict[str, Any], str | None]]:
        """The completed jobs of this client with an event."""
        found = []
        for event in EVENTS:
            match = [{"client_id": self._client_id}, {"status": COMPLETED}, {"event": event}]
            for job, tag in self.registry.jobs.all_tagged({"match": match}):
                schedule = job.get("job_schedule")
                if not isinstance(schedule, Mapping):
                    continue
                # Upstream's searches also find similar values.
                if job.get("client_id") == self._client_id and schedule.get("event") == event:
                    found.append((job, tag))
        return found

    def sessions(self) -> list[dict[str, Any]]:
        """The sessions, if one has changed since the last time."""
        tag, pages, _tags = self.registry.sessions.all_unless_known(self._sessions_tag)
        if pages is None:
            return []
        found = []
        for session in (session for page in pages for session in page):
            problem = session_problem(session)
            if not problem:
                found.append(session)
            elif problem not in self._said:
                self._said.add(problem)
                LOG.error("A session is left out: %s", problem)
        self._sessions_tag = tag
        return found

    def whereabouts(self, job_id: str) -> dict[str, Any] | None:
        """The current state of a job that is no longer in the list; None if it is not this client's."""
        job = self.registry.jobs.get(job_id)
        return job if job is not None and job.get("client_id") == self._client_id else None

    def join(self, question: Join) -> Joined:
        """Ask the session of a run whether the run may join."""
        try:
            answer = self.registry.session_action(question.session_id, "start", question.job_id, question.tag)
        except (Unreachable, ServerError) as error:
            return Joined(question.run_id, "unreachable", message=f"the API cannot be asked ({error})")
        except FreezerError as error:
            return Joined(question.run_id, "refused", message=str(error))
        if integer_problem(answer.session_tag):
            return Joined(question.run_id, "refused", message="the API has answered with an invalid session_tag")
        return Joined(question.run_id, answer.result, answer.session_tag)

    def deliver(self) -> int:
        """Send the waiting reports; returns their number. Raises RestError; the others go on waiting."""
        told = 0
        while True:
            reports = self._journal.waiting_reports(BATCH)
            if not reports:
                return told
            plain: list[Report] = []
            for report in reports:
                if report.kind == JOB and _SEEN_EVENT not in report.body:
                    plain.append(report)
                    continue
                told += self._tell_plain(plain)
                plain = []
                self._tell(report)
                self._journal.told([report])
                told += 1
            told += self._tell_plain(plain)

    def mention(self, keys: Mapping[str, Mapping[str, Any]]) -> None:
        """Send reports of progress, which are not repeated if they fail."""
        changes = {job_id: self._changes(one) for job_id, one in keys.items()}
        self._patch_all([(job_id, one) for job_id, one in changes.items() if one])

    def _tell_plain(self, reports: Sequence[Report]) -> int:
        if reports:
            self._patch_all([(report.key, self._changes(report.body)) for report in reports])
            self._journal.told(reports)
        return len(reports)

    def _changes(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The change of a job for a report."""
        left_out = {_SEEN_EVENT, *_AT_THE_TOP, *(() if self._takes_own_keys else OWN_RUN_KEYS)}
        changes: dict[str, Any] = {key: body[key] for key in _AT_THE_TOP if key in body}
        schedule = {key: value for key, value in body.items() if key not in left_out}
        if schedule:
            changes["job_schedule"] = schedule
        return changes

    def _patch_all(self, changes: Sequence[tuple[str, dict[str, Any]]]) -> None:
        operations = [{"op": "patch", "job_id": job_id, "changes": one} for job_id, one in changes]
        refused = "Job %s: the API rejects its state: %s"
        if len(changes) > 1 and self._batched(self.registry.jobs, operations, refused):
            return
        for job_id, one in changes:
            self._patch(job_id, one)

    def _batched(self, collection: Collection, operations: Sequence[Mapping[str, Any]], refused: str) -> bool:
        """Do several writes in few requests; False if the API has no such route. Raises RestError.

        `refused` is the log message for an id and the reason of the API.
        """
        if not self._has_batches:
            return False
        kind = collection.kind
        try:
            for first in range(0, len(operations), BATCH):
                some = operations[first : first + BATCH]
                for operation, answer in zip(some, collection.batch(some), strict=True):
                    status = int(answer.get("status") or 0)
                    if status >= 500:
                        raise ServerError(f"The API failed on a {kind.name} ({status}).", status=status)
                    if status >= 400 and status != 404:
                        LOG.error(refused, operation[kind.id_key], answer.get("description"))
        except (NotFound, NotAllowed):
            self._has_batches = False
            return False
        return True

    def _patch(self, job_id: str, changes: dict[str, Any]) -> None:
        jobs = self.registry.jobs
        try:
            if jobs.get(job_id) is None:
                raise NotFound(f"There is no job {job_id}.", status=404)
            if jobs.tags_states(job_id):
                jobs.patch(job_id, changes)
            else:
                change_whole(jobs, job_id, lambda current: merged(current, changes))
        except (NotFound, Conflict) as error:
            LOG.info("Job %s no longer exists at the API: %s", job_id, error)
        except Rejected as error:
            schedule = changes.get("job_schedule") or {}
            if self._takes_own_keys and any(key in schedule for key in OWN_RUN_KEYS):
                # An API of upstream's.
                self._takes_own_keys = False
                kept = {key: value for key, value in schedule.items() if key not in OWN_RUN_KEYS}
                rest = {**changes, "job_schedule": kept} if kept else {}
                if rest:
                    self._patch(job_id, rest)
            else:
                LOG.error("Job %s: the API rejects its state: %s", job_id, error)

    def _tell(self, report: Report) -> None:
        body = report.body
        try:
            if report.kind == JOB:
                self._answer_event(report.key, body)
            elif report.kind == BACKUP:
                backup_id = body.get("backup_id")
                ensure_backup_record(self.registry, body, str(backup_id) if backup_id else None, "present", False)
            elif report.kind == BACKUPS_GONE:
                self._forget_backups(body["backup_ids"])
            else:
                self.registry.session_action(report.key, "end", body["job_id"], body["tag"], body["result"])
        except (NotFound, Rejected, Conflict) as error:
            LOG.error("The API rejects a report about %s %s: %s", report.kind, report.key, error)

    def _forget_backups(self, backup_ids: Sequence[str]) -> None:
        operations = [{"op": "delete", "backup_id": backup_id} for backup_id in backup_ids]
        if not self._batched(self.registry.backups, operations, "Backup %s was removed, but its record stays: %s"):
            for backup_id in backup_ids:
                self.registry.backups.delete(backup_id)

    def _answer_event(self, job_id: str, body: Mapping[str, Any]) -> None:
        """Clear an event that was handled, unless another one was requested since; and report the rest."""
        changes = self._changes(body)
        for _try in range(_TRIES):
            job, tag = self.registry.jobs.read(job_id)
            if job is None or job_problem(job):
                return
            asked = (job.get("job_schedule") or {}).get("event") or ""
            if asked != body[_SEEN_EVENT]:
                schedule = {key: value for key, value in changes.get("job_schedule", {}).items() if key != "event"}
                # The result of the new event will report the status.
                schedule.pop("status", None) if asked else None
                changes = {**changes, "job_schedule": schedule}
            if tag is None:
                self._patch(job_id, changes)
                return
            try:
                self.registry.jobs.patch(job_id, changes, if_match=tag)
                return
            except Conflict:
                continue
        raise RestError(f"The event of the job {job_id} could not be cleared: other writers change the job.")
