# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The administration of the SQLite store: show it, bring it up to date, remove it."""

from __future__ import annotations

import datetime
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..administration import Administration, Choice, Progress, Todo, counted
from ..errors import StoreError
from .schema import MIGRATIONS, VERSION, Applied, applied
from .store import SqliteStore

#: The suffixes of the files that SQLite keeps beside a database.
_COMPANIONS = ("-wal", "-shm", "-journal")
_PATIENCE_SECONDS = 2.0


@dataclass(frozen=True)
class State:
    """The state of a store; ``applied`` and ``counts`` are empty for one that does not exist."""

    path: Path
    exists: bool
    size_bytes: int
    applied: tuple[Applied, ...]
    counts: Mapping[str, int]

    @property
    def pending(self) -> tuple[str, ...]:
        """The steps that would bring it up to date."""
        done = {step.version for step in self.applied}
        return tuple(f"{step.version} ({step.name})" for step in MIGRATIONS if step.version not in done)

    @property
    def is_too_new(self) -> bool:
        """Whether a later program has written it."""
        return any(step.version > VERSION for step in self.applied)


class SqliteAdministration(Administration):
    """The file at ``path``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = str(path)

    def exists(self) -> bool:
        return look_at(self._path).exists

    def show(self, choice: Choice) -> list[str]:
        state = look_at(self._path)
        lines = [
            f"store      {state.path}",
            f"size       {_size(state.size_bytes)}",
            f"documents  {counted(state.counts)}",
            f"tables     {_version(state)}",
        ]
        for step in state.applied:
            when = datetime.datetime.fromtimestamp(step.applied_at, datetime.UTC)
            lines.append(f"           {step.version}  {when:%Y-%m-%d %H:%M:%S} UTC  {step.name}")
        return lines

    def to_sync(self, choice: Choice) -> Todo:
        state = look_at(self._path)
        if state.is_too_new:
            raise StoreError(
                f"{state.path} was written by a later freezer-api: its tables have version {state.applied[-1].version}, "
                f"and this program knows {VERSION}"
            )
        if not state.pending:
            return Todo((), f"{state.path} is up to date: its tables have version {VERSION}")
        return Todo((f"{state.path} would be {_steps(state)}",))

    def sync(self, choice: Choice, progress: Progress) -> list[str]:
        state = look_at(self._path)
        bring_up_to_date(self._path)
        return [f"{state.path} was {_steps(state)}"]

    def to_remove(self, choice: Choice) -> Todo:
        if choice.kinds is not None:
            raise StoreError(f"{self._path} can only be removed as a whole; leave --mapping out")
        state = look_at(self._path)
        if not state.exists:
            return Todo((), f"there is no store at {state.path}")
        what = f"{state.path} with {counted(state.counts)}"
        return Todo(
            (f"{what} would be removed",), "", f"Remove {what}? Nothing brings them back.", "nothing was removed"
        )

    def remove(self, choice: Choice) -> list[str]:
        state = look_at(self._path)
        remove(self._path)
        return [f"{state.path} with {counted(state.counts)} was removed"]


def _steps(state: State) -> str:
    return f"{'brought up to date' if state.exists else 'made'}, with the steps {', '.join(state.pending)}"


def _version(state: State) -> str:
    found = state.applied[-1].version if state.applied else 0
    if state.is_too_new:
        return f"version {found}, of a later freezer-api: this one knows {VERSION}"
    if state.pending:
        return f"version {found}, and freezer-manage db update makes it {VERSION}"
    return f"version {found}, up to date"


def _size(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def look_at(path: Path) -> State:
    """The state of a store, without changing it. Raises StoreError if it is another file, or cannot be read."""
    if not path.exists():
        return State(path, False, 0, (), {})
    with _opened(path) as connection:
        steps = applied(connection)
        counts: dict[str, int] = {}
        if steps:
            counts = dict(connection.execute("SELECT kind, count(*) FROM document GROUP BY kind"))
    size_bytes = sum(file.stat().st_size for file in _files(path))
    return State(path, True, size_bytes, steps, counts)


def bring_up_to_date(path: Path) -> None:
    """Apply the pending steps, all or none; make the file if there is none. Raises StoreError."""
    with closing(SqliteStore(path)):
        pass


def remove(path: Path) -> None:
    """Remove a store with all documents. Raises StoreError if it is another file, or in use."""
    with _opened(path) as connection:
        applied(connection)
        try:
            # The mode can be changed only if no other process uses the file.
            connection.execute("PRAGMA journal_mode = DELETE").fetchone()
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            raise StoreError(f"{path} is used by another process; stop freezer-api first") from error
    try:
        for file in _files(path):
            file.unlink()
    except OSError as error:
        raise StoreError(f"{error.filename} cannot be removed: {error.strerror}") from error


def _files(path: Path) -> list[Path]:
    beside = (path.with_name(path.name + suffix) for suffix in _COMPANIONS)
    return [path, *(file for file in beside if file.exists())]


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to an existing file; errors name the file."""
    try:
        address = f"{path.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(address, uri=True, timeout=_PATIENCE_SECONDS, isolation_level=None)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise StoreError(f"{path} cannot be used: {error}") from error
    except StoreError as error:
        if str(path) in str(error):
            raise
        raise StoreError(f"{path} cannot be used: {error}") from error
