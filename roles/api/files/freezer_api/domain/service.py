# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The operations behind the routes: read a document, change it, store it, and retry if another writer was faster.

Every write names the state that it was made from, so no write undoes another one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule import rounds
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.errors import NotAMember, TagTooHigh

from ..access.context import Access
from ..errors import BadRequestError, NotFoundError
from ..store.base import Document, Replace, Store, Stored
from ..store.errors import ConflictError
from .batches import Check, Outcome, run_batch
from .kinds.base import Rules
from .kinds.job import with_event
from .planning import Plan, Planner, taken
from .retrying import until_no_conflict


@dataclass(frozen=True)
class Written:
    """A document that was stored: its id, its version, the document, and warnings for its sender."""

    id: str
    version: int
    document: Document
    warnings: Sequence[str] = ()


class Service:
    """The operations of the API on one store. ``clock`` gives the seconds since 1970."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self.store = store
        self._planner = Planner(store, clock)

    def get(self, rules: Rules, access: Access, document_id: str) -> Stored:
        """A document. Raises NotFoundError."""
        return self._planner.existing(rules.kind.name, access, document_id)

    def create(self, rules: Rules, access: Access, body: Mapping[str, Any]) -> Written:
        """Store a new document under the id in the body, or under a new one.

        Raises BadRequestError, or ConflictingError if the id is taken.
        """
        sent = rules.checked(body)
        document_id = rules.id_for(body)

        def attempt() -> Written:
            plan = self._planner.creation(rules, access, document_id, sent)
            try:
                return self._store_plan(plan)
            except ConflictError as conflict:
                if conflict.kind == rules.kind.name and conflict.document_id == document_id:
                    raise taken(rules, document_id) from conflict
                raise

        return until_no_conflict(attempt)

    def create_or_replace(
        self, rules: Rules, access: Access, document_id: str, body: Mapping[str, Any], if_match: str | None = None
    ) -> Written:
        """Store a document under an id; it replaces one that exists. Raises BadRequestError, PreconditionError,
        ConflictingError."""
        sent = rules.checked_as(document_id, body)
        return until_no_conflict(
            lambda: self._store_plan(self._planner.replacement(rules, access, document_id, sent, if_match))
        )

    def change(
        self, rules: Rules, access: Access, document_id: str, body: Mapping[str, Any], if_match: str | None = None
    ) -> Written:
        """Merge changes into a document. Raises BadRequestError, NotFoundError, PreconditionError."""
        changes = rules.checked_changes(body)
        return until_no_conflict(
            lambda: self._store_plan(self._planner.change(rules, access, document_id, changes, if_match))
        )

    def delete(self, rules: Rules, access: Access, document_id: str, if_match: str | None = None) -> None:
        """Remove a document. Raises NotFoundError, PreconditionError."""

        def attempt() -> None:
            self.store.apply(self._planner.removal(rules, access, document_id, if_match).changes)

        until_no_conflict(attempt)

    def batch(self, rules: Rules, items: list[Any], check: Check) -> list[Outcome]:
        """Write many documents of one kind independently of each other; the results in the order of the items.

        ``check`` returns the access of an item and what it writes, or raises ApiError for what the sender may not do.
        Raises StoreError if nothing was written.
        """
        return run_batch(self.store, self._planner, rules, items, check)

    def request_event(self, access: Access, job_id: str, event: str) -> str:
        """Request an event of a job's scheduler; returns ``success``, or why nothing was requested. Raises NotFoundError."""

        def attempt() -> str:
            job = self._planner.existing("job", access, job_id)
            wanted, answer = with_event(job.document, event)
            if wanted is not None:
                self.store.replace(job, wanted)
            return answer

        return until_no_conflict(attempt)

    def start_in_session(self, access: Access, session_id: str, job_id: str, current_tag: int) -> rounds.Answer:
        """Ask to run a job in a round of a session. Raises BadRequestError, NotFoundError."""
        return self._session_action(
            access,
            session_id,
            job_id,
            lambda session: rounds.start(session, job_id, current_tag, self._planner.now),
        )

    def end_in_session(
        self, access: Access, session_id: str, job_id: str, current_tag: int | None, result: str
    ) -> rounds.Answer:
        """Report the result of a job of a session. Raises BadRequestError, NotFoundError."""
        return self._session_action(
            access,
            session_id,
            job_id,
            lambda session: rounds.end(session, job_id, current_tag, result, self._planner.now),
        )

    def add_job_to_session(self, access: Access, session_id: str, job_id: str) -> None:
        """Put a job into a session; it leaves the one that it may be in. Raises NotFoundError."""

        def attempt() -> None:
            session = self._planner.existing("session", access, session_id)
            job = self._planner.existing("job", access.beside(session), job_id)
            earlier = self._session_of(access.beside(job), job)
            if earlier is not None and job_id not in earlier.document.get("jobs", {}):
                earlier = None
            with_job, associated = rounds.with_job(
                session.document, job.document, earlier.document if earlier is not None else None
            )
            changes = [Replace(session, with_job), Replace(job, associated)]
            if earlier is not None and earlier.id != session.id:
                changes.append(Replace(earlier, rounds.without_job(earlier.document, job_id)))
            self.store.apply(changes)

        until_no_conflict(attempt)

    def remove_job_from_session(self, access: Access, session_id: str, job_id: str) -> None:
        """Take a job out of a session, which gives it its own schedule back. Raises NotFoundError."""

        def attempt() -> None:
            session = self._planner.existing("session", access, session_id)
            try:
                changes = [Replace(session, rounds.without_job(session.document, job_id))]
            except NotAMember as error:
                raise NotFoundError(str(error)) from error
            own = rounds.own_schedule(session.document, job_id)
            job = self.store.get("job", job_id, access.beside(session).scope)
            if job is not None and job.document.get("session_id") == session_id:
                changes.append(Replace(job, rounds.job_alone(job.document, own)))
            self.store.apply(changes)

        until_no_conflict(attempt)

    def _session_of(self, access: Access, job: Stored) -> Stored | None:
        session_id = job.document.get("session_id")
        return self.store.get("session", session_id, access.scope) if session_id else None

    def _session_action(
        self, access: Access, session_id: str, job_id: str, act: Callable[[Document], rounds.Answer]
    ) -> rounds.Answer:
        def attempt() -> rounds.Answer:
            session = self._planner.existing("session", access, session_id)
            if access.scope.client_id is not None:
                # A node acts for its own jobs only.
                self._planner.existing("job", access, job_id)
            try:
                answer = act(session.document)
            except TagTooHigh as error:
                raise BadRequestError(str(error), title="Bad session tag") from error
            except NotAMember as error:
                raise BadRequestError(str(error), title="Bad session action") from error
            if answer.session is not None:
                self.store.replace(session, answer.session)
            return answer

        return until_no_conflict(attempt)

    def _store_plan(self, plan: Plan) -> Written:
        versions = self.store.apply(plan.changes)
        return Written(plan.document_id, versions[0], plan.document or {}, plan.warnings)
