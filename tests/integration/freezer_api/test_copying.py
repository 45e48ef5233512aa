# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""freezer-manage db copy: every document of one store in another, verified, resumable, and from an old Freezer too."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from ansible_collections.freezer.backup.roles.api.files.freezer_api import manage
from ansible_collections.freezer.backup.roles.api.files.freezer_api.config.cluster import is_cluster, parse_cluster
from ansible_collections.freezer.backup.roles.api.files.freezer_api.console import progress
from ansible_collections.freezer.backup.roles.api.files.freezer_api.domain.kinds.all import RULES
from ansible_collections.freezer.backup.roles.api.files.freezer_api.migration.copying import KINDS, StoreSource
from ansible_collections.freezer.backup.roles.api.files.freezer_api.migration.upstream import Rejected, convert
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.base import Create, Owner, Scope, Store
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.opening import open_store_at
from ansible_collections.freezer.backup.tests.support import old_freezer
from ansible_collections.freezer.backup.tests.support.soak import rounds

pytestmark = pytest.mark.rounds

NOT_ALL = 65
KILLS = rounds(2)
ANNA, BERT = Owner("anna", "shop"), Owner("bert", "web")


@contextlib.contextmanager
def opened(address: str) -> Iterator[Store]:
    from pathlib import Path

    location = parse_cluster(address) if is_cluster(address) else Path(address.removeprefix("sqlite:///"))
    store = open_store_at(location, 2**20)
    yield store
    store.close()


@pytest.fixture
def sqlite(tmp_path):
    return f"sqlite:///{tmp_path}/api.db"


@pytest.fixture
def elastic(elasticsearch, index_prefix):
    return elasticsearch.store_url(index_prefix)


@pytest.fixture
def copy(capsys, tmp_path):
    """freezer-manage db copy: its exit code, and what it says."""

    def copy(source, target, *words):
        config = tmp_path / "freezer-api.conf"
        config.write_text("[elasticsearch]\nnumber_of_replicas = 0\n")
        arguments = ["--config-file", str(config), "db", "copy", "--from", source, "--to", target, *words]
        code = manage.main(arguments)
        said = capsys.readouterr()
        return code, said.out + said.err

    return copy


def documents_of(number: int) -> dict[str, dict]:
    """One document of each kind, with what is awkward to carry."""
    odd = {"text": "ä\n\"'\u2028", "big": 2**63 - 1, "half": 0.5, "none": None, "list": [1, "1", None, {"a": []}]}
    return {
        "client": {"client": {"client_id": f"n{number}", "hostname": f"h{number}"}},
        "action": {"action_id": f"n{number}", "freezer_action": {"action": "backup", **odd}},
        "job": {"job_id": f"n{number}", "client_id": "c", "job_actions": [], "job_schedule": {"status": ""}},
        "session": {"session_id": f"n{number}", "session_tag": number, "jobs": {"j": {"status": "x"}}, "schedule": {}},
        "backup": {"backup_id": f"n{number}", "backup_metadata": {"backup_name": "b", "time_stamp": number, **odd}},
    }


def fill(address: str, count: int) -> None:
    assert manage.main(["db", "sync", "--yes", "--store", address]) == 0
    with opened(address) as store:
        for start in range(0, count, 200):
            groups = [
                [Create(kind, f"n{number}", owner, {**document, "user_id": owner.user_id})]
                for number in range(start, min(start + 200, count))
                for kind, document in documents_of(number).items()
                for owner in (ANNA, BERT)
            ]
            assert all(isinstance(result, list) for result in store.apply_each(groups))


def contents(address: str) -> list[tuple]:
    """Everything that is in a store, in its order, kind by kind."""
    with opened(address) as store:
        return [(item.kind, item.id, item.owner, item.document) for item in StoreSource(store, address).items()]


def test_everything_goes_to_elasticsearch_and_back_in_its_order(copy, sqlite, elastic, tmp_path):
    fill(sqlite, 120)
    code, said = copy(sqlite, elastic, "--test-only")
    assert code == NOT_ALL
    assert "would be made, and get all documents" in said
    code, said = copy(sqlite, elastic)
    assert code == 0, said
    assert "240 clients, 240 actions, 240 jobs, 240 sessions, 240 backups" in said
    assert "1,200 were copied" in said
    assert "1,200 are the same in both, by number and content" in said
    assert contents(elastic) == contents(sqlite)
    back = f"sqlite:///{tmp_path}/back/api.db"
    assert copy(elastic, back)[0] == 0
    assert contents(back) == contents(sqlite)
    code, said = copy(sqlite, elastic)
    assert code == 0
    assert "0 were copied" in said
    assert "1,200 were there already" in said
    assert copy(sqlite, elastic, "--test-only")[0] == 0


def test_the_store_of_the_configuration_is_the_one_to_copy_to(sqlite, tmp_path, capsys):
    fill(sqlite, 1)
    config = tmp_path / "own.conf"
    config.write_text(f"[database]\nconnection = sqlite:///{tmp_path}/own.db\n")
    assert manage.main(["--config-file", str(config), "db", "copy", "--from", sqlite]) == 0
    assert contents(f"sqlite:///{tmp_path}/own.db") == contents(sqlite)


