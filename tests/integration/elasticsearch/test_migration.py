# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""An index that moves to a new one while others write and read, and whoever moves it is killed: nothing is lost, nothing
is there twice, and nobody who reads sees a half."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch import ensure, migration
from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch.client import SearchClient
from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch.ensure import Wanted
from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch.errors import (
    CopyInterrupted,
    SearchError,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch.migration import copy_documents
from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch.state import look_at
from ansible_collections.freezer.backup.plugins.module_utils._engine.http.errors import (
    Conflict,
    Forbidden,
    NotFound,
    RestError,
)
from ansible_collections.freezer.backup.tests.integration.elasticsearch.conftest import contents, fill
from ansible_collections.freezer.backup.tests.support.soak import rounds

pytestmark = pytest.mark.rounds

KILLS = rounds(5)
SCRIPT = Path(__file__).parents[2] / "support/scripts/killed_copy.py"
STILL = 1200
ONE_SHARD = {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "100ms"}


def as_type(name: str) -> dict[str, Any]:
    """A mapping in which the value of documents has this type."""
    return {
        "dynamic": "strict",
        "properties": {"n": {"type": name}, "group": {"type": "keyword"}, "pad": {"type": "keyword", "index": False}},
    }


def make(client: SearchClient, name: str, type_name: str = "keyword") -> None:
    ensure.carry_out(client, ensure.plan(client, Wanted(name, as_type(type_name), ONE_SHARD)), may_copy=True)


def fill_still(client: SearchClient, name: str) -> dict[str, Any]:
    """Documents that nobody changes, of which a reader has to see all at any time."""
    documents = {f"still{n}": {"n": str(n), "group": "still", "pad": "x" * 200} for n in range(STILL)}
    fill(client, name, documents)
    return documents


class Traffic:
    """Writers and a reader who go on while an index moves. ``acknowledged`` is what has to be there at the end."""

    def __init__(self, urls: tuple[str, ...], name: str, writers: int = 3) -> None:
        self.acknowledged: dict[str, Any] = {}
        self.refused = 0
        self.made = 0
        self.wrong: list[str] = []
        self.reads = 0
        self._urls, self._name = urls, name
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._guarded, args=(self._write, n)) for n in range(writers)]
        self._threads.append(threading.Thread(target=self._guarded, args=(self._read, 0)))

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_problem: Any) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _guarded(self, work: Any, number: int) -> None:
        client = SearchClient(self._urls)
        try:
            work(client, number)
        except Exception as error:  # noqa: BLE001  what a thread met has to reach the test
            self.wrong.append(repr(error))
        finally:
            client.close()

    def _write(self, client: SearchClient, number: int) -> None:
        """Create, change and delete documents of its own, and remember what the server said yes to."""
        chance = random.Random(number)
        count = 0
        while not self._over.is_set():
            count += 1
            key = f"w{number}-{chance.randrange(40)}"
            document = {"n": str(count), "group": f"w{number}"}
            try:
                if key in self.acknowledged and chance.random() < 0.2:
                    client.request("DELETE", f"/{self._name}/_doc/{key}")
                    del self.acknowledged[key]
                else:
                    path = f"/{self._name}/_doc/{key}?require_alias=true"
                    client.request("PUT", path, document, repeatable=False)
                    self.acknowledged[key] = document
                self.made += 1
            except Forbidden as error:
                if "block" not in error.description:
                    raise
                self.refused += 1
                time.sleep(0.02)

    def _read(self, client: SearchClient, _number: int) -> None:
        query = {"size": 0, "track_total_hits": True, "query": {"term": {"group": "still"}}}
        while not self._over.is_set():
            found = client.request("POST", f"/{self._name}/_search", query).document["hits"]["total"]["value"]
            self.reads += 1
            if found != STILL:
                self.wrong.append(f"a reader saw {found} of {STILL} documents")
            time.sleep(0.005)


def killed(url: str, name: str, type_name: str, at: int, when: str) -> int:
    """Let a process of its own move the index, and die at one of its requests; how it ended."""
    line = [sys.executable, SCRIPT, url, name, json.dumps(as_type(type_name)), str(at), when]
    return subprocess.run(line, check=False, capture_output=True, timeout=120).returncode


def requests_of_a_move(url: str, client: SearchClient, name: str) -> int:
    """How many requests a move of this size takes."""
    line = [sys.executable, SCRIPT, url, name, json.dumps(as_type("integer")), "1000000", "before"]
    return int(subprocess.run(line, check=True, capture_output=True, timeout=120).stdout)


