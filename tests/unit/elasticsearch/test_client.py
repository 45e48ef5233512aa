# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""How the client of Elasticsearch logs in, and what it does when servers do not answer or have no time. The servers are
scripted: the server of the lab has no API keys, since it lacks a module that their index needs."""

from __future__ import annotations

import base64
import json

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch import client as client_module
from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch.client import SearchClient
from ansible_collections.freezer.backup.plugins.module_utils._engine.http.errors import (
    BadAddress,
    Rejected,
    Unauthorized,
    Unreachable,
)
from ansible_collections.freezer.backup.tests.support.faulty_server import FaultyServer, answer, drop

NOBODY = "http://127.0.0.1:9"
HEALTH = {"number_of_data_nodes": 3}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr(client_module.time, "sleep", lambda seconds: None)


@pytest.mark.parametrize(
    ("options", "header"),
    [
        ({"api_key": "id:key"}, "ApiKey " + base64.b64encode(b"id:key").decode()),
        ({"api_key": "aWQ6a2V5"}, "ApiKey aWQ6a2V5"),
        ({"username": "anna", "password": "s3cret"}, "Basic " + base64.b64encode(b"anna:s3cret").decode()),
        ({}, None),
    ],
)
def test_every_request_says_who_sends_it(options, header):
    with FaultyServer([answer(200, HEALTH)]) as server:
        assert SearchClient([server.url], **options).data_nodes() == 3
    sent = {name.lower(): value for name, value in server.requests[0].headers.items()}
    assert sent.get("authorization") == header


@pytest.mark.parametrize(
    "options",
    [
        {"api_key": "a", "username": "b", "password": "c"},
        {"username": "b"},
        {"password": "c"},
        {"api_key": "not a key"},
    ],
)
def test_what_cannot_be_a_login_is_refused(options):
    with pytest.raises(BadAddress):
        SearchClient([NOBODY], **options)


def test_the_next_server_is_asked_when_one_does_not_answer():
    with FaultyServer([answer(200, HEALTH), answer(200, HEALTH)]) as server:
        client = SearchClient([NOBODY, server.url], retries=0)
        assert client.data_nodes() == 3
        # It stays with the one that answered.
        assert client.url == server.url
        assert client.data_nodes() == 3
    with pytest.raises(Unreachable, match="cannot be reached"):
        SearchClient([NOBODY, NOBODY], retries=0).data_nodes()


def test_what_must_not_happen_twice_is_not_sent_to_the_next_server():
    with FaultyServer([drop]) as first, FaultyServer([answer(200, {})]) as second:
        with pytest.raises(Unreachable, match="Whether the server acted on it is unknown"):
            SearchClient([first.url, second.url]).change_aliases([])
        assert second.requests == []


def test_only_documents_that_the_server_had_no_time_for_are_sent_again():
    def items(*statuses: int):
        return answer(200, {"items": [{"create": {"status": status}} for status in statuses]})

    with FaultyServer([items(201, 429, 400), answer(429, {}), items(201)]) as server:
        client = SearchClient([server.url])
        results = client.bulk("a", [({"create": {"_id": name}}, {}) for name in "xyz"])
    assert [result["status"] for result in results] == [201, 201, 400]
    sent = [json.loads(line) for line in server.requests[-1].body.splitlines()]
    assert sent == [{"create": {"_id": "y"}}, {}]
    assert server.requests[0].path == "/a/_bulk?require_alias=true"


def test_what_a_server_finds_wrong_is_told_with_its_words_and_without_the_password():
    error = {"error": {"type": "mapper_parsing_exception", "reason": "No handler for type [x]"}, "status": 400}
    with FaultyServer([answer(400, error), answer(401, {"error": "no"})]) as server:
        client = SearchClient([server.url], "anna", "s3cret")
        with pytest.raises(Rejected, match="Elasticsearch rejects PUT .*mapper_parsing_exception: No handler for type"):
            client.put_mapping("a", {})
        with pytest.raises(Unauthorized) as caught:
            client.put_mapping("a", {})
    assert "s3cret" not in str(caught.value)
