# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The changes of the store that a write needs, from what a client sent and what the store has.

A plan is made from one state of the store, which its changes name. If the state is another one when they are stored,
they are refused, and a new plan has to be made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..access.context import Access
from ..access.secrets import unmasked
from ..errors import ConflictingError, PreconditionError, not_found
from ..store.base import Change, Create, Delete, Document, Replace, Scope, Store, Stored
from .kinds.base import Rules


@dataclass(frozen=True)
class Plan:
    """The changes for one write; the first of them is about the document itself.

    ``document`` is None if it is removed. ``is_new``: there was none of this id.
    """

    document_id: str
    document: Document | None
    changes: list[Change]
    is_new: bool = False
    #: Sentences for the sender of the document.
    warnings: Sequence[str] = ()


class Planner:
    """Makes plans for one store. ``clock`` gives the seconds since 1970.

    ``sent`` and ``changes`` are what ``Rules.checked`` and ``Rules.checked_changes`` return.
    """

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    @property
    def now(self) -> int:
        """The seconds since 1970."""
        return int(self._clock())

    def existing(self, kind: str, access: Access, document_id: str) -> Stored:
        """A document in the scope of the request. Raises NotFoundError."""
        stored = self._store.get(kind, document_id, access.scope)
        if stored is None:
            raise not_found(kind, document_id)
        return stored

    def creation(self, rules: Rules, access: Access, document_id: str, sent: Mapping[str, Any]) -> Plan:
        """A new document. Raises ConflictingError if its sender can see one of this id."""
        # An id is unique in a project, and on v1 also among the documents of a user.
        if access.scope.user_id is not None and self._store.get(rules.kind.name, document_id, access.scope):
            raise taken(rules, document_id)
        return self._new(rules, access, document_id, sent)

    def replacement(
        self, rules: Rules, access: Access, document_id: str, sent: Mapping[str, Any], if_match: str | None
    ) -> Plan:
        """A document under an id; it replaces one that exists. Raises ConflictingError, PreconditionError."""
        stored = self._store.get(rules.kind.name, document_id, access.scope)
        _check_precondition(stored, if_match)
        if stored is not None:
            return self._changed(rules, stored, rules.replacement(sent, stored, self.now))
        project = Scope(project_id=access.owner.project_id)
        if access.scope.is_partial and self._store.get(rules.kind.name, document_id, project):
            # Another user of the project has the id, whose documents are not shown.
            raise taken(rules, document_id)
        return self._new(rules, access, document_id, sent)

    def change(
        self, rules: Rules, access: Access, document_id: str, changes: Mapping[str, Any], if_match: str | None
    ) -> Plan:
        """A document with changes merged into it. Raises NotFoundError, PreconditionError."""
        stored = self.existing(rules.kind.name, access, document_id)
        _check_precondition(stored, if_match)
        return self._changed(rules, stored, rules.changed(stored, changes))

    def removal(self, rules: Rules, access: Access, document_id: str, if_match: str | None) -> Plan:
        """The removal of a document. Raises NotFoundError, PreconditionError."""
        stored = self.existing(rules.kind.name, access, document_id)
        _check_precondition(stored, if_match)
        _before, companions = rules.companions(self._store, stored, None, stored.owner)
        return Plan(stored.id, None, [Delete(stored), *companions])

    def _new(self, rules: Rules, access: Access, document_id: str, sent: Mapping[str, Any]) -> Plan:
        document = unmasked(rules.new(sent, document_id, access.owner, self.now), None)
        completed, companions = rules.companions(self._store, None, document, access.owner)
        document = completed or document
        creation = Create(rules.kind.name, document_id, access.owner, document)
        warnings = rules.remarks(None, document)
        return Plan(document_id, document, [creation, *companions], is_new=True, warnings=warnings)

    def _changed(self, rules: Rules, stored: Stored, document: Document) -> Plan:
        document = unmasked(document, stored.document)
        completed, companions = rules.companions(self._store, stored, document, stored.owner)
        document = completed or document
        warnings = rules.remarks(stored.document, document)
        return Plan(stored.id, document, [Replace(stored, document), *companions], warnings=warnings)


def taken(rules: Rules, document_id: str) -> ConflictingError:
    """The error for an id that exists already."""
    return ConflictingError(f"The {rules.kind.name} {document_id} exists already")


def etag(stored: Stored, *, is_masked: bool = False) -> str:
    """The entity tag of a state of a document, with its secrets or with asterisks."""
    return f'"{stored.revision}{"-masked" if is_masked else ""}"'


def _check_precondition(stored: Stored | None, if_match: str | None) -> None:
    if if_match is None:
        return
    tags = {tag.strip() for tag in if_match.split(",")}
    # Both forms of a document have the same state.
    if stored is None or tags.isdisjoint(("*", etag(stored), etag(stored, is_masked=True))):
        raise PreconditionError("The document has changed since its ETag was read; read it again")
