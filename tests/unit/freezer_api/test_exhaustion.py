# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What a client could make the API spend: memory for long lists, time for searches."""

from __future__ import annotations

import http.client
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import falcon.testing
import pytest
from waitress.server import create_server

from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.noauth import NoAuth
from ansible_collections.freezer.backup.roles.api.files.freezer_api.errors import UnavailableError
from ansible_collections.freezer.backup.roles.api.files.freezer_api.http.app import create_app
from ansible_collections.freezer.backup.roles.api.files.freezer_api.http.resources.long_answers import LongAnswers
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.base import ALL_OWNERS, Owner
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.errors import SearchTooLongError, StoreError
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.query import AnyValueContains, Query
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.sqlite.store import SqliteStore
from ansible_collections.freezer.backup.tests.support import api_process

MIB = 1_048_576
LARGE = {"freezer_action": {"text": "x" * (MIB - 1000)}}


def fill(path, count):
    store = SqliteStore(path)
    for number in range(count):
        store.create("action", f"a{number}", Owner("admin", "default"), {"action_id": f"a{number}", **LARGE})
    store.close()


def peak_bytes(process_id):
    """The most memory that a process has had so far."""
    status = Path(f"/proc/{process_id}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


def test_parallel_lists_of_large_documents_are_not_kept_in_memory(tmp_path):
    fill(tmp_path / "store" / "api.db", 100)
    api = api_process.start(tmp_path)
    try:
        api.get("/v1/actions?limit=1")
        (worker,) = api.worker_ids()
        before = peak_bytes(worker)

        def read(_number):
            connection = http.client.HTTPConnection(api.host, api.port, timeout=120)
            connection.request("GET", "/v1/actions?limit=1000")
            response = connection.getresponse()
            length = 0
            while piece := response.read(MIB):
                length += len(piece)
            connection.close()
            return response.status, length

        with ThreadPoolExecutor(6) as clients:
            answers = list(clients.map(read, range(6)))
        assert {status for status, _length in answers} == {200}
        assert {length for _status, length in answers} == {answers[0][1]}
        assert answers[0][1] > 100 * (MIB - 1000)
        assert peak_bytes(worker) - before < 190 * MIB
        # The log has what was sent, which is known at the end of it.
        assert api.log.read_text().count(f'"GET /v1/actions" 200 {answers[0][1]} ') == 6
    finally:
        api.stop()


def test_a_long_list_is_what_a_short_one_would_be(tmp_path):
    fill(tmp_path / "api.db", 3)
    client = falcon.testing.TestClient(create_app(SqliteStore(tmp_path / "api.db"), NoAuth()))
    long = client.simulate_get("/v1/actions?limit=1000&etags=true").json
    assert [action["action_id"] for action in long["actions"]] == ["a0", "a1", "a2"]
    single = [client.simulate_get(f"/v1/actions/a{number}").headers["etag"] for number in range(3)]
    assert long["etags"] == single
    assert client.simulate_head("/v1/actions?limit=1000").status_code == 200


def test_no_more_long_lists_are_sent_at_once_than_leave_threads_for_others():
    answers = LongAnswers(1)
    first, second, third = (falcon.Response() for _number in range(3))
    answers.send("req-1", first, iter(["x" * 2 * MIB, "y"]))
    with pytest.raises(UnavailableError) as refused:
        answers.send("req-2", second, iter(["x" * 2 * MIB]))
    assert refused.value.headers == {"Retry-After": "1"}
    answers.send("req-3", second, iter(["short"]))
    assert second.text == "short"
    assert b"".join(first.stream) == b"x" * 2 * MIB + b"y"
    first.stream.close()
    answers.send("req-4", third, iter(["x" * 2 * MIB]))
    third.stream.close()


class BreakingStore(SqliteStore):
    """A store that fails after so many documents of a list."""

    def stream(self, *arguments, **options):
        for number, stored in enumerate(super().stream(*arguments, **options)):
            if number == 2:
                raise StoreError("the disk is gone")
            yield stored


def test_a_store_that_fails_in_the_middle_of_a_list_is_noticed_by_the_client(tmp_path, monkeypatch):
    fill(tmp_path / "api.db", 3)
    app = create_app(BreakingStore(tmp_path / "api.db"), NoAuth())
    server = create_server(app, listen="127.0.0.1:0", log_socket_errors=False)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    connection = http.client.HTTPConnection("127.0.0.1", int(server.effective_port), timeout=60)
    try:
        connection.request("GET", "/v1/actions")
        response = connection.getresponse()
        assert response.status == 200
        with pytest.raises(http.client.IncompleteRead):
            response.read()
    finally:
        connection.close()
        server.close()


def everywhere(count, key="match_not"):
    return {key: [{"_all": f"text {number}"} for number in range(count)]}


@pytest.fixture
def client(tmp_path):
    return falcon.testing.TestClient(create_app(SqliteStore(tmp_path / "api.db"), NoAuth()))


@pytest.mark.parametrize("search", [everywhere(11), everywhere(100), {**everywhere(6), **everywhere(6, "match")}])
def test_a_search_everywhere_has_few_conditions(client, search):
    answer = client.simulate_get("/v1/jobs", body=json.dumps(search))
    assert answer.status_code == 400
    assert "at most 10" in answer.json["description"]


def test_a_search_everywhere_with_as_many_conditions_as_there_can_be_is_answered(client):
    assert client.simulate_get("/v1/jobs", body=json.dumps(everywhere(10))).json == {"jobs": []}


def test_a_search_that_takes_too_long_is_given_up_and_says_so(tmp_path):
    store = SqliteStore(tmp_path / "api.db", search_seconds=0.0)
    for number in range(200):
        document = {"action_id": f"a{number}", "values": [f"value {n}" for n in range(500)]}
        store.create("action", f"a{number}", Owner("admin", "default"), document)
    query = Query(match_not=(AnyValueContains("nowhere"),))
    with pytest.raises(SearchTooLongError, match="cancelled after 0 seconds"):
        store.search("action", ALL_OWNERS, query, 1000)
    # What comes next has the connection as it was.
    assert store.get("action", "a1", ALL_OWNERS) is not None
    client = falcon.testing.TestClient(create_app(store, NoAuth()))
    answer = client.simulate_get("/v1/actions?limit=1000", body=json.dumps(everywhere(1)))
    assert answer.status_code == 400
    assert "ask for fewer" in answer.json["description"]