def test_killed_at_random_points_while_others_write_nothing_is_lost_or_doubled_and_no_reader_sees_a_half(
    elasticsearch, client, index_prefix
):
    make(client, index_prefix)
    still = fill_still(client, index_prefix)
    total = requests_of_a_move(elasticsearch.url, client, index_prefix)
    types = ["long", "keyword"]
    chance = random.Random()
    seed = chance.randrange(10**9)
    chance.seed(seed)
    with Traffic(elasticsearch.urls, index_prefix) as traffic:
        for kill in range(KILLS):
            type_name = types[kill % 2]
            at, when = chance.randrange(1, total + 1), chance.choice(("before", "after"))
            ended = killed(elasticsearch.url, index_prefix, type_name, at, when)
            assert ended in (-signal.SIGKILL, 0), (seed, ended)
            made = traffic.made
            wanted = Wanted(index_prefix, as_type(type_name), ONE_SHARD)
            if chance.random() < 0.3:
                migration.roll_back(client, look_at(client, index_prefix))
            todo = ensure.plan(client, wanted)
            if todo.changes:
                ensure.carry_out(client, todo, may_copy=True)
            state = look_at(client, index_prefix)
            context = (seed, at, when)
            assert (state.unfinished, state.index.migration) == (None, None), context
            assert not ensure.plan(client, wanted).changes, context
            ensure.prune(client, state)
            deadline = time.monotonic() + 20
            while traffic.made == made and not traffic.wrong and time.monotonic() < deadline:
                time.sleep(0.01)
            assert traffic.made > made, ("nobody can write any more", *context)
    assert traffic.wrong == [], seed
    assert traffic.reads > 0
    assert traffic.refused > 0, "the copies were too short to be met by a writer"
    assert contents(client, index_prefix) == {**still, **traffic.acknowledged}, seed
    indices = elasticsearch.indices(index_prefix)
    assert len(indices) == 1, indices


def test_a_writer_who_is_refused_is_told_so_and_those_who_read_see_everything(any_client, index_prefix):
    make(any_client, index_prefix)
    fill_still(any_client, index_prefix)
    urls = (any_client.url,)
    with Traffic(urls, index_prefix) as traffic:
        make(any_client, index_prefix, "long")
    assert traffic.wrong == []
    found = contents(any_client, index_prefix)
    assert {name: found[name] for name in found if name.startswith("w")} == traffic.acknowledged


class Stopping(SearchClient):
    """A client of a run that is stopped right before, or after, a request whose path has a certain part."""

    def __init__(self, urls: tuple[str, ...], part: str, error: BaseException, after: bool = False) -> None:
        super().__init__(urls)
        self._part, self._error, self._after = part, error, after

    def request(self, method: str, path: str, *arguments: Any, **options: Any) -> Any:
        meant = self._part in f"{method} {path}"
        if meant and not self._after:
            raise self._error
        answer = super().request(method, path, *arguments, **options)
        if meant:
            raise self._error
        return answer


@pytest.mark.parametrize(
    ("part", "error"),
    [
        ("PUT /", KeyboardInterrupt()),
        ("/_block/write", SystemExit(143)),
        ("/_bulk", KeyboardInterrupt()),
        ("/_bulk", SearchError("the disk is full")),
        ("/_count", SearchError("no more memory")),
        ("/_aliases", SystemExit(143)),
    ],
)
def test_a_run_that_is_interrupted_takes_back_what_it_did(elasticsearch, client, index_prefix, part, error):
    make(client, index_prefix)
    fill(client, index_prefix, {"d": {"n": "1"}})
    stopping = Stopping(elasticsearch.urls, part, error)
    # Only requests of the copy are meant: the plan counts too.
    todo = ensure.plan(client, Wanted(index_prefix, as_type("long"), ONE_SHARD))
    with pytest.raises(type(error)):
        ensure.carry_out(stopping, todo, may_copy=True)
    if part in ("/_count", "/_aliases", "PUT /"):
        # It cannot take anything back with the requests that are stopped; the next one does.
        migration.roll_back(client, look_at(client, index_prefix))
    state = look_at(client, index_prefix)
    assert (state.unfinished, state.index.migration, state.index.refuses_writes) == (None, None, False)
    assert elasticsearch.indices(index_prefix) == [f"{index_prefix}-v1"]
    fill(client, index_prefix, {"e": {"n": "2"}})
    make(client, index_prefix, "long")
    assert contents(client, index_prefix) == {"d": {"n": "1"}, "e": {"n": "2"}}


def leave_unfinished(elasticsearch, client, name: str, part: str = "/_bulk") -> None:
    """A copy as a killed run leaves it."""

    class Killed(BaseException):
        pass

    todo = ensure.plan(client, Wanted(name, as_type("long"), ONE_SHARD))
    kept, migration.roll_back = migration.roll_back, lambda *_nothing: False
    try:
        with pytest.raises(Killed):
            ensure.carry_out(Stopping(elasticsearch.urls, part, Killed(), after=True), todo, may_copy=True)
    finally:
        migration.roll_back = kept


