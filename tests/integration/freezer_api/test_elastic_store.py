# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The Elasticsearch store: the contract of all stores on Elasticsearch 9 and 8, and what is its own."""

from __future__ import annotations

import dataclasses
import http.server
import random
import threading
import time
import uuid

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch.own_mappings import SCHEMA_VERSION
from ansible_collections.freezer.backup.roles.api.files.freezer_api.config.cluster import parse_cluster
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.base import Create, Delete, Replace
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.elastic import (
    transactions as elastic_transactions,
)
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.elastic.store import ElasticStore
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.errors import (
    ConflictError,
    StoreBusyError,
    StoreError,
    StoreSchemaError,
    StoreUnreachableError,
)
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.query import (
    AnyValueContains,
    FieldMatches,
    Query,
)
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.sqlite.store import SqliteStore
from ansible_collections.freezer.backup.tests.support import elasticsearch_lab
from ansible_collections.freezer.backup.tests.support.store_contract import ALICE, P1, StoreContract, a_job, ids


def whole_store(server):
    """The URL of a store that several tests use one after the other, and what takes it away again."""
    prefix = f"test-{uuid.uuid4().hex[:12]}"
    yield server, prefix, elasticsearch_lab.make_store(server, prefix)
    elasticsearch_lab.delete_indices(prefix)


@pytest.fixture(scope="module")
def place_9(elasticsearch):
    yield from whole_store(elasticsearch)


@pytest.fixture(scope="module")
def place_8(elasticsearch_8):
    yield from whole_store(elasticsearch_8)


def opened(place):
    server, prefix, url = place
    elasticsearch_lab.empty_store(server, prefix)
    store = ElasticStore(parse_cluster(url))
    yield store
    store.close()


@pytest.fixture
def store(place_9):
    yield from opened(place_9)


class TestContract(StoreContract):
    """The Elasticsearch store does what every store has to do."""


class TestContractOnElasticsearch8(StoreContract):
    """It does so with the version before, too."""

    @pytest.fixture
    def store(self, place_8):
        yield from opened(place_8)


# Searches: what SQLite finds, Elasticsearch finds.

WORDS = [
    "db1",
    "Nightly",
    "nightly",
    "",
    "100%",
    "a*b?c",
    "c:\\temp",
    "5",
    "true",
    "ünï",
    "x" * 70 + "y",
    "#",
    "=!",
    "a.b",
]
KEYS = ["name", "deep", "a.b", "freezer_action", "ssh_password", "n=1", "level"]


def a_value(chance, depth=0):
    kinds = ["word", "number", "flag", "null", "real"] + ([] if depth > 2 else ["list", "object", "object"])
    kind = chance.choice(kinds)
    if kind == "list":
        return [a_value(chance, depth + 1) for _number in range(chance.randrange(3))]
    if kind == "object":
        return {chance.choice(KEYS): a_value(chance, depth + 1) for _number in range(chance.randrange(4))}
    return {
        "word": chance.choice(WORDS),
        "number": chance.choice([0, 5, -1, 4711, 2**63 - 1]),
        "flag": chance.random() < 0.5,
        "null": None,
        "real": chance.choice([0.5, 1e16, -2.25, 1e-7]),
    }[kind]


def a_document(chance, number):
    actions = [
        {chance.choice(KEYS): a_value(chance, 1) for _number in range(chance.randrange(4))}
        for _action in range(chance.randrange(3))
    ]
    extra = {chance.choice(KEYS): a_value(chance) for _number in range(chance.randrange(5))}
    return {**a_job(f"j{number}", chance.choice(["db1", "db2"])), "job_actions": actions, **extra}


def a_condition(chance):
    if chance.random() < 0.3:
        text = chance.choice([word for word in WORDS if word] + ["ight", "IGHTLY", "471", "x" * 68, "xy", ".5", "1"])
        return AnyValueContains(text, looks_into_secrets=chance.random() < 0.5)
    keys = [key for key in KEYS if "." not in key and "=" not in key]
    path = tuple(chance.choice(keys) for _number in range(chance.randrange(1, 4)))
    start = chance.choice([(), (), ("job_actions",)])
    value = chance.choice([*WORDS, None, None, True, False, 0, 5, 5.0, 4711, 0.5, 1e16, 2**63 - 1])
    return FieldMatches((*start, *path), value)


def test_every_search_finds_what_the_sqlite_store_finds(store, tmp_path):
    chance = random.Random(4)
    other = SqliteStore(tmp_path / "api.db")
    changes = [Create("job", f"j{number}", ALICE, a_document(chance, number)) for number in range(150)]
    for one in (store, other):
        one.apply_each([[change] for change in changes])
    found = 0
    for _number in range(250):
        query = Query(
            match=tuple(a_condition(chance) for _condition in range(chance.choice([0, 1, 1, 2]))),
            match_not=tuple(a_condition(chance) for _condition in range(chance.choice([0, 0, 1]))),
        )
        expected = ids(other.search("job", P1, query, limit=150))
        assert ids(store.search("job", P1, query, limit=150)) == expected, query
        found += len(expected)
    assert found > 1000
    other.close()


