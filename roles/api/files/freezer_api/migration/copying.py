# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Copying all documents of one store to another.

First both are read, and the digest of every document is noted: so it is known before anything is written what is
missing, what is the same, and what differs. Then the missing documents are written. Finally both are read again and
compared. A copy that was interrupted is continued by the same command: documents that are there are not written again.
"""

from __future__ import annotations

import abc
import hashlib
import json
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ..store.base import Create, Document, Owner, Replace, Scope, Store
from ..store.errors import ConflictError, DocumentTooLargeError, StoreError

#: The order in which kinds are copied: those that others refer to come first.
KINDS = ("client", "action", "job", "session", "backup")
#: Gets what is being done, how many documents of it are done, and of how many.
Progress = Callable[[str, int, int], None]

_BATCH = 500
_BATCH_CHARACTERS = 4 * 1024 * 1024
_NAMED_AT_MOST = 5
_SOURCE, _TARGET = 0, 1


@dataclass(frozen=True)
class Item:
    """A document to copy."""

    kind: str
    id: str
    owner: Owner
    document: Document
    size: int

    @property
    def key(self) -> tuple[str, str, str]:
        """What identifies it: kind, project, id."""
        return self.kind, self.owner.project_id, self.id

    def digest(self) -> bytes:
        """A digest of the content and the user, independent of the form of the JSON."""
        content = json.dumps([self.owner.user_id, self.document], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(content.encode()).digest()


@dataclass(frozen=True)
class Rejection:
    """A document that cannot be copied, and why."""

    kind: str | None
    id: str
    reason: str


class Source(abc.ABC):
    """A source of documents; every reading gives the same ones."""

    name: str

    @abc.abstractmethod
    def total(self) -> int:
        """How many documents there are."""

    @abc.abstractmethod
    def items(self) -> Iterator[Item | Rejection]:
        """All of them."""


class StoreSource(Source):
    """The documents of a store."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self.name = name

    def total(self) -> int:
        return sum(self._store.counts().values())

    def items(self) -> Iterator[Item | Rejection]:
        for kind in KINDS:
            for stored in self._store.every(kind):
                yield Item(kind, stored.id, stored.owner, stored.document, len(stored.text))


@dataclass(frozen=True)
class Comparison:
    """How two stores differ. ``differing`` documents are in both, with different contents."""

    missing: int
    same: int
    differing: int
    extra: int
    #: Some that differ, as ``kind id of project``.
    named: tuple[str, ...]
    by_kind: Mapping[str, int]


@dataclass
class Outcome:
    """The result of a copy. ``compared`` is how the two stores differed before."""

    compared: Comparison
    written: int = 0
    rejected: list[Rejection] = field(default_factory=list)
    verified: int = 0


class Copy:
    """A copy of everything in ``source`` to ``target``, whose own documents stay.

    ``overwrites``: a document that differs gets the contents of the source. Every method may raise StoreError.
    """

    def __init__(
        self,
        source: Source,
        target: Store,
        target_name: str,
        *,
        overwrites: bool = False,
        progress: Progress = lambda what, done, total: None,
    ) -> None:
        self._source = source
        self._target = target
        self._target_name = target_name
        self._overwrites = overwrites
        self._progress = progress
        self._rejected: dict[tuple[str | None, str], Rejection] = {}

    def run(self, test_only: bool = False) -> Outcome:
        """Compare, write what is missing, compare again. Raises StoreError if documents differ, or the copy has failed."""
        with _digests() as digests:
            digests.note(_TARGET, self._read(StoreSource(self._target, self._target_name)))
            digests.note(_SOURCE, self._read(self._source), self._reject)
            compared = digests.compared()
            outcome = Outcome(compared, rejected=list(self._rejected.values()))
            if test_only:
                return outcome
            if compared.differing and not self._overwrites:
                raise StoreError(
                    f"{compared.differing:,} documents are in {self._target_name} already and differ from those of "
                    f"{self._source.name}: {', '.join(compared.named)}"
                    f"{' and others' if compared.differing > len(compared.named) else ''}. Nothing was copied; say "
                    "--overwrite to replace them"
                )
            if compared.missing or compared.differing:
                outcome.written = self._write(digests, compared.missing + compared.differing)
                outcome.rejected = list(self._rejected.values())
            outcome.verified = self._verify(digests)
        return outcome

    def _read(self, source: Source) -> Iterator[Item | Rejection]:
        """All documents of a source; reports progress."""
        total = source.total()
        done = 0
        for done, item in enumerate(source.items(), 1):
            if done % _BATCH == 0:
                self._progress(f"reading {source.name}", done, max(total, done))
            yield item
        self._progress(f"reading {source.name}", done, max(total, done))

    def _reject(self, rejection: Rejection) -> None:
        self._rejected[(rejection.kind, rejection.id)] = rejection

    def _write(self, digests: Digests, total: int) -> int:
        written = 0
        new: list[Item] = []
        size = 0
        for item in self._source.items():
            if isinstance(item, Rejection):
                continue
            taken = digests.take(item)
            if taken is None:
                continue
            if taken == "differs":
                self._overwrite(item)
                written += 1
                continue
            new.append(item)
            size += item.size
            if len(new) == _BATCH or size > _BATCH_CHARACTERS:
                written += self._create(new, digests)
                new, size = [], 0
                self._progress("copying", written, max(total, written))
        if new:
            written += self._create(new, digests)
        self._progress("copying", written, max(total, written))
        return written

    def _create(self, items: Sequence[Item], digests: Digests) -> int:
        written = 0
        results = self._target.apply_each([[Create(item.kind, item.id, item.owner, item.document)] for item in items])
        for item, result in zip(items, results, strict=True):
            if isinstance(result, DocumentTooLargeError):
                self._reject(Rejection(item.kind, item.id, str(result)))
            elif isinstance(result, ConflictError):
                raise StoreError(
                    f"another writer has created the {item.kind} {item.id} in {self._target_name} meanwhile; run the copy again"
                )
            else:
                written += 1
        return written

    def _overwrite(self, item: Item) -> None:
        there = self._target.get(item.kind, item.id, Scope(project_id=item.owner.project_id))
        try:
            if there is not None and there.owner == item.owner:
                self._target.apply([Replace(there, item.document)])
                return
            if there is not None:
                # The owner of a stored document cannot be changed.
                self._target.delete(there)
            self._target.apply([Create(item.kind, item.id, item.owner, item.document)])
        except ConflictError as error:
            raise StoreError(
                f"another writer has changed the {item.kind} {item.id} in {self._target_name} meanwhile; run the copy again"
            ) from error

    def _verify(self, digests: Digests) -> int:
        """Read both again, and return how many documents are the same in both."""
        rejected = set(self._rejected)
        digests.clear()
        digests.note(_TARGET, self._read(StoreSource(self._target, self._target_name)))
        digests.note(_SOURCE, self._read(self._source), self._reject)
        for kind, document_id in rejected:
            digests.forget_source(kind, document_id)
        compared = digests.compared()
        if compared.missing or compared.differing:
            raise StoreError(
                f"of the documents of {self._source.name} {compared.missing:,} are missing in {self._target_name} and "
                f"{compared.differing:,} differ there after the copy: another writer uses one of the two. Stop freezer-api, "
                "and run the copy again to go on with it"
            )
        return compared.same


