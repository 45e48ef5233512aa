# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The API on Elasticsearch while API processes and nodes are killed, and while nodes cannot write to their disks."""

from __future__ import annotations

import itertools
import os
import random
import signal
import threading
import time

import pytest

from ansible_collections.freezer.backup.tests.support import elasticsearch_lab, labs
from ansible_collections.freezer.backup.tests.support.api_writers import (
    Writer,
    check,
    everything,
    wait_until_acknowledged,
)
from ansible_collections.freezer.backup.tests.support.soak import rounds

pytestmark = pytest.mark.rounds

_SOAK = rounds(0)
#: More in `make soak`.
KILLS = _SOAK or 3
ROUNDS = max(_SOAK // 10, 1)
WRITERS = 4
RECORDERS = 8
AT_ONCE = 10
WRITES_PER_SECOND = 200
#: How long an abandoned change of several documents keeps its documents from others, and then some.
ABANDONED_SECONDS = 30


def answers(api, seconds=90):
    """Wait until the API takes writes again."""
    give_up_at = time.monotonic() + seconds
    for number in itertools.count():
        reply = api.post(f"/v2/web/clients/probe{number}", {"client_id": f"probe{number}"})
        if reply.status == 201:
            return
        assert reply.status == 503, reply.text
        assert time.monotonic() < give_up_at, reply.text
        time.sleep(0.5)


def test_what_was_acknowledged_is_there_after_every_kill_of_the_api(start_freezer_api, elasticsearch, index_prefix):
    """A job and its actions are several documents: an unfinished change of them is made or undone completely."""
    url = elasticsearch_lab.make_store(elasticsearch, index_prefix)
    chance = random.Random(KILLS)
    known = [{} for _number in range(WRITERS)]
    for kill in range(KILLS + 1):
        api = start_freezer_api("--workers", "2", "--store", url)
        for states in known:
            check(api, states)
        if kill == KILLS:
            break
        writers = [Writer(api, f"w{number}", known[number], kill * WRITERS + number) for number in range(WRITERS)]
        for writer in writers:
            writer.start()
        # However slow the machine is, there is something to lose.
        wait_until_acknowledged(writers, chance.randint(WRITERS, 10 * WRITERS))
        time.sleep(chance.uniform(0, 0.2))
        for process_id in [api.process.pid, *api.worker_ids()]:
            os.kill(process_id, signal.SIGKILL)
        for writer in writers:
            writer.stopped.set()
            writer.join()
            assert writer.unexpected == []
        api.process.wait(60)
    # An abandoned change does not block writers for long.
    give_up_at = time.monotonic() + ABANDONED_SECONDS
    for states in known:
        for job_id in states:
            while api.delete(f"/v2/web/jobs/{job_id}").status not in (204, 404):
                assert time.monotonic() < give_up_at, job_id
                time.sleep(0.2)
    assert everything(api, "jobs") == []
    assert everything(api, "actions") == []


class Recorder(threading.Thread):
    """Records backups, several with each request, at a steady pace; keeps in mind which were acknowledged."""

    def __init__(self, api, name):
        super().__init__()
        self._api = api
        self._name = name
        self.acknowledged = []
        self.put_off = 0
        self.unexpected = []
        self.stopped = threading.Event()

    def run(self):
        due_at = time.monotonic()
        for number in itertools.count():
            if self.stopped.is_set():
                return
            self._record([f"{self._name}-{number}-{part}" for part in range(AT_ONCE)])
            due_at = max(due_at + AT_ONCE * RECORDERS / WRITES_PER_SECOND, time.monotonic() - 1)
            self.stopped.wait(max(due_at - time.monotonic(), 0))

    def _record(self, backup_ids):
        body = {"backup_name": "etc", "container": "c", "hostname": "h"}
        items = [{"op": "replace", "backup_id": backup_id, "document": body} for backup_id in backup_ids]
        reply = self._api.post("/v2/web/backups:batch", {"items": items})
        if reply.status == 503 and reply.headers.get("retry-after", "").isdigit():
            self.put_off += AT_ONCE
            return
        statuses = [item["status"] for item in reply.json["items"]] if reply.status == 200 else [reply.status]
        for backup_id, status in zip(backup_ids, statuses, strict=False):
            if status == 201:
                self.acknowledged.append(backup_id)
            elif status == 503:
                self.put_off += 1
            else:
                self.unexpected.append(status)


class Raiser(threading.Thread):
    """Starts one round of a session after the other, and keeps in mind the tags that it was told."""

    def __init__(self, api):
        super().__init__()
        self._api = api
        self.tags = []
        self.unexpected = []
        self.stopped = threading.Event()

    def run(self):
        tag = 0
        while not self.stopped.is_set():
            reply = self._api.patch("/v2/web/sessions/s", {"time_start": 0})
            # Where that was put off, the hold-off of the last round still counts, and none can be started.
            if reply.status == 200:
                reply = self._api.post("/v2/web/sessions/s/action", {"start": {"job_id": "j", "current_tag": tag}})
            if reply.status not in (202, 503):
                self.unexpected.append(reply.status)
            if reply.status == 202:
                # Without success an earlier start has raised the tag whose answer was lost.
                if (reply.json["result"], reply.json["session_tag"]) not in (
                    ("success", tag + 1),
                    ("out-of-sync", tag + 1),
                ):
                    self.unexpected.append(reply.json)
                tag = reply.json["session_tag"]
                if reply.json["result"] == "success":
                    self.tags.append(tag)
            self.stopped.wait(0.1)


@pytest.fixture
def three():
    """Three nodes for this test alone, all of them there and able to write before and afterwards."""
    try:
        with elasticsearch_lab.alone("three") as server:
            yield server
    except labs.LabUnavailable as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason))
        pytest.skip(str(reason))


