# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""freezer-manage: the store from an operator's side, and the policies."""

from __future__ import annotations

import os
import pty
import shutil
import sqlite3
import subprocess
import sys

import pytest

from ansible_collections.freezer.backup.roles.api.files.freezer_api import manage
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.base import Owner, Scope
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.errors import StoreError
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.sqlite import schema
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.sqlite.schema import MIGRATIONS, VERSION
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.sqlite.store import SqliteStore

WOULD_CHANGE = 65


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store" / "api.db"


@pytest.fixture
def run(path, capsys):
    """freezer-manage on the test's store: its exit code, and what it says."""

    def run(*words):
        code = manage.main(["--store", f"sqlite:///{path}", *words])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def fill(path, **counts):
    store = SqliteStore(path)
    for kind, count in counts.items():
        for number in range(count):
            store.create(kind, f"{kind}{number}", Owner("alice", "web"), {"n": number})
    store.close()


def make_old(path, version=1):
    """A store as an earlier version of the program has left it, with a document in it."""
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path)
    connection.execute(
        "CREATE TABLE schema_version (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL)"
    )
    for step in MIGRATIONS[:version]:
        for statement in step.statements:
            connection.execute(statement)
        connection.execute("INSERT INTO schema_version VALUES (?, ?, 1700000000)", (step.version, step.name))
    connection.execute(
        "INSERT INTO document (kind, id, project_id, user_id, version, body) VALUES ('job', 'j', 'web', 'alice', 1, '{}')"
    )
    connection.commit()
    connection.close()


def test_sync_makes_a_store_and_has_nothing_to_do_then(run, path):
    code, said = run("db", "sync")
    assert (code, path.exists()) == (0, True)
    assert "was made" in said
    code, said = run("db", "sync")
    assert code == 0
    assert "up to date" in said
    assert path.stat().st_mode & 0o777 == 0o600


def test_update_brings_an_old_store_up_to_date_and_keeps_its_documents(run, path):
    make_old(path)
    code, said = run("db", "show")
    assert code == 0
    assert f"freezer-manage db update makes it {VERSION}" in said
    code, said = run("db", "update")
    assert code == 0
    assert "was brought up to date, with the steps 2 (" in said
    store = SqliteStore(path)
    assert store.get("job", "j", Scope(project_id="web")) is not None
    store.close()


def test_update_does_not_make_a_store(run, path):
    code, said = run("db", "update")
    assert code == 1
    assert "there is no store" in said
    assert "db sync" in said
    assert not path.exists()


@pytest.mark.parametrize(
    "words",
    [
        ["--test-only", "db", "sync"],
        ["db", "--test-only", "sync"],
        ["db", "sync", "--test-only"],
        ["db", "--test-only", "update"],
    ],
)
def test_a_test_says_what_would_change_and_changes_nothing(run, path, words):
    make_old(path)
    before = path.read_bytes()
    code, said = run(*words)
    assert code == WOULD_CHANGE
    assert "would be brought up to date" in said
    assert path.read_bytes() == before
    assert run("db", "sync")[0] == 0
    assert run(*words)[0] == 0


def test_a_test_of_what_is_not_there_makes_nothing(run, path):
    assert run("db", "sync", "--test-only")[0] == WOULD_CHANGE
    assert run("db", "remove", "--test-only")[0] == 0
    assert not path.parent.exists()


def test_show_can_be_read(run, path):
    fill(path, job=12, client=1, action=2)
    code, said = run("db", "show")
    lines = said.splitlines()
    assert code == 0
    assert lines[0] == f"store      {path}"
    assert lines[1].startswith("size       ")
    assert lines[2] == "documents  1 client, 2 actions, 12 jobs"
    assert lines[3] == f"tables     version {VERSION}, up to date"
    assert len(lines) == 4 + VERSION


def test_show_of_nothing_fails(run):
    code, said = run("db", "show")
    assert code == 1
    assert "there is no store" in said


@pytest.mark.parametrize("words", [["-y", "db", "remove"], ["db", "--yes", "remove"], ["db", "remove", "--yes"]])
def test_remove_removes_the_store_with_all_its_files(run, path, words):
    fill(path, job=2)
    code, said = run(*words)
    assert code == 0
    assert "with 2 jobs was removed" in said
    assert list(path.parent.iterdir()) == []
    assert run(*words)[0] == 0


def test_remove_says_what_it_would_remove(run, path):
    fill(path, job=2)
    code, said = run("db", "remove", "--test-only", "--yes")
    assert code == WOULD_CHANGE
    assert "2 jobs would be removed" in said
    assert path.exists()


def test_remove_without_a_terminal_asks_no_question(run, path, monkeypatch):
    fill(path, job=1)
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        code, said = run("db", "remove")
    assert code == 1
    assert "--yes" in said
    assert path.exists()


