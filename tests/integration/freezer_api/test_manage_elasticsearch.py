# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""freezer-manage db on Elasticsearch: indices made, changed, copied, pruned and removed."""

from __future__ import annotations

import json
import os
import sys

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch import own_mappings
from ansible_collections.freezer.backup.roles.api.files.freezer_api import manage

WOULD_CHANGE = 65
NAMES = [own.plural for own in own_mappings.own_indices()]


@pytest.fixture
def address(elasticsearch, index_prefix):
    return elasticsearch.store_url(index_prefix)


@pytest.fixture
def run(address, capsys, tmp_path):
    """freezer-manage on the test's indices: its exit code, what it says, and what it warns of."""

    def run(*words, replicas=0):
        config = tmp_path / "freezer-api.conf"
        setting = f"number_of_replicas = {replicas}\n" if replicas is not None else ""
        config.write_text(f"[database]\nconnection = {address}\n[elasticsearch]\n{setting}")
        code = manage.main(["--config-file", str(config), *words])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def fill(elasticsearch, prefix, plural, count):
    lines = []
    for number in range(count):
        lines += [{"create": {"_id": f"p/{number}"}}, {"body": "{}", "id": str(number), "project_id": "p"}]
    body = "".join(json.dumps(line) + "\n" for line in lines).encode()
    answer = elasticsearch.ask("POST", f"/{prefix}-{plural}/_bulk?refresh=true", body)
    assert not answer["errors"], answer


def make_old(elasticsearch, prefix, plural="jobs", **fields):
    """The index of a kind as another version of the program has made it: one field fewer, others of another type."""
    (own,) = [one for one in own_mappings.own_indices() if one.plural == plural]
    properties = {**own.mapping["properties"], **fields}
    del properties["stored_at"]
    mapping = {**own.mapping, "properties": properties}
    body = {
        "mappings": mapping,
        "settings": {**own.settings, "number_of_replicas": 0},
        "aliases": {own.alias(prefix): {}},
    }
    elasticsearch.ask("PUT", f"/{own.alias(prefix)}-v1", body)


def test_sync_makes_the_indices_and_has_nothing_to_do_then(run, elasticsearch, index_prefix):
    code, said = run("db", "update")
    assert code == 1
    assert "there is no store" in said
    code, said = run("db", "sync")
    assert code == 0
    assert said.splitlines() == [f"{index_prefix}-{plural} was made" for plural in NAMES]
    assert elasticsearch.indices(index_prefix) == sorted(f"{index_prefix}-{plural}-v1" for plural in NAMES)
    for verb in ("sync", "update"):
        code, said = run("db", verb)
        assert code == 0
        assert "is up to date" in said
    assert run("db", "sync", "--test-only")[0] == 0


@pytest.mark.parametrize(
    "words",
    [
        ["--test-only", "-m", "job", "db", "sync"],
        ["db", "--test-only", "sync", "--mapping", "jobs"],
        ["db", "sync", "-m", "jobs", "--test-only"],
    ],
)
def test_a_test_says_what_would_change_and_changes_nothing(run, elasticsearch, index_prefix, words):
    code, said = run(*words)
    assert (code, said) == (WOULD_CHANGE, f"{index_prefix}-jobs would be made\n")
    assert elasticsearch.indices(index_prefix) == []


def test_one_kind_can_be_made_alone(run, elasticsearch, index_prefix):
    assert run("db", "sync", "--mapping", "job", "--mapping", "clients")[0] == 0
    assert elasticsearch.indices(index_prefix) == [f"{index_prefix}-clients-v1", f"{index_prefix}-jobs-v1"]
    with pytest.raises(SystemExit):
        run("db", "sync", "--mapping", "wishes")


def test_a_missing_field_is_added_in_place(run, elasticsearch, index_prefix):
    make_old(elasticsearch, index_prefix)
    code, said = run("db", "update", "--test-only", "-m", "job")
    assert code == WOULD_CHANGE
    assert "stored_at would be added as date, format epoch_millis" in said
    code, said = run("db", "update", "-m", "job")
    assert (code, said) == (0, f"{index_prefix}-jobs was brought up to date\n")
    assert elasticsearch.indices(index_prefix) == [f"{index_prefix}-jobs-v1"]