@pytest.mark.parametrize("target", ["sqlite", "elastic"])
def test_what_differs_is_replaced_only_if_that_is_meant(copy, sqlite, target, tmp_path, request):
    there = request.getfixturevalue("elastic") if target == "elastic" else f"sqlite:///{tmp_path}/there.db"
    fill(sqlite, 3)
    fill(there, 2)
    with opened(there) as store:
        stored = store.get("job", "n0", Scope(project_id="shop"))
        store.replace(stored, {**stored.document, "description": "theirs"})
        store.delete(store.get("job", "n1", Scope(project_id="web")))
        store.create("job", "n1", Owner("carl", "web"), {"job_id": "n1", "user_id": "carl"})
        store.create("job", "theirs", ANNA, {"job_id": "theirs"})
    before = contents(there)
    code, said = copy(sqlite, there)
    assert code == 1
    assert "2 documents are in" in said
    assert "job n0 of project shop" in said
    assert "--overwrite" in said
    assert contents(there) == before
    code, said = copy(sqlite, there, "--test-only")
    assert code == NOT_ALL
    assert "10 would be copied" in said
    assert "2 differ there" in said
    code, said = copy(sqlite, there, "--overwrite")
    assert code == 0, said
    assert "12 were copied" in said
    assert "1 others are in" in said
    assert {one[:3]: one[3] for one in contents(sqlite)}.items() <= {one[:3]: one[3] for one in contents(there)}.items()


@pytest.mark.parametrize("target", ["sqlite", "elastic"])
def test_a_copy_that_is_killed_is_taken_up_again(copy, sqlite, target, tmp_path, request):
    there = request.getfixturevalue("elastic") if target == "elastic" else f"sqlite:///{tmp_path}/there.db"
    fill(sqlite, 300)
    command = shutil.which("freezer-manage", path=os.path.dirname(sys.executable))
    for _kill in range(KILLS):
        line = [command, "db", "copy", "--from", sqlite, "--to", there]
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(random.uniform(0.8, 2.5))
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    code, said = copy(sqlite, there)
    assert code == 0, said
    assert "3,000 are the same in both" in said
    found = contents(there)
    assert len(found) == 3000
    assert sorted(map(repr, found)) == sorted(map(repr, contents(sqlite)))


def test_a_concurrent_writer_is_noticed(copy, sqlite, tmp_path, monkeypatch):
    fill(sqlite, 2)

    class Restless(StoreSource):
        """A source in which another writer makes a job when everything has been read once."""

        def items(self):
            yield from super().items()
            with contextlib.suppress(Exception):
                self._store.create("job", "late", ANNA, {"job_id": "late"})

    from ansible_collections.freezer.backup.roles.api.files.freezer_api.admin import copying

    monkeypatch.setattr(copying, "StoreSource", Restless)
    code, said = copy(sqlite, f"sqlite:///{tmp_path}/there.db")
    assert code == 1
    assert "1 are missing" in said
    assert "run the copy again" in said
    assert copy(sqlite, f"sqlite:///{tmp_path}/there.db")[0] == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--to", "sqlite:////tmp/x"], "name the store to copy with --from"),
        (["--from", "sqlite:////no/such.db", "--to", "sqlite:////tmp/x.db"], "there is no store at /no/such.db"),
        (["--from", "sqlite:////a.db", "--to", "sqlite:////a.db"], "copied to itself"),
        (["--from", "nonsense", "--to", "sqlite:////a.db"], "must be sqlite:///"),
        (["--from", "sqlite:////a.db"], "no store is named"),
        (
            ["--from", "sqlite:////a.db", "--to", "sqlite:////b.db", "--from-format", "upstream"],
            "needs an Elasticsearch in --from",
        ),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(words, says, capsys):
    assert manage.main(["db", "copy", *words]) == 1
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1


def test_a_store_of_an_earlier_program_is_not_written_to(copy, sqlite, elasticsearch, index_prefix):
    fill(sqlite, 1)
    body = {
        "mappings": {
            "_meta": {"managed_by": "freezer.backup", "schema_version": 0},
            "properties": {"user_id": {"type": "long"}},
        },
        "aliases": {f"{index_prefix}-jobs": {}},
    }
    elasticsearch.ask("PUT", f"/{index_prefix}-jobs-v1", body)
    code, said = copy(sqlite, elasticsearch.store_url(index_prefix))
    assert code == 1
    assert "bring it up to date with freezer-manage db update first" in said


# An old Freezer


@pytest.fixture
def old(elasticsearch, index_prefix):
    """The address of the index of an old Freezer."""
    old_freezer.make(elasticsearch, f"{index_prefix}-old")
    return elasticsearch.store_url(f"{index_prefix}-old")