@pytest.mark.parametrize(
    ("answer", "is_gone"), [("y\n", True), ("Yes\n", True), ("n\n", False), ("\n", False), ("\x04", False)]
)
def test_remove_asks_at_a_terminal(path, answer, is_gone):
    fill(path, job=1)
    ours, theirs = pty.openpty()
    command = shutil.which("freezer-manage", path=os.path.dirname(sys.executable))
    line = [command, "db", "remove", "--store", f"sqlite:///{path}"]
    process = subprocess.Popen(line, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    os.close(theirs)
    os.write(ours, answer.encode())
    said, errors = process.communicate(timeout=60)
    os.close(ours)
    assert "Remove" in said
    assert process.returncode == (0 if is_gone else 1)
    assert path.exists() != is_gone
    assert ("nothing was removed" in errors) != is_gone


def test_a_store_that_is_served_is_not_removed(start_freezer_api, run, capsys):
    api = start_freezer_api()
    address = f"sqlite:///{api.database}"
    assert manage.main(["db", "remove", "--yes", "--store", address]) == 1
    assert "stop freezer-api first" in capsys.readouterr().err
    assert api.post("/v2/p/actions/a", {"freezer_action": {"action": "info"}}).status == 201
    assert manage.main(["db", "show", "--store", address]) == 0
    assert "1 action" in capsys.readouterr().out
    api.stop()
    assert manage.main(["db", "remove", "--yes", "--store", address]) == 0


@pytest.mark.parametrize("verb", ["sync", "update", "remove", "show"])
def test_the_database_of_another_program_is_left_alone(run, path, verb):
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE invoices (id)")
    connection.commit()
    connection.close()
    code, said = run("db", verb, "--yes")
    assert code == 1
    assert "another program" in said
    assert str(path) in said
    assert path.exists()


@pytest.mark.parametrize("verb", ["sync", "update", "remove", "show"])
def test_a_file_that_is_no_database_is_left_alone(run, path, verb):
    path.parent.mkdir()
    path.write_text("This is not a database. " * 100)
    code, said = run("db", verb, "--yes")
    assert code == 1
    assert "not a database" in said
    assert path.exists()


def test_a_store_of_a_later_program_is_not_taken_back(run, path):
    fill(path, job=1)
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO schema_version VALUES (99, 'from the future', 0)")
    connection.commit()
    connection.close()
    for verb in ("sync", "update"):
        code, said = run("db", verb)
        assert code == 1
        assert "later freezer-api" in said
    assert "of a later freezer-api" in run("db", "show")[1]


def test_a_step_that_fails_leaves_the_store_as_it_was(path, monkeypatch):
    fill(path, job=3)
    before = sqlite3.connect(path).execute("SELECT * FROM document").fetchall()
    broken = schema.Migration(
        VERSION + 2, "cannot work", ("ALTER TABLE document ADD COLUMN more TEXT", "CREATE TABLE document (again)")
    )
    fine = schema.Migration(VERSION + 1, "works", ("CREATE TABLE extra (id)", "DELETE FROM document"))
    monkeypatch.setattr(schema, "MIGRATIONS", (*MIGRATIONS, fine, broken))
    monkeypatch.setattr(schema, "VERSION", VERSION + 2)
    with pytest.raises(StoreError, match="already exists"):
        SqliteStore(path)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT * FROM document").fetchall() == before
    assert connection.execute("SELECT max(version) FROM schema_version").fetchone() == (VERSION,)
    assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'extra'").fetchone() == (0,)


@pytest.mark.parametrize(
    "words", [[], ["db"], ["sync"], ["db", "sync", "more"], ["db", "fly"], ["policy"], ["db", "sync", "--fly"]]
)
def test_a_wrong_command_line_is_told_what_there_is(words, capsys):
    with pytest.raises(SystemExit) as caught:
        manage.main(words)
    assert caught.value.code == 2
    assert "freezer-manage" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["db", "show"], "no store is named"),
        (["db", "show", "--store", "mysql://x"], "must be sqlite:///"),
        (["db", "show", "--config-file", "/no/such/file"], "No such file"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(words, says, capsys):
    assert manage.main(words) == 1
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1


def test_the_configuration_file_says_where_the_store_is(tmp_path, path, capsys):
    config = tmp_path / "freezer-api.conf"
    config.write_text(f"[DEFAULT]\nauth_strategy = keystone\n[database]\nconnection = sqlite:///{path}\n")
    assert manage.main(["db", "--config-file", str(config), "sync"]) == 0
    assert path.exists()


def test_policies_are_listed_with_what_they_are_for(capsys):
    assert manage.main(["policy", "list"]) == 0
    said = capsys.readouterr().out
    assert "\n\njobs:create\n    Create jobs.\n    POST /v2/{project_id}/jobs\n    rule:admin_or_owner\n\n" in said


def test_what_policy_yaml_changes_is_marked(tmp_path, capsys):
    config = tmp_path / "freezer-api.conf"
    config.write_text("[DEFAULT]\n")
    (tmp_path / "policy.yaml").write_text('"jobs:delete": "role:admin"\n"own": "role:auditor"\n"jobs:get": ""\n')
    assert manage.main(["policy", "list", "--config-file", str(config)]) == 0
    said = capsys.readouterr().out
    assert "    role:admin    # the default is: rule:admin_or_owner\n" in said
    assert "    @    # the default is: rule:admin_or_reader_or_service or rule:project_node\n" in said
    assert "\nown\n    role:auditor\n" in said
    (tmp_path / "policy.yaml").write_text("]")
    assert manage.main(["policy", "list", "--config-file", str(config)]) == 1
    assert "policy files cannot be read" in capsys.readouterr().err


def test_an_impatient_reader_is_no_error(path):
    command = shutil.which("freezer-manage", path=os.path.dirname(sys.executable))
    process = subprocess.Popen([command, "policy", "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()
    process.wait(60)
