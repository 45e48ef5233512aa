# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Bodies that do not come to their end fill neither memory nor disk."""

from __future__ import annotations

import json

import pytest

from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.noauth import NoAuth
from ansible_collections.freezer.backup.roles.api.files.freezer_api.http.app import create_app
from ansible_collections.freezer.backup.roles.api.files.freezer_api.server.overdue import Limits
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.sqlite.store import SqliteStore
from ansible_collections.freezer.backup.tests.support.api_loop import Loop

MOST = 100_000
BODY = b'{"client_id": "a", "job_actions": []}'


@pytest.fixture
def loop(tmp_path):
    app = create_app(SqliteStore(tmp_path / "api.db"), NoAuth(), max_body_bytes=50_000)
    running = Loop(app, Limits(timeout_seconds=300.0, most_bytes=MOST))
    yield running
    running.close()


def begin(loop, length, path=b"/v1/jobs", missing=1):
    """Send a request with a body of a length, and of that body all but the last byte or bytes."""
    client = loop.connect()
    head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (path, length)
    client.sendall(head + BODY + b" " * (length - len(BODY) - missing))
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
    return int(head.split()[1]), json.loads(body)


def has_ended(client):
    """Whether the server has closed a connection without an answer."""
    client.setblocking(False)
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True
    except BlockingIOError:
        return False


def test_of_too_many_unfinished_bodies_those_end_that_do_not_go_on(loop):
    slow = begin(loop, 40_000, missing=2)
    stalled = begin(loop, 40_000)
    loop.turn_until(lambda: kept(loop) == [39_998, 39_999])
    kept_body = loop.clients()[1].request.body_rcv.getbuf()
    slow.sendall(b" ")
    loop.turn_until(lambda: kept(loop) == [39_999] * 2)
    going_on = begin(loop, 40_000)
    loop.turn_until(lambda: has_ended(stalled))
    assert kept_body.buf.file.closed
    for client in (going_on, slow):
        client.sendall(b" ")
        assert answer(loop, client)[0] == 201


def test_bodies_of_connections_that_are_gone_do_not_count(loop):
    for _time in range(5):
        client = begin(loop, 40_000)
        loop.turn_until(lambda: kept(loop) == [39_999])
        client.close()
        loop.turn_until(lambda: not loop.clients())
    # Room for two is still there.
    clients = [begin(loop, 40_000) for _number in range(2)]
    loop.turn_until(lambda: kept(loop) == [39_999] * 2)
    for client in clients:
        client.sendall(b" ")
        assert answer(loop, client)[0] == 201


def test_only_a_batch_may_be_larger_than_other_requests(loop):
    large = begin(loop, 50_001)
    large.sendall(b" ")
    status, told = answer(loop, large)
    assert (status, told["title"]) == (413, "Request Entity Too Large")
    assert "50000" in told["description"]
    chunks = loop.connect()
    chunks.sendall(b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunks.sendall(b"%x\r\n" % 60_000 + b" " * 60_000 + b"\r\n0\r\n\r\n")
    assert answer(loop, chunks)[0] == 413
    batch = begin(loop, 60_000, b"/v1/jobs:batch")
    loop.turn_until(lambda: kept(loop) == [59_999])
    batch.sendall(b" ")
    # It was read, and is no batch.
    assert answer(loop, batch)[0] == 400