@pytest.mark.parametrize("target", ["sqlite", "elastic"])
def test_an_old_freezer_is_taken_in_or_refused_document_by_document(copy, old, target, sqlite, request, tmp_path):
    there = request.getfixturevalue(target)
    report = tmp_path / "report"
    code, said = copy(old, there, "--report", str(report), "--project-id", "first")
    assert code == NOT_ALL, said
    assert f"{len(old_freezer.GOOD)} are the same in both" in said
    assert f"{len(old_freezer.BAD)} were rejected" in said
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    reasons = {line["id"]: line["reason"] for line in lines}
    # A client is known by the id that is in it.
    reasons["AVx9"] = reasons.pop("shop_db1")
    assert reasons.keys() == old_freezer.BAD.keys()
    for name, (_document, reason) in old_freezer.BAD.items():
        assert reason in reasons[name], name
    assert report.stat().st_mode & 0o777 == 0o600

    found = {(kind, name): (owner, document) for kind, name, owner, document in contents(there)}
    assert len(found) == len(old_freezer.GOOD)
    assert found[("client", "web1")][0] == Owner("bert", "first")
    metadata = found[("backup", "b1")][1]["backup_metadata"]
    assert (metadata["time_stamp"], metadata["hostname"], metadata["level"]) == (1450000000, "db1", 1)
    assert not {"max_level", "ssh_port", "always_level", "dry_run"} & metadata.keys()
    assert metadata["cli"] == ""
    assert found[("backup", "b2")][1]["backup_metadata"]["time_stamp"] == 1450086400
    assert found[("backup", "b3")][1]["status"] == "creating"
    job = found[("job", "j1")][1]
    assert "current_pid" not in job["job_schedule"]
    assert job["job_actions"][0]["max_retries"] == 3
    assert job["job_actions"][0]["freezer_action"] == {"action": "backup", "path_to_backup": "/etc", "ssh_port": 22}
    assert job["job_actions"][1]["action_id"]
    assert found[("session", "s1")][1]["jobs"] == {}
    assert found[("session", "s2")][1]["session_tag"] == 7

    code, said = copy(old, there, "--from-format", "upstream", "--project-id", "first")
    assert code == NOT_ALL
    assert "0 were copied" in said
    assert "rejected: backup x3: backup_metadata.max_level has to be a number and is 'many'" in said


def test_documents_without_a_project_get_none_by_themselves(copy, old, sqlite):
    code, said = copy(old, sqlite)
    assert code == NOT_ALL
    assert "rejected: client AVx2: it has no project_id" in said
    assert "--project-id" in said


def test_what_was_taken_in_is_what_the_api_would_have_stored(old, copy, start_freezer_api):
    """The API shows, changes and deletes what came from an old Freezer."""
    api = start_freezer_api()
    assert copy(old, f"sqlite:///{api.database}", "--project-id", "first")[0] == NOT_ALL
    for plural, rules in RULES.items():
        listed = api.get(f"/v2/shop/{plural}?limit=100").json[plural]
        assert listed, plural
        for document in listed:
            name = rules.kind.id_of(document)
            assert api.get(f"/v2/shop/{plural}/{name}").status == 200
            if plural in ("jobs", "actions", "sessions"):
                assert api.request("PATCH", f"/v2/shop/{plural}/{name}", {"description": "new"}).status == 200
    assert api.post("/v2/shop/jobs/j1/event", {"start": None}).status == 202
    for name in ("j1",):
        assert api.request("DELETE", f"/v2/shop/jobs/{name}").status == 204


@pytest.mark.parametrize("kind", KINDS)
def test_a_document_of_this_api_is_a_good_old_one(kind):
    """What is right already stays as it is."""
    document = {**documents_of(1)[kind], "user_id": "anna", "project_id": "shop"}
    if kind == "backup":
        document["status"] = "available"
        document["backup_metadata"].update(container="c", hostname="h")
    converted = convert("n1", document)
    assert (converted.kind, converted.id, converted.owner) == (kind, "n1", ANNA)
    assert converted.document == document


@pytest.mark.parametrize("source", [None, [], "text", {"job_actions": 5, "user_id": "a", "project_id": "b"}])
def test_nonsense_is_rejected(source):
    with pytest.raises(Rejected):
        convert("x", source, "p")


# Progress


def test_a_log_gets_a_line_now_and_then(capsys):
    times = iter([0.0, 0.0, 1.0, 6.0, 7.0, 12.0])
    tell = progress._lines(lambda: next(times))
    for done in (0, 100, 600, 700, 1000):
        tell("copying", done, 1000)
    assert capsys.readouterr().err.splitlines() == [
        "copying: 600 of 1,000 (60 %), about 4 s left",
        "copying: 1,000 of 1,000 (100 %)",
    ]


def test_a_terminal_gets_a_bar(sqlite, tmp_path):
    fill(sqlite, 20)
    ours, theirs = pty.openpty()
    command = shutil.which("freezer-manage", path=os.path.dirname(sys.executable))
    line = [command, "db", "copy", "--from", sqlite, "--to", f"sqlite:///{tmp_path}/there.db"]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=theirs, text=True, env=environment)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):
        while chunk := os.read(ours, 65536):
            shown += chunk
    said, _nothing = process.communicate(timeout=60)
    os.close(ours)
    assert process.returncode == 0
    assert "200 are the same in both" in said
    assert b"copying" in shown
    assert b"200/200" in shown