def test_a_long_text_is_found_wherever_it_lies_in_a_longer_one(store):
    text = "".join(chr(97 + number % 26) + str(number) for number in range(4000))
    store.create("job", "j", ALICE, a_job(description=text))
    for start in (0, 4000, 4090, 8100, len(text) - 64):
        for length in (1, 64, 65, 2000):
            query = Query(match=(AnyValueContains(text[start : start + length].upper()),))
            assert ids(store.search("job", P1, query)) == ["j"]
    pieces = text[:64] + text[1000:1064]
    assert store.search("job", P1, Query(match=(AnyValueContains(pieces),))) == []
    assert ids(store.search("job", P1, Query(match_not=(AnyValueContains(pieces),)))) == ["j"]


def test_lists_go_on_beyond_the_ten_thousandth_document(store, place_9):
    server, prefix, _url = place_9
    count = 12_345
    store.apply_each([[Create("backup", f"b{number}", ALICE, {"n": number})] for number in range(count)])
    for offset, limit in ((9_990, 20), (10_000, 5), (12_000, 1000), (12_345, 10), (50_000, 10)):
        found = [stored.document["n"] for stored in store.search("backup", P1, limit=limit, offset=offset)]
        assert found == list(range(offset, min(offset + limit, count)))
    assert store.counts() == {"backup": count}
    # More than are removed after a test elsewhere.
    server.ask("DELETE", f"/{prefix}-backups-v1")
    elasticsearch_lab.make_index(server, prefix, "backups")


# Changes of several documents.


class Gone(Exception):
    """The process that made the change has died."""


@pytest.fixture
def dying(store, place_9, monkeypatch):
    """Lets a second store die before its n-th write from now on; its documents are left as they are then."""
    other = ElasticStore(parse_cluster(place_9[2]))

    def die_before(number):
        write = other._connection.write
        left = [number]

        def write_or_die(writes):
            if left[0] == 0:
                raise Gone
            left[0] -= 1
            return write(writes)

        monkeypatch.setattr(other._connection, "write", write_or_die)
        return other

    yield die_before
    other.close()


@pytest.mark.parametrize(("writes", "is_made"), [(0, False), (1, False), (2, True)], ids=["none", "notes", "decided"])
def test_a_change_that_a_dead_process_has_begun_is_made_or_undone_by_others(store, dying, monkeypatch, writes, is_made):
    monkeypatch.setattr(elastic_transactions, "PATIENCE_SECONDS", 0.5)
    for name in ("kept", "gone"):
        store.create("job", name, ALICE, a_job(name, n=1))
    kept, gone = store.get("job", "kept", P1), store.get("job", "gone", P1)
    with pytest.raises(Gone):
        dying(writes).apply([Replace(kept, a_job("kept", n=2)), Create("action", "new", ALICE, {"n": 2}), Delete(gone)])

    def seen():
        jobs = {stored.id: stored.document["n"] for stored in store.search("job", P1)}
        actions = [stored.document for stored in store.search("action", P1)]
        found = store.get("action", "new", P1)
        assert actions == ([] if found is None else [found.document])
        assert jobs["kept"] == store.get("job", "kept", P1).document["n"]
        assert ("gone" in jobs) == (store.get("job", "gone", P1) is not None)
        return jobs, actions

    before, after = ({"kept": 1, "gone": 1}, []), ({"kept": 2}, [{"n": 2}])
    assert seen() == (after if is_made else before)
    time.sleep(0.6)
    assert seen() == (after if is_made else before)
    # No writer is blocked any more.
    assert store.replace(store.get("job", "kept", P1), a_job("kept", n=3)) == (3 if is_made else 2)
    assert store.put("action", "new", ALICE, {"n": 3}) == (2 if is_made else 1)


def test_a_document_in_the_middle_of_a_change_is_not_written_by_others(store, dying):
    store.create("job", "j", ALICE, a_job(n=1))
    with pytest.raises(Gone):
        dying(1).apply([Replace(store.get("job", "j", P1), a_job(n=2)), Create("action", "a", ALICE, {})])
    seen = store.get("job", "j", P1)
    assert (seen.document["n"], seen.version) == (1, 1)
    with pytest.raises(ConflictError) as caught:
        store.replace(seen, a_job(n=3))
    assert caught.value.reason == "changed"
    with pytest.raises(StoreBusyError):
        store.put("job", "j", ALICE, a_job(n=3))


