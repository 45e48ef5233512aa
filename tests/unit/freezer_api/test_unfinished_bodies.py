# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Bodies that do not come to their end fill neither memory nor disk."""

from __future__ import annotations

import json

import pytest

from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.noauth import NoAuth
from ansible_collections.freezer.backup.roles.api.files.freezer_api.http.app import create_app
from ansible_collections.freezer.backup.roles.api.files.freezer_api.server.unfinished_bodies import UnfinishedBodies
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.sqlite.store import SqliteStore
from ansible_collections.freezer.backup.tests.support.api_loop import Loop

MOST = 100_000
BODY = b'{"client_id": "a", "job_actions": []}'


@pytest.fixture
def loop(tmp_path):
    app = create_app(SqliteStore(tmp_path / "api.db"), NoAuth())
    running = Loop(app, bodies=UnfinishedBodies(MOST), max_body_bytes=50_000)
    yield running
    running.close()


def begin(loop, length, path=b"/v1/jobs"):
    """Send a request with a body of a length, and of that body so much that only the last byte is missing."""
    client = loop.connect()
    head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (path, length)
    client.sendall(head + BODY + b" " * (length - len(BODY) - 1))
    return client


def kept(loop):
    receivers = [getattr(channel.request, "body_rcv", None) for channel in loop.clients()]
    return [len(receiver) for receiver in receivers if receiver is not None]


def answer(loop, client):
    client.setblocking(False)
    received = b""

    def has_come():
        nonlocal received
        try:
            received += client.recv(100_000)
        except BlockingIOError:
            return False
        return b"\r\n\r\n" in received and received.endswith(b"}")

    loop.turn_until(has_come)
    head, body = received.split(b"\r\n\r\n", 1)
    return int(head.split()[1]), head, json.loads(body)


def test_of_too_many_unfinished_bodies_those_are_refused_that_do_not_go_on(loop):
    stalled = [begin(loop, 40_000) for _number in range(2)]
    loop.turn_until(lambda: kept(loop) == [39_999] * 2)
    going_on = begin(loop, 40_000)
    status, head, told = answer(loop, stalled[0])
    assert status == 503
    assert b"Retry-After: 1" in head
    assert "send it again" in told["description"]
    loop.turn_until(lambda: sorted(kept(loop)) == [39_999] * 2)
    for client in (going_on, stalled[1]):
        client.sendall(b" ")
        assert answer(loop, client)[0] == 201
    assert loop.server.channel_class.bodies._total == 0


def test_bodies_of_connections_that_are_gone_do_not_count(loop):
    for _time in range(5):
        client = begin(loop, 40_000)
        loop.turn_until(lambda: kept(loop) == [39_999])
        (channel,) = loop.clients()
        client.close()
        loop.turn_until(lambda: not loop.clients())
        assert channel.request.body_rcv.getbuf().buf.file.closed
    assert loop.server.channel_class.bodies._total == 0


def test_only_a_batch_may_be_larger_than_other_requests(loop):
    status, _head, told = answer(loop, begin(loop, 50_001))
    assert (status, told["description"]) == (413, "The request has a body of more than 50000 bytes")
    chunks = loop.connect()
    chunks.sendall(b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunks.sendall(b"%x\r\n" % 60_000 + b" " * 60_000)
    assert answer(loop, chunks)[0] == 413
    batch = begin(loop, 60_000, b"/v1/jobs:batch")
    loop.turn_until(lambda: kept(loop) == [59_999])
    batch.sendall(b" ")
    # It was read, and is no batch.
    assert answer(loop, batch)[0] == 400
