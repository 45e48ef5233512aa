# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The SQLite store: one file, any number of threads and processes.

The file is in WAL mode: readers never wait for a writer. ``synchronous`` is FULL: an acknowledged write survives a power
cut. Writes are rare, so one fsync for each is affordable.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from ..base import Change, Create, Delete, Discard, Document, Owner, Put, Replace, Scope, Store, Stored
from ..errors import ConflictError, DocumentTooLargeError, StoreBusyError, StoreError, StoreFullError
from ..query import EVERYTHING, Query
from ..values import as_object, as_text, time_stamp
from .schema import migrate
from .search import where
from .watch import SEARCH_SECONDS, Watch

_COLUMNS = "kind, id, user_id, project_id, version, seq, body"
_EVERY_AT_ONCE = 1000


class SqliteStore(Store):
    """Documents in one SQLite file, which is made (0600, its folder 0700) if it does not exist.

    ``busy_timeout_seconds`` is how long a write waits for other processes, ``search_seconds`` how long a search may take.
    Raises StoreError, which names the file, if it cannot be used.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        busy_timeout_seconds: float = 5.0,
        max_document_bytes: int = 1_048_576,
        search_seconds: float = SEARCH_SECONDS,
    ) -> None:
        self.path = Path(path)
        self._busy_timeout_seconds = busy_timeout_seconds
        self._max_document_bytes = max_document_bytes
        self._search_seconds = search_seconds
        self._local = threading.local()
        # SQLite lets waiting processes poll for its lock; the threads of one process can queue instead.
        self._write_lock = threading.Lock()
        _make_file(self.path)
        try:
            with self._errors():
                connection = self._connection()
                _use_wal(connection, busy_timeout_seconds)
                migrate(connection)
        except StoreError as error:
            self.close()
            raise StoreError(f"{self.path} cannot be the store: {error}") from error

    def get(self, kind: str, document_id: str, scope: Scope) -> Stored | None:
        clause = where(kind, scope, EVERYTHING)
        clause.add("id = ?", document_id)
        # Without the hint SQLite may read all documents of the user.
        source = "document INDEXED BY document_identity"
        sql = f"SELECT {_COLUMNS} FROM {source} WHERE {clause} ORDER BY project_id IS ? DESC, seq LIMIT 1"
        with self._errors():
            row = self._connection().execute(sql, (*clause.values, scope.home_project_id)).fetchone()
        return None if row is None else _stored(row)

    def search(
        self, kind: str, scope: Scope, query: Query = EVERYTHING, limit: int = 10, offset: int = 0
    ) -> list[Stored]:
        return list(self.stream(kind, scope, query, limit, offset))

    def stream(
        self, kind: str, scope: Scope, query: Query = EVERYTHING, limit: int = 10, offset: int = 0
    ) -> Iterator[Stored]:
        clause = where(kind, scope, query)
        sql = f"SELECT {_COLUMNS} FROM document WHERE {clause} ORDER BY seq LIMIT ? OFFSET ?"
        with self._errors():
            connection = self._connection()
            watch = Watch(connection, self._search_seconds)
            with closing(connection.cursor()) as cursor:
                watch.run(lambda: cursor.execute(sql, (*clause.values, limit, offset)))
                while row := watch.run(cursor.fetchone):
                    yield _stored(row)

    def every(self, kind: str) -> Iterator[Stored]:
        sql = f"SELECT {_COLUMNS} FROM document WHERE kind = ? AND seq > ? ORDER BY seq LIMIT {_EVERY_AT_ONCE}"
        last = -1
        while True:
            with self._errors():
                rows = self._connection().execute(sql, (kind, last)).fetchall()
            if not rows:
                return
            yield from (_stored(row) for row in rows)
            last = rows[-1][5]

    def state(self, kind: str, scope: Scope) -> str:
        if scope.client_id is not None:
            return self._state_of_client(kind, scope)
        # A user can have documents in every project.
        condition, values = ("", ()) if scope.project_id is None else (" AND project_id = ?", (scope.project_id,))
        sql = f"SELECT total(changes) FROM change_count WHERE kind = ?{condition}"
        with self._errors():
            row = self._connection().execute(sql, (kind, *values)).fetchone()
        return f"{row[0]:.0f}"

    def _state_of_client(self, kind: str, scope: Scope) -> str:
        """The state of the documents of one client, which does not depend on writes for others."""
        clause = where(kind, scope, EVERYTHING)
        sql = f"SELECT seq, version FROM document WHERE {clause} ORDER BY seq"
        with self._errors():
            rows = self._connection().execute(sql, clause.values).fetchall()
        return hashlib.sha256(repr(rows).encode()).hexdigest()[:32]

    def apply(self, changes: Sequence[Change]) -> list[int]:
        prepared = [(change, self._row(change)) for change in changes]
        with self._write_lock, self._errors(), _transaction(self._connection()) as connection:
            return [_apply_one(connection, change, row) for change, row in prepared]

    def apply_each(self, groups: Sequence[Sequence[Change]]) -> list[list[int] | ConflictError | DocumentTooLargeError]:
        prepared = [self._rows(changes) for changes in groups]
        with self._write_lock, self._errors(), _transaction(self._connection()) as connection:
            return [
                rows if isinstance(rows, DocumentTooLargeError) else _apply_group(connection, changes, rows)
                for changes, rows in zip(groups, prepared, strict=True)
            ]

    def counts(self) -> Mapping[str, int]:
        with self._errors():
            rows = self._connection().execute("SELECT kind, count(*) FROM document GROUP BY kind").fetchall()
        return dict(rows)

    def check(self) -> None:
        with self._errors():
            self._connection().execute("SELECT 1 FROM document LIMIT 1").fetchone()

    def close(self) -> None:
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            self._local.connection = None
            connection.close()

    def _connection(self) -> sqlite3.Connection:
        """The connection of this thread and process."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None or self._local.process_id != os.getpid():
            connection = sqlite3.connect(self.path, timeout=self._busy_timeout_seconds, isolation_level=None)
            connection.execute("PRAGMA synchronous = FULL")
            self._local.connection = connection
            self._local.process_id = os.getpid()
        return connection

    def _row(self, change: Change) -> dict[str, Any]:
        """The columns that a change writes, made before the lock is acquired."""
        if isinstance(change, (Delete, Discard)):
            return {}
        text = json.dumps(change.document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        size = len(text.encode())
        if size > self._max_document_bytes:
            raise DocumentTooLargeError(
                f"the document would have {size} bytes; at most {self._max_document_bytes} are kept"
            )
        kind = change.stored.kind if isinstance(change, Replace) else change.kind
        return {"body": text, **_indexed(kind, change.document)}

    def _rows(self, changes: Sequence[Change]) -> list[dict[str, Any]] | DocumentTooLargeError:
        try:
            return [self._row(change) for change in changes]
        except DocumentTooLargeError as error:
            return error

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _store_error(error, self._busy_timeout_seconds) from error


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """A write transaction, which is rolled back if anything is raised."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        # SQLite itself rolls back when the disk is full.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _apply_group(
    connection: sqlite3.Connection, changes: Sequence[Change], rows: Sequence[dict[str, Any]]
) -> list[int] | ConflictError:
    """Make all changes of a group, or none if one is refused; those of other groups in the transaction stay."""
    connection.execute("SAVEPOINT one_group")
    try:
        versions = [_apply_one(connection, change, row) for change, row in zip(changes, rows, strict=True)]
    except ConflictError as conflict:
        connection.execute("ROLLBACK TO one_group")
        connection.execute("RELEASE one_group")
        return conflict
    connection.execute("RELEASE one_group")
    return versions


def _apply_one(connection: sqlite3.Connection, change: Change, row: dict[str, Any]) -> int:
    if isinstance(change, (Create, Put)):
        return _insert(connection, change, row)
    if isinstance(change, Discard):
        sql = "DELETE FROM document WHERE kind = ? AND id = ? AND project_id = ?"
        connection.execute(sql, (change.kind, change.id, change.project_id))
        return 0
    state = dict(zip(("seq", "version"), _state(change.stored.revision), strict=True))
    if isinstance(change, Delete):
        done = connection.execute("DELETE FROM document WHERE seq = :seq AND version = :version", state)
    else:
        sql = (
            "UPDATE document SET version = version + 1, client_id = :client_id, status = :status,"
            " time_stamp = :time_stamp, body = :body WHERE seq = :seq AND version = :version"
        )
        done = connection.execute(sql, {**row, **state})
    if done.rowcount == 0:
        raise ConflictError(change.stored.kind, change.stored.id, "changed")
    return 0 if isinstance(change, Delete) else state["version"] + 1


def _insert(connection: sqlite3.Connection, change: Create | Put, row: dict[str, Any]) -> int:
    sql = (
        "INSERT INTO document (kind, id, project_id, user_id, version, client_id, status, time_stamp, body)"
        " VALUES (:kind, :id, :project_id, :user_id, 1, :client_id, :status, :time_stamp, :body)"
        " ON CONFLICT (kind, id, project_id) DO "
    )
    if isinstance(change, Create):
        sql += "NOTHING RETURNING version"
    else:
        sql += (
            "UPDATE SET version = version + 1, client_id = excluded.client_id, status = excluded.status,"
            " time_stamp = excluded.time_stamp, body = excluded.body RETURNING version"
        )
    key = {
        "kind": change.kind,
        "id": change.id,
        "project_id": change.owner.project_id,
        "user_id": change.owner.user_id,
    }
    written = connection.execute(sql, {**row, **key}).fetchall()
    if not written:
        raise ConflictError(change.kind, change.id, "exists")
    return int(written[0][0])


def _stored(row: Sequence[Any]) -> Stored:
    kind, document_id, user_id, project_id, version, seq, body = row
    return Stored(kind, document_id, Owner(user_id, project_id), version, f"{seq}-{version}", body)


def _state(revision: str) -> tuple[int, int]:
    seq, version = revision.split("-")
    return int(seq), int(version)


def _indexed(kind: str, document: Document) -> dict[str, Any]:
    """The values for the indexed columns; a value of an unusual type is found by a slower search."""
    values: dict[str, Any] = {"client_id": None, "status": None, "time_stamp": time_stamp(kind, document)}
    if kind == "job":
        values["client_id"] = as_text(document.get("client_id"))
        values["status"] = as_text(as_object(document.get("job_schedule")).get("status"))
    return values


def _make_file(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreError(f"{path} cannot be the store: {error.strerror}; name a file that can be written") from error


def _store_error(error: sqlite3.Error, waited_seconds: float) -> StoreError:
    # The low byte of an extended code is the code itself.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusyError(f"another process has kept the store locked for {waited_seconds:g} seconds; try again")
    if code == sqlite3.SQLITE_FULL:
        return StoreFullError("the disk under the store is full; documents can be read but not written")
    return StoreError(f"the store cannot be used now: {error}")


def _use_wal(connection: sqlite3.Connection, patience_seconds: float) -> None:
    """Set the WAL mode. SQLite does not wait for other processes here, since two could wait for each other."""
    give_up_at = time.monotonic() + patience_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                raise
            time.sleep(0.01)