def test_a_decision_that_comes_too_late_changes_nothing(store, dying, monkeypatch):
    monkeypatch.setattr(elastic_transactions, "PATIENCE_SECONDS", 0.0)
    store.create("job", "j", ALICE, a_job(n=1))
    slow = dying(99)
    commit = slow._transactions.commit

    def sleepy(transactions):
        # Meanwhile another process aborts the change.
        assert store.get("job", "j", P1).document["n"] == 1
        return commit(transactions)

    monkeypatch.setattr(slow._transactions, "commit", sleepy)
    with pytest.raises(ConflictError):
        slow.apply([Replace(slow.get("job", "j", P1), a_job(n=2)), Create("action", "a", ALICE, {})])
    assert store.get("job", "j", P1).document["n"] == 1
    assert store.get("action", "a", P1) is None
    assert store.replace(store.get("job", "j", P1), a_job(n=3)) == 2


def test_a_write_whose_answer_is_lost_is_not_made_twice_and_not_refused(store, monkeypatch):
    """The network between two requests: what was done, was not said."""
    bulk = store._connection._bulk
    lost = []

    def lose_every_first_answer(writes):
        answer = bulk(writes)
        if writes[0].key not in lost:
            lost.append(writes[0].key)
            raise StoreUnreachableError("the answer is lost")
        return answer

    monkeypatch.setattr(store._connection, "_bulk", lose_every_first_answer)
    assert store.create("job", "j", ALICE, a_job(n=1)) == 1
    lost.clear()
    assert store.replace(store.get("job", "j", P1), a_job(n=2)) == 2
    lost.clear()
    store.delete(store.get("job", "j", P1))
    lost.clear()
    assert store.apply([Create("job", "a", ALICE, a_job("a")), Create("action", "a", ALICE, {})]) == [1, 1]
    assert store.counts() == {"job": 1, "action": 1}


# Getting in, and what is found there.


def test_a_cluster_without_indices_is_refused_with_what_to_do(elasticsearch, index_prefix):
    store = ElasticStore(parse_cluster(elasticsearch.store_url(index_prefix)))
    for use in (store.check_schema, store.check, lambda: store.put("job", "j", ALICE, a_job())):
        with pytest.raises(StoreSchemaError, match="freezer-manage db sync"):
            use()
    elasticsearch_lab.make_store(elasticsearch, index_prefix)
    store.check()
    store.close()


@pytest.mark.parametrize(
    ("meta", "reason"),
    [
        ({"managed_by": "freezer.backup", "schema_version": 0}, "freezer-manage db update"),
        ({"managed_by": "freezer.backup", "schema_version": SCHEMA_VERSION + 1}, "a later freezer-api"),
        ({"managed_by": "somebody"}, "another program"),
        ({}, "another program"),
    ],
    ids=["old", "new", "strange", "nameless"],
)
def test_indices_that_are_not_as_they_should_be_are_refused(elasticsearch, index_prefix, meta, reason):
    url = elasticsearch_lab.make_store(elasticsearch, index_prefix)
    elasticsearch.ask("PUT", f"/{index_prefix}-jobs-v1/_mapping", {"_meta": meta})
    store = ElasticStore(parse_cluster(url))
    with pytest.raises(StoreSchemaError, match=reason):
        store.check_schema()
    store.close()


def test_a_user_and_an_authority_of_its_own_let_it_in(secure_elasticsearch, index_prefix):
    server = secure_elasticsearch
    url = elasticsearch_lab.make_store(server, index_prefix)
    cluster = parse_cluster(url, username=server.user, password=server.password, ca_file=str(server.ca_file))
    store = ElasticStore(cluster)
    assert store.create("job", "j", ALICE, a_job()) == 1
    store.close()
    wrong = ElasticStore(dataclasses.replace(cluster, password="wrong"))
    with pytest.raises(StoreError, match="refuses the credentials of freezer-api") as caught:
        wrong.check()
    assert "wrong" not in str(caught.value)
    wrong.close()
    stranger = ElasticStore(dataclasses.replace(cluster, ca_file=None, timeout_seconds=1))
    with pytest.raises(StoreUnreachableError, match="certificate"):
        stranger.check()
    stranger.close()


def test_an_opensearch_is_refused_by_name(opensearch, index_prefix):
    store = ElasticStore(parse_cluster(opensearch.store_url(index_prefix)))
    with pytest.raises(StoreSchemaError, match="no Elasticsearch 8 or 9"):
        store.check_schema()
    store.close()


def test_an_api_key_goes_with_every_request():
    """The servers of the lab cannot make API keys: this one records requests, and refuses them."""
    seen = []

    class Looker(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.headers["Authorization"])
            self.send_response(401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_unused):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Looker) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        store = ElasticStore(parse_cluster(f"elasticsearch+http://127.0.0.1:{server.server_port}", api_key="a2V5"))
        with pytest.raises(StoreError, match="refuses the credentials of freezer-api"):
            store.check()
        store.close()
        server.shutdown()
    assert set(seen) == {"ApiKey a2V5"}