def test_a_copy_is_taken_up_where_it_was_left(elasticsearch, client, index_prefix):
    make(client, index_prefix)
    still = fill_still(client, index_prefix)
    leave_unfinished(elasticsearch, client, index_prefix)
    left = look_at(client, index_prefix).unfinished
    client.refresh(left.name)
    assert 0 < client.count(left.name) < STILL
    with pytest.raises(Forbidden, match="block"):
        client.request("PUT", f"/{index_prefix}/_doc/x", {"n": "1"})
    make(client, index_prefix, "long")
    state = look_at(client, index_prefix)
    assert state.index.name == left.name
    assert contents(client, index_prefix) == still


def test_a_copy_is_repeated_if_a_client_has_lifted_the_block_and_written(elasticsearch, client, index_prefix):
    make(client, index_prefix)
    still = fill_still(client, index_prefix)
    leave_unfinished(elasticsearch, client, index_prefix)
    client.put_settings(f"{index_prefix}-v1", {"index.blocks.write": None})
    client.request("DELETE", f"/{index_prefix}/_doc/still0")
    client.put_settings(f"{index_prefix}-v1", {"index.blocks.write": True})
    make(client, index_prefix, "long")
    del still["still0"]
    assert contents(client, index_prefix) == still


def test_a_copy_to_another_mapping_is_removed_and_so_is_one_that_is_not_wanted_any_more(
    elasticsearch, client, index_prefix
):
    make(client, index_prefix)
    still = fill_still(client, index_prefix)
    leave_unfinished(elasticsearch, client, index_prefix)
    make(client, index_prefix, "double")
    assert contents(client, index_prefix) == still
    leave_unfinished(elasticsearch, client, index_prefix)
    todo = ensure.plan(client, Wanted(index_prefix, as_type("double"), ONE_SHARD))
    assert todo.changes
    assert not todo.copy_reasons
    make(client, index_prefix, "double")
    state = look_at(client, index_prefix)
    assert (state.unfinished, state.index.refuses_writes, state.index.migration) == (None, False, None)
    fill(client, index_prefix, {"more": {"n": "1"}})


def test_a_rollback_cannot_delete_what_another_run_has_put_into_service(elasticsearch, client, index_prefix):
    make(client, index_prefix)
    still = fill_still(client, index_prefix)
    leave_unfinished(elasticsearch, client, index_prefix)
    seen_before = look_at(client, index_prefix)
    make(client, index_prefix, "long")
    with pytest.raises(CopyInterrupted, match="Another run has just finished or removed"):
        migration.roll_back(client, seen_before)
    assert contents(client, index_prefix) == still


def test_a_run_whose_copy_another_one_has_taken_back_fails_and_makes_no_index(elasticsearch, client, index_prefix):
    make(client, index_prefix)
    fill_still(client, index_prefix)
    leave_unfinished(elasticsearch, client, index_prefix)
    state = look_at(client, index_prefix)
    alias = state.unfinished.migration["alias"]
    assert migration.roll_back(client, state)
    with pytest.raises(SearchError, match="cannot be written to"):
        copy_documents(client, state.index, alias, STILL)
    assert elasticsearch.indices(index_prefix) == [f"{index_prefix}-v1"]
    with pytest.raises(NotFound):
        client.change_aliases(
            [
                {"remove": {"index": state.unfinished.name, "alias": alias, "must_exist": True}},
                {"remove": {"index": state.index.name, "alias": index_prefix, "must_exist": True}},
            ]
        )
    assert look_at(client, index_prefix).index.name == f"{index_prefix}-v1"


def test_two_runs_at_once_move_the_index_once(elasticsearch, client, index_prefix):
    make(client, index_prefix)
    still = fill_still(client, index_prefix)
    outcomes: list[Any] = []

    def run() -> None:
        own = SearchClient(elasticsearch.urls)
        try:
            make(own, index_prefix, "long")
            outcomes.append("done")
        except Exception as error:  # noqa: BLE001  looked at below
            outcomes.append(error)

    runs = [threading.Thread(target=run) for _number in range(3)]
    for one in runs:
        one.start()
    for one in runs:
        one.join()
    assert all(one == "done" or isinstance(one, (SearchError, RestError)) for one in outcomes), outcomes
    make(client, index_prefix, "long")
    assert contents(client, index_prefix) == still
    assert look_at(client, index_prefix).index.mapping["properties"]["n"] == {"type": "long"}
    with pytest.raises(Conflict):
        client.request("PUT", f"/{index_prefix}/_create/still1", {"n": "1"})