def test_a_field_of_another_type_is_copied_after_a_question_and_the_old_index_is_kept(
    run, elasticsearch, index_prefix, monkeypatch
):
    make_old(elasticsearch, index_prefix, user_id={"type": "long"})
    fill(elasticsearch, index_prefix, "jobs", 30)
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        code, said = run("db", "update", "-m", "job")
    assert code == 1
    assert "user_id would change from long to keyword, only with a copy into a new index" in said
    assert "Say --yes to agree" in said
    code, said = run("db", "update", "-m", "job", "--yes")
    assert code == 0
    assert f"{index_prefix}-jobs was copied to {index_prefix}-jobs-v2, 30 documents" in said
    assert elasticsearch.indices(index_prefix) == [f"{index_prefix}-jobs-v1", f"{index_prefix}-jobs-v2"]
    code, said = run("db", "show", "-m", "job")
    assert f"{index_prefix}-jobs-v1 was replaced; db prune removes it" in said
    code, said = run("db", "prune", "-m", "job", "--test-only")
    assert (code, said) == (WOULD_CHANGE, f"{index_prefix}-jobs-v1 with 30 documents would be removed\n")
    assert run("db", "prune", "-m", "job", "--yes")[0] == 0
    assert elasticsearch.indices(index_prefix) == [f"{index_prefix}-jobs-v2"]
    assert run("db", "prune", "-m", "job", "--yes")[0] == 0


def test_documents_that_do_not_fit_are_lost_with_erase_only(run, elasticsearch, index_prefix):
    make_old(elasticsearch, index_prefix, id={"type": "object", "enabled": False})
    body = {"body": "{}", "id": {"an": "object"}, "project_id": "p"}
    elasticsearch.ask("PUT", f"/{index_prefix}-jobs/_doc/odd?refresh=true", body)
    fill(elasticsearch, index_prefix, "jobs", 3)
    code, said = run("-y", "db", "update", "-m", "job")
    assert code == 1
    assert "cannot be stored with the new mapping, the first is odd" in said
    assert elasticsearch.indices(index_prefix) == [f"{index_prefix}-jobs-v1"]
    code, said = run("-y", "-e", "db", "update", "-m", "job")
    assert code == 0
    assert "the document odd did not fit and was left out" in said
    assert elasticsearch.ask("GET", f"/{index_prefix}-jobs/_count")["count"] == 3


def test_more_replicas_than_servers_are_warned_of_before_it_hurts(run, elasticsearch, index_prefix, monkeypatch):
    assert run("db", "sync")[0] == 0
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        code, said = run("db", "update-settings", replicas=1)
    assert code == 1
    assert "1 replicas and the original need 2 data nodes, and there are 1" in said
    assert elasticsearch.ask("GET", f"/_cluster/health/{index_prefix}-*")["status"] == "green"
    code, said = run("db", "update-settings", "--test-only", replicas=1)
    assert code == WOULD_CHANGE
    assert f"{index_prefix}-jobs: index.number_of_replicas would be changed from 0 to 1" in said
    code, said = run("db", "update-settings", "--yes", replicas=1)
    assert code == 0
    assert f"{index_prefix}-jobs: index.number_of_replicas was changed from 0 to 1" in said
    assert run("db", "update-settings", "--yes")[0] == 0
    assert (
        run("db", "update-settings", replicas=0)[1]
        == f"all indices of {said_store(elasticsearch, index_prefix)} have 0 replicas\n"
    )
    assert "is not set" in run("db", "update-settings", replicas=None)[1]


def said_store(elasticsearch, prefix):
    return elasticsearch.store_url(prefix)


def test_an_unfinished_copy_is_shown_and_taken_back(run, elasticsearch, index_prefix):
    make_old(elasticsearch, index_prefix, user_id={"type": "long"})
    jobs = f"{index_prefix}-jobs"
    note = {"freezer_migration": {"from": f"{jobs}-v1", "alias": f"{jobs}-v2-copy"}}
    body = {"mappings": {"_meta": note}, "aliases": {f"{jobs}-v2-copy": {}}}
    elasticsearch.ask("PUT", f"/{jobs}-v2", body)
    old = elasticsearch.ask("GET", f"/{jobs}/_mapping")[f"{jobs}-v1"]["mappings"]["_meta"]
    elasticsearch.ask("PUT", f"/{jobs}/_mapping", {"_meta": {**old, "freezer_migration": {"to": f"{jobs}-v2"}}})
    elasticsearch.ask("PUT", f"/{jobs}-v1/_block/write")
    code, said = run("db", "show", "-m", "job")
    assert code == 0
    assert f"the unfinished copy {jobs}-v2: db sync continues it, db rollback undoes it" in said
    assert "it refuses writes" in said
    assert run("db", "rollback", "--test-only")[0] == WOULD_CHANGE
    code, said = run("db", "rollback")
    assert code == 0
    assert f"the unfinished copy {jobs}-v2 was undone; {jobs} can be written again" in said
    fill(elasticsearch, index_prefix, "jobs", 1)
    assert "no copy was left unfinished" in run("db", "rollback")[1]


