# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The tables of the SQLite store, and the migrations from one version of them to the next."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass

from ..errors import StoreError


@dataclass(frozen=True)
class Migration:
    """One step; its statements and the record of it are one transaction."""

    version: int
    name: str
    statements: tuple[str, ...]


#: A released step is never changed; the next change is a new step.
MIGRATIONS = (
    Migration(
        1,
        "documents of all kinds in one table",
        (
            # client_id, status and time_stamp repeat what is in the body, for the indices.
            """
            CREATE TABLE document (
                seq INTEGER PRIMARY KEY AUTOINCREMENT,
                kind TEXT NOT NULL,
                id TEXT NOT NULL,
                project_id TEXT NOT NULL,
                user_id TEXT NOT NULL,
                version INTEGER NOT NULL,
                client_id TEXT,
                status TEXT,
                time_stamp INTEGER,
                body TEXT NOT NULL
            )
            """,
            "CREATE UNIQUE INDEX document_identity ON document (kind, id, project_id)",
            "CREATE INDEX document_of_everybody ON document (kind, seq)",
            "CREATE INDEX document_of_project ON document (kind, project_id, seq)",
            "CREATE INDEX document_of_user ON document (kind, user_id, seq)",
            "CREATE INDEX document_of_project_client ON document (kind, project_id, client_id, seq)",
            "CREATE INDEX document_of_user_client ON document (kind, user_id, client_id, seq)",
            "CREATE INDEX document_of_project_time ON document (kind, project_id, time_stamp)",
        ),
    ),
    Migration(
        2,
        "how often the documents of a project were changed",
        (
            """
            CREATE TABLE change_count (
                kind TEXT NOT NULL,
                project_id TEXT NOT NULL,
                changes INTEGER NOT NULL,
                PRIMARY KEY (kind, project_id)
            ) WITHOUT ROWID
            """,
            *(
                f"""
                CREATE TRIGGER count_{event.lower()} AFTER {event} ON document BEGIN
                    INSERT INTO change_count VALUES ({row}.kind, {row}.project_id, 1)
                    ON CONFLICT (kind, project_id) DO UPDATE SET changes = changes + 1;
                END
                """
                for event, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD"))
            ),
        ),
    ),
)

VERSION = MIGRATIONS[-1].version


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables to the version of this program.

    Several processes may do so at once. Raises StoreError if the file is another program's, or of a later version.
    """
    if _version(connection) == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = _version(connection)
        if found > VERSION:
            raise StoreError(
                f"its tables have version {found} and this program knows {VERSION}; run the program that wrote it, "
                "or a later one"
            )
        if found == 0:
            _refuse_other_database(connection)
            connection.execute(
                "CREATE TABLE IF NOT EXISTS schema_version"
                " (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL)"
            )
        for step in MIGRATIONS:
            if step.version > found:
                for statement in step.statements:
                    connection.execute(statement)
                connection.execute(
                    "INSERT INTO schema_version VALUES (?, ?, ?)", (step.version, step.name, int(time.time()))
                )
        connection.execute("COMMIT")
    except BaseException:
        # SQLite itself rolls back when the disk is full.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@dataclass(frozen=True)
class Applied:
    """A step that was applied, and when, in seconds since 1970."""

    version: int
    name: str
    applied_at: int


def applied(connection: sqlite3.Connection) -> tuple[Applied, ...]:
    """The steps that were applied, none for an empty file. Raises StoreError for another program's file."""
    if "schema_version" not in _tables(connection):
        _refuse_other_database(connection)
        return ()
    rows = connection.execute("SELECT version, name, applied_at FROM schema_version ORDER BY version")
    return tuple(Applied(*row) for row in rows)


def _version(connection: sqlite3.Connection) -> int:
    if "schema_version" not in _tables(connection):
        return 0
    row = connection.execute("SELECT max(version) FROM schema_version").fetchone()
    return int(row[0] or 0)


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _refuse_other_database(connection: sqlite3.Connection) -> None:
    others = sorted(_tables(connection) - {"schema_version"})
    if others:
        raise StoreError(f"it is the database of another program (it has a table {others[0]}); name another file")
