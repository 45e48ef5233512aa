# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Fifty schedulers that start and end the rounds of one session at the same moments, on several worker processes."""

from __future__ import annotations

import http.client
import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.freezer.backup.tests.support import elasticsearch_lab
from ansible_collections.freezer.backup.tests.support.soak import rounds

pytestmark = pytest.mark.rounds

HOW_MANY = 50
#: A thousand and more in `make soak`.
ROUNDS = 10 * rounds(1)
SESSION = "/v2/rounds/sessions/s"


class Scheduler:
    """A node with one job of the session, and a connection that stays open."""

    def __init__(self, api, job_id):
        self.job_id = job_id
        self._connection = http.client.HTTPConnection(api.host, api.port, timeout=120)

    def act(self, action, tag, **parameters):
        body = {action: {"job_id": self.job_id, "current_tag": tag, **parameters}}
        self._connection.request("POST", f"{SESSION}/action", json.dumps(body))
        response = self._connection.getresponse()
        answer = json.loads(response.read())
        return response.status, answer.get("result"), answer.get("session_tag")

    def close(self):
        self._connection.close()


@pytest.fixture(params=["sqlite", "elasticsearch"])
def api(request, start_freezer_api):
    store = []
    if request.param == "elasticsearch":
        server, prefix = request.getfixturevalue("elasticsearch"), request.getfixturevalue("index_prefix")
        store = ["--store", elasticsearch_lab.make_store(server, prefix)]
    started = start_freezer_api("--workers", "3", *store)
    # There every write of the session is a race between all, run over a network.
    started.rounds = max(2, ROUNDS // 10) if store else ROUNDS
    started.post(SESSION, {"schedule": {}, "hold_off": 3600})
    for number in range(HOW_MANY):
        started.post(f"/v2/rounds/jobs/j{number}", {"client_id": f"node{number}", "job_actions": []})
        assert started.put(f"{SESSION}/jobs/j{number}").status == 204
    return started


@pytest.fixture
def schedulers(api):
    made = [Scheduler(api, f"j{number}") for number in range(HOW_MANY)]
    yield made
    for scheduler in made:
        scheduler.close()


def at_one_moment(threads, schedulers, act):
    """Let all schedulers act together; what each was answered."""
    ready = threading.Barrier(len(schedulers))

    def run(scheduler):
        ready.wait(60)
        return act(scheduler)

    return list(threads.map(run, schedulers))


def test_every_round_raises_the_tag_by_one_and_no_job_is_lost(api, schedulers):
    chance = random.Random(1)
    with ThreadPoolExecutor(HOW_MANY) as threads:
        for number in range(1, api.rounds + 1):
            # As if the hold-off of the last round were over.
            assert api.patch(SESSION, {"time_start": 0}).status == 200
            started = at_one_moment(threads, schedulers, lambda one, tag=number - 1: one.act("start", tag))
            assert set(started) == {(202, "success", number)}
            session = api.get(SESSION).json
            assert (session["session_tag"], session["status"]) == (number, "running")
            assert {entry["status"] for entry in session["jobs"].values()} == {"running"}

            # A late end of an earlier round does not count for this one.
            stale = at_one_moment(
                threads, schedulers, lambda one, tag=number - 1: one.act("end", tag, result="success")
            )
            assert set(stale) == {(202, "success", number)}
            session = api.get(SESSION).json
            assert session["status"] == "running"
            assert {entry["status"] for entry in session["jobs"].values()} == {"running"}

            last = chance.choice(schedulers)
            others = [one for one in schedulers if one is not last]
            ended = at_one_moment(threads, others, lambda one, tag=number: one.act("end", tag, result="success"))
            assert set(ended) == {(202, "success", number)}
            assert api.get(SESSION).json["status"] == "running"
            assert last.act("end", number, result="success") == (202, "success", number)
            session = api.get(SESSION).json
            assert (session["status"], session["result"]) == ("completed", "success")
            assert len(session["jobs"]) == HOW_MANY
    assert " ERROR " not in api.log.read_text()


def test_a_round_that_did_not_end_does_not_end_the_next_one(api, schedulers):
    """What was completed in one round is not completed in the next, until it is."""
    first, second, *others = schedulers
    assert first.act("start", 0) == (202, "success", 1)
    for scheduler in (second, *others):
        assert scheduler.act("start", 0) == (202, "success", 1)
    for scheduler in others:
        scheduler.act("end", 1, result="success")
    api.patch(SESSION, {"time_start": 0})
    assert first.act("start", 1) == (202, "success", 2)
    assert first.act("end", 2, result="success")[0] == 202
    assert api.get(SESSION).json["status"] == "running"
    assert second.act("end", 1, result="fail") == (202, "success", 2)
    session = api.get(SESSION).json
    assert (session["status"], session["result"]) == ("running", "")
