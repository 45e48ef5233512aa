# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The journal of a scheduler: its jobs as last seen, its runs, and the reports for the API.

One SQLite file that only its owner can read, since documents contain passwords. Every step is recorded before it is done,
and a record survives a crash of the program and of the machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.states import State

from .runs import Run

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    job_id TEXT PRIMARY KEY, document TEXT NOT NULL, tag TEXT, status TEXT NOT NULL, after TEXT NOT NULL,
    last_due REAL, session_tag INTEGER NOT NULL, is_open INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (run_id TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS outbox_key ON outbox (kind, key);
CREATE TABLE IF NOT EXISTS results (job_id TEXT PRIMARY KEY, keys TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""

#: The fact whether the API can be used: JSON with ``problem``, empty if it can, and ``since``.
API_STATE = "api"
#: The kinds of reports: keys of a job's schedule, a backup that was made, backups that were removed, the end of a job in
#: its session.
JOB, BACKUP, BACKUPS_GONE, SESSION_END = "job", "backup", "backups_gone", "session_end"


class JournalError(FreezerError):
    """The file cannot be used; the message says why."""


class Report(NamedTuple):
    """A report for the API. ``text`` is its body as stored."""

    id: int
    kind: str
    key: str
    text: str

    @property
    def body(self) -> dict[str, Any]:
        """The body."""
        parsed: dict[str, Any] = json.loads(self.text)
        return parsed


class Known(NamedTuple):
    """A job as last seen; ``is_open``: a requested start has not led to a run yet."""

    job_id: str
    document: str
    tag: str | None
    state: State
    last_due: float | None
    session_tag: int
    is_open: bool


class Journal:
    """The file, through one connection. Each thread needs its own. ``is_reader`` opens it read-only.

    Methods raise JournalError.
    """

    def __init__(self, path: Path, *, is_reader: bool = False) -> None:
        try:
            if is_reader:
                # Read-only also for the WAL, which only the owner of the file may fold in.
                self._db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)
                self._db.execute("SELECT COUNT(*) FROM jobs")
            else:
                self._db = self._opened(path)
        except (OSError, sqlite3.Error) as error:
            raise JournalError(f"The scheduler's own file {path} cannot be used: {error}.") from error
        self.path = path

    def _opened(self, path: Path) -> sqlite3.Connection:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Only if there is none: closing a descriptor of a file drops all locks of this process on it, also those of
        # other SQLite connections.
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        db = sqlite3.connect(path, isolation_level=None, timeout=30)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA cache_size=-2048")
        db.executescript(_SCHEMA)
        return db

    def close(self) -> None:
        """Close the file; uncommitted changes are lost."""
        self._db.close()

    def begin(self) -> None:
        """Begin a transaction, if there is none."""
        if not self._db.in_transaction:
            self._do("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Commit the transaction, if there is one."""
        if self._db.in_transaction:
            self._do("COMMIT")

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """Roll back the writes of a block that raises, after ``begin``; not for JournalError."""
        self._do("SAVEPOINT one")
        try:
            yield
        except JournalError:
            raise
        except Exception:
            self._do("ROLLBACK TO one")
            self._do("RELEASE one")
            raise
        self._do("RELEASE one")

    def _do(self, statement: str, *values: Any) -> sqlite3.Cursor:
        try:
            return self._db.execute(statement, values)
        except (sqlite3.DataError, sqlite3.InterfaceError):
            # The value is wrong, and not the file.
            raise
        except sqlite3.Error as error:
            raise JournalError(f"The scheduler's own file {self.path} cannot be written: {error}.") from error

    def jobs(self) -> Iterator[Known]:
        """All jobs."""
        for row in self._do("SELECT job_id, document, tag, status, after, last_due, session_tag, is_open FROM jobs"):
            yield Known(row[0], row[1], row[2], State(row[3], row[4]), row[5], row[6], bool(row[7]))

    def document(self, job_id: str) -> dict[str, Any] | None:
        """The document of a job as last seen."""
        row = self._do("SELECT document FROM jobs WHERE job_id = ?", job_id).fetchone()
        return json.loads(row[0]) if row else None

    def keep_job(self, known: Known) -> None:
        """Store a job."""
        state = known.state
        self._do(
            "INSERT OR REPLACE INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            *(known.job_id, known.document, known.tag, state.status, state.after, known.last_due, known.session_tag),
            int(known.is_open),
        )

    def keep_state(self, job_id: str, state: State, last_due: float | None, session_tag: int, is_open: bool) -> None:
        """Store the state of a job."""
        self._do(
            "UPDATE jobs SET status = ?, after = ?, last_due = ?, session_tag = ?, is_open = ? WHERE job_id = ?",
            *(state.status, state.after, last_due, session_tag, int(is_open), job_id),
        )

    def forget_job(self, job_id: str) -> None:
        """Remove a job."""
        self._do("DELETE FROM jobs WHERE job_id = ?", job_id)
        self._do("DELETE FROM results WHERE job_id = ?", job_id)

    def runs(self) -> list[Run]:
        """The runs that have not ended."""
        return [Run.from_json(text) for (text,) in self._do("SELECT state FROM runs")]

    def keep_run(self, run: Run) -> None:
        """Store the state of a run."""
        self._do("INSERT OR REPLACE INTO runs VALUES (?, ?)", run.run_id, run.to_json())

    def forget_run(self, run_id: str) -> None:
        """Remove a run that has ended."""
        self._do("DELETE FROM runs WHERE run_id = ?", run_id)

    def report(self, kind: str, key: str, body: Mapping[str, Any]) -> None:
        """Add a report for the API. Keys of a job's schedule are merged into a waiting report of the job."""
        if kind == JOB:
            row = self._do("SELECT id, body FROM outbox WHERE kind = ? AND key = ? ORDER BY id DESC LIMIT 1", kind, key)
            waiting = row.fetchone()
            if waiting is not None:
                merged = json.loads(waiting[1]) | dict(body)
                self._do("UPDATE outbox SET body = ? WHERE id = ?", json.dumps(merged), waiting[0])
                return
        self._do("INSERT INTO outbox (kind, key, body) VALUES (?, ?, ?)", kind, key, json.dumps(dict(body)))

    def waiting_reports(self, limit: int) -> list[Report]:
        """The next reports to send, the oldest first."""
        rows = self._do("SELECT id, kind, key, body FROM outbox ORDER BY id LIMIT ?", limit)
        return [Report(*row) for row in rows]

    def waiting_count(self) -> int:
        """How many reports wait."""
        return int(self._do("SELECT COUNT(*) FROM outbox").fetchone()[0])

    def waiting_for(self, job_id: str) -> dict[str, Any]:
        """The waiting report of a job's schedule."""
        row = self._do("SELECT body FROM outbox WHERE kind = ? AND key = ?", JOB, job_id).fetchone()
        return json.loads(row[0]) if row else {}

    def settle(self, job_ids: Iterable[str], passing: Mapping[str, Mapping[str, Any]]) -> None:
        """Without an API: keep the reports of these jobs, and their progress, as their results."""
        found = {job_id: dict(passing.get(job_id) or {}) for job_id in job_ids}
        rows = self._do("SELECT id, key, body FROM outbox WHERE kind = ? ORDER BY id", JOB).fetchall()
        known = [row for row in rows if row[1] in found]
        for _id, job_id, body in known:
            found[job_id] |= json.loads(body)
        if not any(found.values()):
            return
        self.begin()
        for job_id, keys in found.items():
            if keys:
                kept = self.result(job_id) | keys
                self._do("INSERT OR REPLACE INTO results VALUES (?, ?)", job_id, json.dumps(kept))
        for row in known:
            self._do("DELETE FROM outbox WHERE id = ?", row[0])
        self.commit()

    def result(self, job_id: str) -> dict[str, Any]:
        """The results of a job that ``settle`` has kept: keys of its schedule."""
        try:
            row = self._do("SELECT keys FROM results WHERE job_id = ?", job_id).fetchone()
        except JournalError:
            if self._do("SELECT 1 FROM sqlite_master WHERE name = 'results'").fetchone():
                raise
            # The file of an earlier release, which a reader does not change.
            return {}
        return json.loads(row[0]) if row else {}

    def told(self, reports: Iterable[Report]) -> None:
        """Remove reports that were sent. One to which something was added meanwhile is sent again."""
        self.begin()
        for report in reports:
            self._do("DELETE FROM outbox WHERE id = ? AND body = ?", report.id, report.text)
        self.commit()

    def fact(self, name: str) -> str | None:
        """The value of a fact, or None."""
        row = self._do("SELECT value FROM facts WHERE name = ?", name).fetchone()
        return str(row[0]) if row else None

    def note(self, name: str, value: str) -> None:
        """Store a fact."""
        self._do("INSERT OR REPLACE INTO facts VALUES (?, ?)", name, value)
