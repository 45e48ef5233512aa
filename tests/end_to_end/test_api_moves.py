# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A freezer-api that serves while the index of its jobs moves to a new one, again and again: reads go on, writes are done
or refused with 503, and at the end there is what was acknowledged."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch import ensure
from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch.client import SearchClient
from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch.flow import (
    own_desired_indices,
)
from ansible_collections.freezer.backup.roles.api.files.freezer_api import manage
from ansible_collections.freezer.backup.tests.support.soak import rounds

pytestmark = pytest.mark.rounds

ROUNDS = max(1, rounds(0) // 5)
STILL = 600
ACTIONS: list[Any] = []


class Caller(threading.Thread):
    """A caller that makes, changes and reads its own jobs, and counts the answers."""

    def __init__(self, api, number: int) -> None:
        super().__init__()
        self.over = threading.Event()
        self.acknowledged: dict[str, int] = {}
        self.refused = 0
        self.longest_seconds = 0.0
        self.wrong: list[str] = []
        self._api = api
        self._number = number

    def run(self) -> None:
        try:
            self._call()
        except Exception as error:  # noqa: BLE001  what a thread met has to reach the test
            self.wrong.append(repr(error))

    def _call(self) -> None:
        count = 0
        while not self.over.is_set():
            count += 1
            job_id = f"w{self._number}-{count % 50}"
            sent = {"client_id": "c", "job_actions": ACTIONS, "description": str(count)}
            began = time.monotonic()
            if job_id in self.acknowledged:
                reply = self._api.patch(f"/v2/shop/jobs/{job_id}", {"description": str(count)})
            else:
                reply = self._api.post("/v2/shop/jobs", {**sent, "job_id": job_id})
            self.longest_seconds = max(self.longest_seconds, time.monotonic() - began)
            if reply.status in (200, 201):
                self.acknowledged[job_id] = count
            elif reply.status == 503 and int(reply.headers["retry-after"]) <= 5:
                self.refused += 1
                time.sleep(0.05)
            else:
                self.wrong.append(f"{job_id}: {reply.status} {reply.json}")
            listed = self._api.get("/v2/shop/jobs?client_id=still&limit=1000")
            found = len(listed.json["jobs"]) if listed.status == 200 else listed.status
            if found != STILL:
                self.wrong.append(f"a list has {found} of {STILL} jobs")


def test_the_api_serves_while_an_index_moves_and_nothing_that_it_acknowledged_is_lost(
    start_freezer_api, elasticsearch, index_prefix, tmp_path, capsys
):
    address = elasticsearch.store_url(index_prefix)
    config = tmp_path / "freezer-api.conf"
    config.write_text(f"[database]\nconnection = {address}\n[elasticsearch]\nnumber_of_replicas = 0\n")
    assert manage.main(["db", "sync", "--config-file", str(config)]) == 0
    api = start_freezer_api("--store", address)
    job = {"client_id": "still", "job_actions": ACTIONS}
    jobs = [{"op": "replace", "job_id": f"s{n}", "document": job} for n in range(STILL)]
    reply = api.post("/v2/shop/jobs:batch", {"items": jobs})
    assert reply.status == 200, reply.json
    client = SearchClient(elasticsearch.urls)
    (own,) = own_desired_indices(index_prefix, ["job"])
    other = {**own.mapping, "properties": {**own.mapping["properties"], "stored_at": {"type": "long"}}}
    callers = [Caller(api, number) for number in range(2)]
    for caller in callers:
        caller.start()
    try:
        for _round in range(ROUNDS):
            todo = ensure.plan(client, ensure.Wanted(own.name, other))
            assert todo.copy_reasons
            ensure.carry_out(client, todo, may_copy=True)
            assert manage.main(["db", "update", "--yes", "--config-file", str(config)]) == 0
            time.sleep(0.5)
    finally:
        for caller in callers:
            caller.over.set()
        for caller in callers:
            caller.join()
        client.close()
    assert [caller.wrong for caller in callers] == [[], []]
    # A write that meets a copy waits a moment, and is refused if that does not help.
    assert any(caller.refused or caller.longest_seconds > 0.1 for caller in callers), "no write has met a copy"
    assert manage.main(["db", "update", "--test-only", "--config-file", str(config)]) == 0
    listed = api.get("/v2/shop/jobs?client_id=c&limit=1000").json["jobs"]
    found = {job["job_id"]: int(job["description"]) for job in listed}
    assert len(listed) == len(found)
    for caller in callers:
        for job_id, count in caller.acknowledged.items():
            assert found.pop(job_id) == count
    # A write that was refused was not done.
    assert found == {}
    assert api.stop() == 0