class Digests:
    """The digests of the documents of both stores, in a temporary file: there may be millions."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            "CREATE TABLE document (side INTEGER, kind TEXT, project_id TEXT, id TEXT, digest BLOB,"
            " PRIMARY KEY (kind, project_id, id, side)) WITHOUT ROWID"
        )

    def note(
        self, side: int, items: Iterator[Item | Rejection], reject: Callable[[Rejection], None] = lambda rejection: None
    ) -> None:
        """Store the digests of documents; of two with one id the second is rejected."""
        sql = "INSERT INTO document VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
        for item in items:
            if isinstance(item, Rejection):
                reject(item)
                continue
            digest = item.digest()
            is_first = self._connection.execute(sql, (side, *item.key, digest)).rowcount
            if not is_first and self._digest(side, item) != digest:
                reject(Rejection(f"{item.kind} (again)", item.id, "an earlier document has this id"))
        self._connection.commit()

    def compared(self) -> Comparison:
        """How the two differ."""
        both = (
            "FROM document AS s LEFT JOIN document AS t ON t.kind = s.kind AND t.project_id = s.project_id"
            f" AND t.id = s.id AND t.side = {_TARGET} WHERE s.side = {_SOURCE}"
        )
        one = self._connection.execute
        missing, same, differing = (
            one(f"SELECT count(*) {both} AND {condition}").fetchone()[0]
            for condition in ("t.digest IS NULL", "t.digest = s.digest", "t.digest <> s.digest")
        )
        targets = one("SELECT count(*) FROM document WHERE side = ?", (_TARGET,)).fetchone()[0]
        named = one(
            f"SELECT s.kind, s.id, s.project_id {both} AND t.digest <> s.digest LIMIT {_NAMED_AT_MOST}"
        ).fetchall()
        by_kind = one("SELECT kind, count(*) FROM document WHERE side = ? GROUP BY kind", (_SOURCE,)).fetchall()
        return Comparison(
            missing,
            same,
            differing,
            targets - same - differing,
            tuple(f"{kind} {document_id} of project {project_id}" for kind, document_id, project_id in named),
            dict(by_kind),
        )

    def take(self, item: Item) -> str | None:
        """``missing`` or ``differs`` if a document of the source has to be written, else None.

        Returned once for each document.
        """
        digest, there = item.digest(), self._digest(_TARGET, item)
        if self._digest(_SOURCE, item) != digest or there == digest:
            return None
        sql = "INSERT OR REPLACE INTO document VALUES (?, ?, ?, ?, ?)"
        self._connection.execute(sql, (_TARGET, *item.key, digest))
        return "missing" if there is None else "differs"

    def forget_source(self, kind: str | None, document_id: str) -> None:
        """Remove the documents of the source with an id."""
        self._connection.execute(
            "DELETE FROM document WHERE side = ? AND kind = ? AND id = ?", (_SOURCE, kind, document_id)
        )

    def clear(self) -> None:
        """Remove all digests."""
        self._connection.execute("DELETE FROM document")

    def _digest(self, side: int, item: Item) -> bytes | None:
        sql = "SELECT digest FROM document WHERE kind = ? AND project_id = ? AND id = ? AND side = ?"
        row = self._connection.execute(sql, (*item.key, side)).fetchone()
        return None if row is None else row[0]


@contextmanager
def _digests() -> Iterator[Digests]:
    with tempfile.TemporaryDirectory(prefix="freezer-copy-") as folder:
        with closing(sqlite3.connect(Path(folder, "digests.db"))) as connection:
            try:
                yield Digests(connection)
            except sqlite3.Error as error:
                raise StoreError(f"the digests of the documents cannot be kept in {folder}: {error}") from error
