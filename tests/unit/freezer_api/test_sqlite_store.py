# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The SQLite store: the contract of all stores, and what is its own."""

from __future__ import annotations

import multiprocessing
import sqlite3
import stat
import threading

import pytest

from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.base import ALL_OWNERS, Scope
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.errors import (
    ConflictError,
    StoreBusyError,
    StoreError,
    StoreFullError,
)
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.query import EVERYTHING, FieldMatches, Query
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.sqlite import schema
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.sqlite.search import where
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.sqlite.store import SqliteStore
from ansible_collections.freezer.backup.tests.support.store_contract import ALICE, P1, StoreContract, a_job


@pytest.fixture
def store(tmp_path):
    opened = SqliteStore(tmp_path / "store" / "api.db")
    yield opened
    opened.close()


class TestContract(StoreContract):
    """The SQLite store does what every store has to do."""


def test_the_file_and_its_folder_belong_to_their_owner_alone(store):
    store.create("job", "j", ALICE, a_job())
    files = sorted(store.path.parent.iterdir())
    assert [file.name for file in files] == ["api.db", "api.db-shm", "api.db-wal"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700


def test_documents_are_there_when_the_file_is_opened_again(store):
    store.create("job", "j", ALICE, a_job())
    store.close()
    assert SqliteStore(store.path).get("job", "j", P1).document == a_job()


def test_every_thread_has_a_connection_and_can_use_the_store(store):
    found = []
    store.create("job", "j", ALICE, a_job())
    thread = threading.Thread(target=lambda: found.append(store.get("job", "j", P1).id))
    thread.start()
    thread.join()
    assert found == ["j"]


def test_a_schedulers_question_is_answered_from_an_index(store):
    query = Query(
        match=(FieldMatches(("client_id",), "db1"),), match_not=(FieldMatches(("job_schedule", "status"), "completed"),)
    )
    for scope, index in (
        (Scope(project_id="p1"), "document_of_project_client (kind=? AND project_id=? AND client_id=?)"),
        (Scope(user_id="alice"), "document_of_user_client (kind=? AND user_id=? AND client_id=?)"),
    ):
        clause = where("job", scope, query)
        plan = _plan(store.path, f"SELECT body FROM document WHERE {clause} ORDER BY seq LIMIT 10", clause.values)
        assert index in plan
        assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize("scope", [ALL_OWNERS, Scope(project_id="p1"), Scope(user_id="alice")], ids=str)
def test_a_page_of_a_list_is_read_in_the_order_of_an_index(store, scope):
    clause = where("job", scope, EVERYTHING)
    plan = _plan(store.path, f"SELECT body FROM document WHERE {clause} ORDER BY seq LIMIT 10", clause.values)
    assert "USING INDEX document_of_" in plan
    assert "TEMP B-TREE" not in plan


def _plan(path, sql, values):
    with sqlite3.connect(path) as connection:
        return "\n".join(row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + sql, values))


def test_a_lock_that_another_process_keeps_is_told_after_the_timeout(tmp_path):
    store = SqliteStore(tmp_path / "api.db", busy_timeout_seconds=0.2)
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusyError, match=r"0\.2 seconds"):
        store.create("job", "j", ALICE, a_job())
    assert store.search("job", P1) == []
    other.execute("ROLLBACK")
    assert store.create("job", "j", ALICE, a_job()) == 1


def test_a_store_that_can_grow_no_more_is_full_and_can_be_read(store):
    store.create("job", "before", ALICE, a_job("before"))
    store._connection().execute("PRAGMA max_page_count = 20")
    with pytest.raises(StoreFullError, match="full"):
        store.create("job", "after", ALICE, a_job("after", description="x" * 500_000))
    assert [stored.id for stored in store.search("job", P1)] == ["before"]
    store._connection().execute("PRAGMA max_page_count = 100000")
    assert store.create("job", "after", ALICE, a_job("after")) == 1


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("remember the milk " * 100)
    with pytest.raises(StoreError, match="notes.txt"):
        SqliteStore(path)
    assert path.read_text() == "remember the milk " * 100


def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    with pytest.raises(StoreError, match="recipes"):
        SqliteStore(path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]


def test_a_database_of_a_later_version_is_refused(store):
    with sqlite3.connect(store.path) as connection:
        connection.execute("INSERT INTO schema_version VALUES (99, 'later', 0)")
    with pytest.raises(StoreError, match="version 99"):
        SqliteStore(store.path)


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file/api\.db cannot be the store"):
        SqliteStore(tmp_path / "file" / "api.db")


def test_the_version_of_the_tables_is_written_down(store):
    with sqlite3.connect(store.path) as connection:
        rows = connection.execute("SELECT version, name FROM schema_version").fetchall()
    assert rows == [(step.version, step.name) for step in schema.MIGRATIONS]


def test_many_processes_can_open_a_new_file_at_once_and_write_to_it(tmp_path):
    path = tmp_path / "api.db"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_count_to_ten, args=(path, number)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    store = SqliteStore(path)
    assert store.counts() == {"job": 40, "session": 1}
    assert store.get("session", "s", P1).document["count"] == 40
    store.close()


def test_new_files_are_opened_by_several_processes_at_the_same_moment(tmp_path):
    """Where SQLite itself would not wait: one opening in some hundred failed at once."""
    context = multiprocessing.get_context("fork")
    together, failures = context.Barrier(6), context.Queue()
    processes = [context.Process(target=_open_each, args=(tmp_path, together, failures)) for _number in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * 6
    assert failures.empty(), failures.get()


def _open_each(folder, together, failures):
    for number in range(30):
        together.wait(60)
        try:
            SqliteStore(folder / f"{number}.db", busy_timeout_seconds=60).close()
        except StoreError as error:
            failures.put(str(error))


def _count_to_ten(path, number):
    """Runs in a process of its own: ten documents, and ten rounds of a race for one document."""
    store = SqliteStore(path, busy_timeout_seconds=60)
    try:
        store.create("session", "s", ALICE, {"session_id": "s", "count": 0})
    except ConflictError:
        pass
    for round_number in range(10):
        job_id = f"j{number}-{round_number}"
        store.create("job", job_id, ALICE, a_job(job_id))
        while True:
            seen = store.get("session", "s", P1)
            try:
                store.replace(seen, {"session_id": "s", "count": seen.document["count"] + 1})
                break
            except ConflictError:
                continue
