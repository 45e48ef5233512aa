# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Sessions: schedulers write their state, and separate routes their jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.errors import DocumentError
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.kinds import SESSION
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.old_forms import usual_session
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.changes import without_unset
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.rounds import job_alone, own_schedule

from ...errors import BadRequestError
from ...store.base import Change, Document, Owner, Replace, Scope, Store, Stored
from .base import Rules, carried_over
from .looking import look_at_schedule

_NEW_HOLD_OFF_SECONDS = 30

#: What rounds and association write; a session that is replaced keeps it.
_STATE = (
    "session_tag",
    "jobs",
    "status",
    "result",
    "time_start",
    "time_end",
    "time_started",
    "time_ended",
    "last_start",
)


class SessionRules(Rules):
    """The rules of sessions."""

    def __init__(self) -> None:
        super().__init__(SESSION)

    def usual(self, body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return usual_session(body)
        except DocumentError as error:
            raise BadRequestError(str(error)) from error

    def without_owner(self, body: Mapping[str, Any]) -> dict[str, Any]:
        sent = super().without_owner(body)
        if not sent.get("jobs", True):
            # "No jobs", which older documents write as [] or null, removes none.
            del sent["jobs"]
        return sent

    def new(self, sent: Mapping[str, Any], document_id: str, owner: Owner, now: int) -> Document:
        state = {"hold_off": _NEW_HOLD_OFF_SECONDS, "session_tag": 0, "status": "active", "last_start": "", "jobs": {}}
        return _with_set_times(super().new({**state, **sent}, document_id, owner, now))

    def changed(self, stored: Stored, changes: Mapping[str, Any]) -> Document:
        return _with_set_times(super().changed(stored, changes))

    def remarks(self, old: Document | None, new: Document) -> list[str]:
        look_at_schedule((old or {}).get("schedule") or {}, new.get("schedule") or {}, "schedule")
        return []

    def replacement(self, sent: Mapping[str, Any], stored: Stored, now: int) -> Document:
        return self.new(carried_over(dict(sent), stored.document, _STATE), stored.id, stored.owner, now)

    def companions(
        self, store: Store, old: Stored | None, new: Document | None, owner: Owner
    ) -> tuple[Document | None, list[Change]]:
        if old is None or new is not None:
            return new, []
        # The jobs of a deleted session leave it; else they would ask it for rounds for ever.
        changes: list[Change] = []
        jobs = old.document.get("jobs")
        for job_id in jobs if isinstance(jobs, Mapping) else ():
            job = store.get("job", job_id, Scope(project_id=owner.project_id))
            if job is not None and job.document.get("session_id") == old.id:
                changes.append(Replace(job, job_alone(job.document, own_schedule(old.document, job_id))))
        return None, changes


def _with_set_times(session: Document) -> Document:
    schedule = session.get("schedule")
    return {**session, "schedule": without_unset(schedule)} if isinstance(schedule, Mapping) else session
