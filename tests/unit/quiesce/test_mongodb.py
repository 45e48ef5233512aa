# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""Holding MongoDB: the real PyMongo in a real holder, against a stand-in for the server (see tests/labs/databases)."""

from __future__ import annotations

import time

import pytest
from support.mongodb_stand_in import MongoDbStandIn

from ansible_collections.freezer.backup.plugins.module_utils._engine.quiesce.base import QuiesceError


@pytest.fixture
def server():
    with MongoDbStandIn() as made:
        yield made
        made.answers.set()
        made.shutdown()


def _target(server):
    return {"mongodb": {"login_host": "127.0.0.1", "login_port": server.port}}


def test_it_is_locked_while_it_is_held(host, server):
    result = host.freeze(_target(server))
    assert server.locks == 1
    assert result["targets"][0]["server_version"] == "7.0.0"
    assert result["consistency"] == "app"
    host.thaw()
    assert server.locks == 0


def test_the_guard_unlocks_it_when_the_holder_is_killed(host, server):
    host.freeze(_target(server))
    holder, _guard = host.processes()
    host.kill(holder)
    record = host.wait_until_over()
    assert server.locks == 0
    assert (record["released_by"], record["problems"]) == ("guard", [])


def test_a_thaw_unlocks_it_when_both_were_killed(host, server):
    host.freeze(_target(server))
    host.kill(*reversed(host.processes()))
    host.wait_until_over()
    host.thaw()
    assert server.locks == 0


def test_a_lock_of_another_process_stays(host, server):
    server.locks = 1
    server.refusal = {"ok": 0.0, "errmsg": "not authorized on admin", "code": 13, "codeName": "Unauthorized"}
    with pytest.raises(QuiesceError, match="not authorized on admin"):
        host.freeze(_target(server))
    host.wait_until_over()
    assert server.locks == 1


def test_a_lock_that_was_taken_without_an_answer_is_undone(host, server):
    server.answers.clear()
    began = time.monotonic()
    with pytest.raises(QuiesceError):
        host.freeze(_target(server), timeout_seconds=1)
    assert time.monotonic() - began < 60
    host.wait_until_over()
    assert server.locks == 0


def test_a_server_that_is_not_there_is_named(host):
    with pytest.raises(QuiesceError, match=r"mongodb 127\.0\.0\.1:1"):
        host.freeze({"mongodb": {"login_host": "127.0.0.1", "login_port": 1}}, timeout_seconds=2)
