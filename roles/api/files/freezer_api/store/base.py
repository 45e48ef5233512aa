# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The interface of stores.

A document is identified by its kind, its project and its id: two projects can use one id. Each write increases the
document's version. A change names the state that it was made from, and is refused if the document has changed since.
"""

from __future__ import annotations

import abc
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .errors import ConflictError, DocumentTooLargeError
from .query import EVERYTHING, Query

Document = dict[str, Any]

#: Numbers that SQLite, Elasticsearch and every JSON reader keep exactly.
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1


@dataclass(frozen=True)
class Scope:
    """The documents that can be seen: those of a project, of a user, or (with neither) of all owners.

    If a user has one id in several projects, ``home_project_id`` says which one is meant. ``client_id`` limits a project
    to the documents of one client: itself, its jobs, their sessions, and the records of backups that name it.
    """

    project_id: str | None = None
    user_id: str | None = None
    home_project_id: str | None = None
    client_id: str | None = None

    @property
    def is_partial(self) -> bool:
        """Whether a project can have documents outside the scope."""
        return self.user_id is not None or self.client_id is not None


#: The path of the client in documents. The clients of a session are those of its jobs; actions have none.
CLIENT_PATHS: Mapping[str, tuple[str, ...]] = {
    "client": ("client", "client_id"),
    "job": ("client_id",),
    "backup": ("backup_metadata", "client_id"),
}


ALL_OWNERS = Scope()


@dataclass(frozen=True)
class Owner:
    """The owner of a new document. The ids identify it; the name is for people."""

    user_id: str
    project_id: str
    user_name: str = field(default="", compare=False)


@dataclass(frozen=True)
class Stored:
    """A document in the store.

    ``text`` is its JSON. ``revision`` identifies this state of it in one store, for changes.
    """

    kind: str
    id: str
    owner: Owner
    version: int
    revision: str
    text: str

    @cached_property
    def document(self) -> Document:
        """The document; a caller does not change it in place."""
        parsed: Document = json.loads(self.text)
        return parsed


@dataclass(frozen=True)
class Create:
    """Store a new document; refused if its owner's project has one of this kind and id."""

    kind: str
    id: str
    owner: Owner
    document: Document


@dataclass(frozen=True)
class Put:
    """Store a document; it replaces one of this kind and id in the project."""

    kind: str
    id: str
    owner: Owner
    document: Document


@dataclass(frozen=True)
class Replace:
    """Store another state of a document; refused if it is no longer as ``stored``."""

    stored: Stored
    document: Document


@dataclass(frozen=True)
class Delete:
    """Remove a document; refused if it is no longer as ``stored``."""

    stored: Stored


@dataclass(frozen=True)
class Discard:
    """Remove the document of this kind, id and project, if there is one."""

    kind: str
    id: str
    project_id: str


Change = Create | Put | Replace | Delete | Discard


class Store(abc.ABC):
    """A store of documents. Every method may raise StoreError."""

    @abc.abstractmethod
    def get(self, kind: str, document_id: str, scope: Scope) -> Stored | None:
        """The document, or None if the scope has none of this kind and id."""

    @abc.abstractmethod
    def search(
        self, kind: str, scope: Scope, query: Query = EVERYTHING, limit: int = 10, offset: int = 0
    ) -> list[Stored]:
        """Documents of one kind in the order in which they were created."""

    @abc.abstractmethod
    def stream(
        self, kind: str, scope: Scope, query: Query = EVERYTHING, limit: int = 10, offset: int = 0
    ) -> Iterator[Stored]:
        """The documents of ``search`` one after the other, few of which are in memory at a time.

        For one thread, which closes an iterator that it does not read to the end.
        """

    @abc.abstractmethod
    def every(self, kind: str) -> Iterator[Stored]:
        """All documents of a kind, of all owners, in the order in which they were created.

        Documents that are written meanwhile may be missing.
        """

    @abc.abstractmethod
    def state(self, kind: str, scope: Scope) -> str:
        """The state of a kind in a scope, as a text: while it is the same, all lists and searches are the same."""

    @abc.abstractmethod
    def apply(self, changes: Sequence[Change]) -> list[int]:
        """Make all changes or none, and return the version of each (0 for a removed document).

        Raises ConflictError if one of them is refused, DocumentTooLargeError if a document is too large.
        """

    @abc.abstractmethod
    def apply_each(self, groups: Sequence[Sequence[Change]]) -> list[list[int] | ConflictError | DocumentTooLargeError]:
        """Make every group of changes that can be made, each completely or not at all, in as few steps as possible.

        Returns for each group the versions as of ``apply``, or what ``apply`` would have raised for it.
        """

    @abc.abstractmethod
    def counts(self) -> Mapping[str, int]:
        """How many documents there are of each kind that has any."""

    @abc.abstractmethod
    def check(self) -> None:
        """Return if the store can be read now."""

    @abc.abstractmethod
    def close(self) -> None:
        """Close the connection of the calling thread."""

    def put(self, kind: str, document_id: str, owner: Owner, document: Document) -> int:
        """Store one document, also in place of another; return its version."""
        return self.apply([Put(kind, document_id, owner, document)])[0]

    def create(self, kind: str, document_id: str, owner: Owner, document: Document) -> int:
        """Store one new document; return its version."""
        return self.apply([Create(kind, document_id, owner, document)])[0]

    def replace(self, stored: Stored, document: Document) -> int:
        """Store another state of one document; return its version."""
        return self.apply([Replace(stored, document)])[0]

    def delete(self, stored: Stored) -> None:
        """Remove one document."""
        self.apply([Delete(stored)])