def test_show_can_be_read(run, elasticsearch, index_prefix):
    assert run("db", "show")[0] == 1
    assert run("db", "sync")[0] == 0
    fill(elasticsearch, index_prefix, "jobs", 12)
    code, said = run("db", "show")
    lines = said.splitlines()
    assert code == 0
    assert lines[:3] == [
        f"store      {elasticsearch.store_url(index_prefix)}",
        "servers    1 with documents",
        "documents  12 jobs",
    ]
    version = own_mappings.SCHEMA_VERSION
    assert (
        f"{index_prefix}-jobs  {index_prefix}-jobs-v1, version {version}, up to date; 12 documents, 0 replicas" in lines
    )
    assert '"managed_by": "freezer.backup"' in run("db", "show", "--mapping", "job")[1]


def test_remove_removes_the_indices_after_a_question(run, elasticsearch, index_prefix, monkeypatch):
    assert run("db", "sync")[0] == 0
    fill(elasticsearch, index_prefix, "jobs", 2)
    code, said = run("db", "remove", "--test-only", "--yes")
    assert code == WOULD_CHANGE
    assert f"{index_prefix}-jobs-v1 would be removed" in said
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        code, said = run("db", "remove")
    assert code == 1
    assert "with 2 jobs? Nothing brings them back. Say --yes" in said
    assert run("db", "remove", "--yes")[0] == 0
    assert elasticsearch.indices(index_prefix) == []
    assert run("db", "remove", "--yes")[0] == 0


@pytest.mark.parametrize("verb", ["sync", "update", "remove", "show"])
def test_the_index_of_another_program_is_left_alone(run, elasticsearch, index_prefix, verb):
    elasticsearch.ask("PUT", f"/{index_prefix}-jobs", {"mappings": {"properties": {"invoice": {"type": "long"}}}})
    code, said = run("db", verb, "--yes")
    assert code == 1
    assert "an index of another program" in said
    assert elasticsearch.indices(index_prefix) == [f"{index_prefix}-jobs"]


@pytest.mark.parametrize("verb", ["sync", "update"])
def test_an_index_of_a_later_program_is_not_taken_back(run, elasticsearch, index_prefix, verb):
    make_old(elasticsearch, index_prefix)
    elasticsearch.ask(
        "PUT", f"/{index_prefix}-jobs/_mapping", {"_meta": {"managed_by": "freezer.backup", "schema_version": 99}}
    )
    code, said = run("db", verb, "--yes")
    assert code == 1
    assert "later freezer-api" in said


def test_a_cluster_that_does_not_answer_is_told_in_a_sentence(capsys):
    assert manage.main(["db", "show", "--store", "elasticsearch+http://anna:s3cret@127.0.0.1:9/freezer"]) == 1
    said = capsys.readouterr().err
    assert "cannot be reached" in said
    assert "s3cret" not in said
    assert said.count("\n") == 1


def test_a_secure_cluster_is_looked_after_with_its_authority_and_password(
    secure_elasticsearch, index_prefix, tmp_path, capsys
):
    server = secure_elasticsearch
    config = tmp_path / "freezer-api.conf"
    config.write_text(
        f"[database]\nconnection = {server.store_url(index_prefix)}\n[elasticsearch]\nusername = {server.user}\n"
        f"password = {server.password}\nca_file = {server.ca_file}\nnumber_of_replicas = 0\n"
    )
    assert manage.main(["db", "sync", "--config-file", str(config)]) == 0
    assert server.password not in capsys.readouterr().out
    assert manage.main(["db", "sync", "--test-only", "--config-file", str(config)]) == 0
