# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What the routes do: read a document, make another one of it, store that, and begin again if somebody was faster.

Every write names the state that it was made from. A race that is lost is run again, so no write undoes another one.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from . import session_rounds
from .access import Access
from .errors import ConflictingError, PreconditionError, UnavailableError, not_found
from .kinds.base import Rules
from .kinds.job import with_event
from .store.base import Create, Delete, Document, Replace, Scope, Store, Stored
from .store.errors import ConflictError

T = TypeVar("T")

_ATTEMPTS = 60
_LONGEST_PAUSE_SECONDS = 0.02


@dataclass(frozen=True)
class Written:
    """A document that was stored: its id, its version, and the document."""

    id: str
    version: int
    document: Document


class Service:
    """The operations of the API on one store. ``clock`` gives the seconds since 1970."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self.store = store
        self._clock = clock

    @property
    def _now(self) -> int:
        return int(self._clock())

    def get(self, rules: Rules, access: Access, document_id: str) -> Stored:
        """A document. Raises NotFoundError."""
        return self._get(rules.kind.name, access, document_id)

    def create(self, rules: Rules, access: Access, body: Mapping[str, Any]) -> Written:
        """Store a new document under the id in the body, or under a new one.

        Raises BadRequestError, or ConflictingError if the id is taken.
        """
        sent = rules.checked(body)
        document_id = rules.id_for(body)

        def attempt() -> Written:
            # An id can be taken once in a project, and on v1 also once by a user.
            if access.scope.user_id is not None and self.store.get(rules.kind.name, document_id, access.scope):
                raise _taken(rules, document_id)
            try:
                return self._store_new(rules, access, document_id, sent)
            except ConflictError as conflict:
                if conflict.kind == rules.kind.name and conflict.document_id == document_id:
                    raise _taken(rules, document_id) from conflict
                raise

        return _until_no_conflict(attempt)

    def create_or_replace(
        self, rules: Rules, access: Access, document_id: str, body: Mapping[str, Any], if_match: str | None = None
    ) -> Written:
        """Store a document under an id in place of what may be there. Raises BadRequestError, PreconditionError,
        ConflictingError."""
        named = {**body, rules.kind.id_key: document_id} if body else body
        sent = rules.checked(named)
        project = Scope(project_id=access.owner.project_id)

        def attempt() -> Written:
            stored = self.store.get(rules.kind.name, document_id, access.scope)
            _check_precondition(stored, if_match)
            if stored is not None:
                return self._store_change(rules, stored, rules.replacement(sent, stored, self._now))
            if access.scope.user_id is not None and self.store.get(rules.kind.name, document_id, project):
                # Another user of the project has it, which v1 does not show.
                raise _taken(rules, document_id)
            return self._store_new(rules, access, document_id, sent)

        return _until_no_conflict(attempt)

    def change(
        self, rules: Rules, access: Access, document_id: str, body: Mapping[str, Any], if_match: str | None = None
    ) -> Written:
        """Merge changes into a document. Raises BadRequestError, NotFoundError, PreconditionError."""
        changes = rules.checked_changes(body)

        def attempt() -> Written:
            stored = self.get(rules, access, document_id)
            _check_precondition(stored, if_match)
            return self._store_change(rules, stored, rules.changed(stored, changes))

        return _until_no_conflict(attempt)

    def delete(self, rules: Rules, access: Access, document_id: str, if_match: str | None = None) -> None:
        """Remove a document. Raises NotFoundError, PreconditionError."""

        def attempt() -> None:
            stored = self.get(rules, access, document_id)
            _check_precondition(stored, if_match)
            _, companions = rules.companions(self.store, stored, None, stored.owner)
            self.store.apply([Delete(stored), *companions])

        _until_no_conflict(attempt)

    def request_event(self, access: Access, job_id: str, event: str) -> bool:
        """Ask a job's scheduler for an event; whether it was not asked already. Raises NotFoundError."""

        def attempt() -> bool:
            job = self._get("job", access, job_id)
            wanted = with_event(job.document, event)
            if wanted is None:
                return False
            self.store.replace(job, wanted)
            return True

        return _until_no_conflict(attempt)

    def start_in_session(self, access: Access, session_id: str, job_id: str, current_tag: int) -> session_rounds.Answer:
        """Ask to run a job in a round of a session. Raises BadRequestError, NotFoundError."""
        return self._session_action(
            access, session_id, lambda session: session_rounds.start(session, job_id, current_tag, self._now)
        )

    def end_in_session(
        self, access: Access, session_id: str, job_id: str, current_tag: int | None, result: str
    ) -> session_rounds.Answer:
        """Report what a job of a session came to. Raises BadRequestError, NotFoundError."""
        return self._session_action(
            access, session_id, lambda session: session_rounds.end(session, job_id, current_tag, result, self._now)
        )

    def add_job_to_session(self, access: Access, session_id: str, job_id: str) -> None:
        """Put a job into a session; it leaves the one that it may be in. Raises NotFoundError."""

        def attempt() -> None:
            session = self._get("session", access, session_id)
            job = self._get("job", access, job_id)
            with_job, associated = session_rounds.with_job(session.document, job.document)
            changes = [Replace(session, with_job), Replace(job, associated)]
            earlier = self._session_of(access, job)
            if earlier is not None and earlier.id != session.id and job_id in earlier.document.get("jobs", {}):
                changes.append(Replace(earlier, session_rounds.without_job(earlier.document, job_id)))
            self.store.apply(changes)

        _until_no_conflict(attempt)

    def remove_job_from_session(self, access: Access, session_id: str, job_id: str) -> None:
        """Take a job out of a session and ask its scheduler to stop it. Raises NotFoundError."""

        def attempt() -> None:
            session = self._get("session", access, session_id)
            changes = [Replace(session, session_rounds.without_job(session.document, job_id))]
            job = self.store.get("job", job_id, access.scope)
            if job is not None and job.document.get("session_id") == session_id:
                changes.append(Replace(job, session_rounds.job_alone(job.document)))
            self.store.apply(changes)

        _until_no_conflict(attempt)

    def _get(self, kind: str, access: Access, document_id: str) -> Stored:
        stored = self.store.get(kind, document_id, access.scope)
        if stored is None:
            raise not_found(kind, document_id)
        return stored

    def _session_of(self, access: Access, job: Stored) -> Stored | None:
        session_id = job.document.get("session_id")
        return self.store.get("session", session_id, access.scope) if session_id else None

    def _session_action(
        self, access: Access, session_id: str, act: Callable[[Document], session_rounds.Answer]
    ) -> session_rounds.Answer:
        def attempt() -> session_rounds.Answer:
            session = self._get("session", access, session_id)
            answer = act(session.document)
            if answer.session is not None:
                self.store.replace(session, answer.session)
            return answer

        return _until_no_conflict(attempt)

    def _store_new(self, rules: Rules, access: Access, document_id: str, sent: Mapping[str, Any]) -> Written:
        document = rules.new(sent, document_id, access.owner, self._now)
        completed, companions = rules.companions(self.store, None, document, access.owner)
        document = completed or document
        versions = self.store.apply([Create(rules.kind.name, document_id, access.owner, document), *companions])
        return Written(document_id, versions[0], document)

    def _store_change(self, rules: Rules, stored: Stored, document: Document) -> Written:
        completed, companions = rules.companions(self.store, stored, document, stored.owner)
        document = completed or document
        versions = self.store.apply([Replace(stored, document), *companions])
        return Written(stored.id, versions[0], document)


def _taken(rules: Rules, document_id: str) -> ConflictingError:
    return ConflictingError(f"The {rules.kind.name} {document_id} exists already")


def _check_precondition(stored: Stored | None, if_match: str | None) -> None:
    if if_match is None:
        return
    tags = [tag.strip() for tag in if_match.split(",")]
    if stored is None or ("*" not in tags and etag(stored) not in tags):
        raise PreconditionError("The document is no longer as it was when its ETag was read; read it again")


def etag(stored: Stored) -> str:
    """The entity tag of one state of a document."""
    return f'"{stored.revision}"'


def _until_no_conflict(attempt: Callable[[], T]) -> T:
    for number in range(_ATTEMPTS):
        try:
            return attempt()
        except ConflictError:
            time.sleep(random.uniform(0, min(_LONGEST_PAUSE_SECONDS, 0.001 * 2**number)))
    raise UnavailableError("Too many others change this document; try again", headers={"Retry-After": "1"})