def node(verb, name):
    labs.lab("elasticsearch", verb, "three", name)


def copies_are_whole(server, prefix):
    server.ask("GET", f"/_cluster/health/{prefix}-*?wait_for_status=green&timeout=120s", timeout_seconds=150)


def test_no_acknowledged_write_is_lost_and_no_tag_repeated_when_nodes_die(three, start_freezer_api, index_prefix):
    """One node is killed under 200 writes a second, then the disk of another one cannot be written to."""
    url = elasticsearch_lab.make_store(three, index_prefix, replicas=2)
    copies_are_whole(three, index_prefix)
    api = start_freezer_api("--workers", "2", "--store", url)
    api.post("/v2/web/jobs/j", {"client_id": "node", "job_actions": []})
    api.post("/v2/web/sessions/s", {"schedule": {}, "hold_off": 3600})
    assert api.put("/v2/web/sessions/s/jobs/j").status == 204
    recorders = [Recorder(api, f"r{number}") for number in range(RECORDERS)]
    raiser = Raiser(api)
    started_at = time.monotonic()
    for thread in [*recorders, raiser]:
        thread.start()
    chance = random.Random(ROUNDS)
    try:
        for _round in range(ROUNDS):
            dead, locked = chance.sample(["n1", "n2", "n3"], 2)
            time.sleep(3)
            node("kill", dead)
            time.sleep(4)
            node("lock-disk", locked)
            time.sleep(8)
            # The only repair: the disk is there again, and the node.
            node("unlock-disk", locked)
            labs.lab("elasticsearch", "up", "three")
            answers(api)
            copies_are_whole(three, index_prefix)
    finally:
        for thread in [*recorders, raiser]:
            thread.stopped.set()
        for thread in [*recorders, raiser]:
            thread.join()
    seconds = time.monotonic() - started_at
    answers(api)
    acknowledged = {backup_id for recorder in recorders for backup_id in recorder.acknowledged}
    put_off = sum(recorder.put_off for recorder in recorders)
    print(
        f"{len(acknowledged)} backups acknowledged, {len(acknowledged) / seconds:.0f} a second; {put_off} put off; "
        f"{len(raiser.tags)} rounds"
    )
    assert [status for recorder in recorders for status in recorder.unexpected] == []
    assert raiser.unexpected == []
    there = [backup["backup_id"] for backup in everything(api, "backups")]
    assert len(there) == len(set(there))
    assert acknowledged
    assert acknowledged <= set(there)
    assert raiser.tags == sorted(set(raiser.tags))
    assert api.get("/v2/web/sessions/s").json["session_tag"] >= raiser.tags[-1]


def test_a_cluster_whose_disks_are_nearly_full_is_told_while_reads_go_on(
    start_freezer_api, elasticsearch, index_prefix
):
    api = start_freezer_api("--store", elasticsearch_lab.make_store(elasticsearch, index_prefix))
    assert api.post("/v2/web/clients/before", {"client_id": "before"}).status == 201
    # What Elasticsearch does itself where a disk is fuller than the flood stage.
    elasticsearch.ask("PUT", f"/{index_prefix}-*/_settings", {"index.blocks.read_only_allow_delete": True})
    reply = api.post("/v2/web/clients/more", {"client_id": "more"})
    assert (reply.status, reply.headers["retry-after"]) == (503, "30")
    assert "too full" in reply.json["description"]
    assert [client["client"]["client_id"] for client in everything(api, "clients")] == ["before"]
    assert api.get("/v2/web/clients/before").status == 200
    assert api.get("/healthcheck").status == 200
    elasticsearch.ask("PUT", f"/{index_prefix}-*/_settings", {"index.blocks.read_only_allow_delete": None})
    answers(api)


def test_an_index_that_moves_is_told_and_written_again_afterwards(start_freezer_api, elasticsearch, index_prefix):
    api = start_freezer_api("--store", elasticsearch_lab.make_store(elasticsearch, index_prefix))
    elasticsearch.ask("PUT", f"/{index_prefix}-clients-v1/_block/write")
    reply = api.post("/v2/web/clients/more", {"client_id": "more"})
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    elasticsearch.ask("PUT", f"/{index_prefix}-clients-v1/_settings", {"index.blocks.write": None})
    answers(api)


def test_an_api_that_starts_before_its_cluster_serves_as_soon_as_it_is_there(start_freezer_api):
    api = start_freezer_api("--store", "elasticsearch+http://127.0.0.1:9/none")
    reply = api.get("/v2/web/clients")
    assert (reply.status, reply.headers["retry-after"]) == (503, "5")
    assert "127.0.0.1:9" in reply.json["description"]
    assert api.get("/healthcheck").status == 503
