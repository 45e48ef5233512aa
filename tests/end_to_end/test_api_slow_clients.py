# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A hundred clients that send or read as slowly as they can, and what the others notice of it: nothing."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.tests.support import api_process

HOW_MANY = 100
#: More than ten times what an answer takes on a busy machine, and less than any slow client waits.
PATIENCE_SECONDS = 5.0


@pytest.fixture(scope="module")
def project(freezer_api):
    """A project whose actions are together five times as large as what the sockets of a connection hold."""
    items = [
        {
            "op": "replace",
            "action_id": f"a{number}",
            "document": {"freezer_action": {"action": "info", "filler": "x" * 7000}},
        }
        for number in range(1000)
    ]
    assert freezer_api.post("/v2/slow/actions:batch", {"items": items}).status == 200
    return "/v2/slow"


def connect(freezer_api):
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    opened.connect((freezer_api.host, freezer_api.port))
    opened.settimeout(60)
    return opened


@pytest.fixture
def slow_clients(freezer_api):
    """Opens many connections and sends the same beginning on each."""
    opened = []

    def begin(raw):
        for _number in range(HOW_MANY):
            opened.append(connect(freezer_api))
            opened[-1].sendall(raw)
        # Whatever the server does about them, it has begun to do when it answers a later one.
        freezer_api.get("/healthcheck")
        return opened

    yield begin
    for client in opened:
        client.close()


BEGINNINGS = {
    "nothing": b"",
    "headers": b"GET /v2/slow/jobs HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
    "body": b"POST /v2/slow/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\n{",
    "large body": b"POST /v2/slow/jobs:batch HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\n\r\n"
    + b" " * 100_000,
    "chunks": b"POST /v2/slow/jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
    "reading": b"GET /v2/slow/actions?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("slow_in", BEGINNINGS)
def test_a_hundred_slow_clients_delay_no_other(freezer_api, project, slow_clients, slow_in):
    slow_clients(BEGINNINGS[slow_in])

    def ask(number):
        started = time.monotonic()
        wrote = freezer_api.post(f"{project}/jobs/j{number}", {"client_id": "a", "job_actions": []})
        read = freezer_api.get(f"{project}/jobs/j{number}")
        return wrote.status, read.status, time.monotonic() - started

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(ask, range(40)))
    assert {answer[:2] for answer in answers} == {(201, 200)}
    assert max(seconds for *_earlier, seconds in answers) < PATIENCE_SECONDS


def test_a_client_that_dawdles_is_served_in_the_end(freezer_api, project):
    raw = b'POST /v2/slow/jobs/dawdled HTTP/1.1\r\nHost: localhost\r\nContent-Length: 38\r\n\r\n{"client_id": "a", "job_actions": []} '
    with connect(freezer_api) as client:
        for position in range(0, len(raw), 10):
            client.sendall(raw[position : position + 10])
            time.sleep(0.02)
        assert client.recv(12) == b"HTTP/1.1 201"
    assert freezer_api.get(f"{project}/jobs/dawdled").status == 200


def test_a_large_answer_that_is_read_slowly_is_whole(freezer_api, project):
    expected = freezer_api.get(f"{project}/actions?limit=1000").text
    with connect(freezer_api) as client:
        client.sendall(b"GET /v2/slow/actions?limit=1000 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        response = http.client.HTTPResponse(client)
        response.begin()
        received = b""
        while data := response.read(65_536):
            received += data
            if len(received) < 500_000:
                time.sleep(0.005)
    assert received.decode() == expected


def test_a_client_can_wait_for_a_word_before_it_sends_the_body(freezer_api, project):
    head = b"POST /v2/slow/jobs/waits HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: "
    body = b'{"client_id": "a", "job_actions": []}'
    with connect(freezer_api) as client:
        client.sendall(head + b"%d\r\n\r\n" % len(body))
        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert client.recv(12) == b"HTTP/1.1 201"


def test_a_client_that_waits_for_a_word_without_a_body_loses_its_connection_at_once(freezer_api):
    with connect(freezer_api) as client:
        client.sendall(b"GET /healthcheck HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n\r\n")
        # Not after the 75 seconds that a silent connection may have.
        assert client.makefile("rb").read() == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert freezer_api.get("/healthcheck").status == 200


def test_a_client_that_waits_for_a_word_with_too_large_a_body_is_refused_when_the_limit_is_reached(freezer_api):
    head = b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1000000000\r\n\r\n"
    sent = 0
    with connect(freezer_api) as client:
        client.sendall(head)
        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        with contextlib.suppress(ConnectionError):
            while sent < 1_000_000_000:
                sent += client.send(b" " * 100_000)
    # A batch may have eight times what another request may have; the rest is in the buffers of the two sockets.
    assert sent < 4 * 8 * 1_048_576
    assert freezer_api.get("/healthcheck").status == 200


def test_requests_that_are_sent_without_waiting_are_answered_in_their_order(freezer_api, project):
    paths = [f"{project}/jobs/unknown{number}" for number in range(20)]
    with connect(freezer_api) as client:
        client.sendall(b"".join(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for path in paths))
        client.shutdown(socket.SHUT_WR)
        received = b""
        while data := client.recv(100_000):
            received += data
    found = [int(part.split(b'"')[0]) for part in received.split(b"with ID unknown")[1:]]
    assert found == list(range(20))


@pytest.fixture(scope="module")
def impatient_api(tmp_path_factory):
    """An API that gives a request two seconds to arrive, and its answer two to be taken."""
    folder = tmp_path_factory.mktemp("impatient")
    config = folder / "freezer-api.conf"
    config.write_text("[DEFAULT]\nrequest_timeout_seconds = 2\n")
    process = api_process.start(folder, "--config-file", str(config))
    items = [
        {
            "op": "replace",
            "action_id": f"a{number}",
            "document": {"freezer_action": {"action": "info", "filler": "x" * 7000}},
        }
        for number in range(1000)
    ]
    assert process.post("/v2/slow/actions:batch", {"items": items}).status == 200
    yield process
    process.stop()


DRIPS = {
    "headers": (b"GET /v1/jobs HTTP/1.1\r\nX-Slow: ", b"x"),
    "a body": (b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\n", b" "),
    "a chunked body": (
        b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"1\r\n \r\n",
    ),
    "empty lines": (b"\r\n\r\n", b"\r\n\r\n"),
    "the next request": (b"GET /v1 HTTP/1.1\r\nHost: localhost\r\n\r\nGET /v1/jobs HTTP/1.1\r\n", b"x"),
}


@pytest.mark.parametrize("slow_in", DRIPS)
def test_a_request_that_takes_too_long_to_arrive_ends_its_connection_however_steadily_it_comes(impatient_api, slow_in):
    beginning, drip = DRIPS[slow_in]
    started = time.monotonic()
    received = b""
    with connect(impatient_api) as client:
        client.sendall(beginning)
        client.settimeout(0.1)
        while time.monotonic() - started < 30:
            try:
                client.sendall(drip)
                if not (piece := client.recv(100_000)):
                    break
                received += piece
            except TimeoutError:
                pass
            except ConnectionError:
                break
        else:
            pytest.fail("the connection is still there")
    assert time.monotonic() - started > 2
    # An earlier request on the connection had its answer, and nothing else has one.
    assert received.count(b"HTTP/1.1 ") == (slow_in == "the next request")
    assert impatient_api.get("/healthcheck").status == 200
    assert "A connection from 127.0.0.1 was closed: no request arrived in 2 seconds" in impatient_api.log.read_text()


def test_a_client_that_is_refused_or_does_not_take_its_answer_loses_its_connection(impatient_api):
    def connections():
        descriptors = Path(f"/proc/{impatient_api.worker_ids()[0]}/fd")
        return sum(os.readlink(name).startswith("socket:") for name in descriptors.iterdir() if name.is_symlink())

    def wait_until(is_so):
        deadline = time.monotonic() + 30
        while not is_so(connections()):
            assert time.monotonic() < deadline, connections()
            time.sleep(0.02)

    before = connections()
    with contextlib.ExitStack() as stack:
        for _number in range(10):
            client = stack.enter_context(connect(impatient_api))
            # One that is refused, since so many long answers are under way, has taken its answer and could stay.
            client.sendall(b"GET /v2/slow/actions?limit=1000 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        wait_until(lambda number: number > before)
        wait_until(lambda number: number == before)
    assert impatient_api.get("/v2/slow/actions?limit=1000").status == 200


def test_a_request_that_takes_long_to_answer_is_not_one_that_arrives_slowly(impatient_api):
    lock = sqlite3.connect(impatient_api.database, isolation_level=None)
    with contextlib.closing(lock):
        lock.execute("BEGIN IMMEDIATE")
        with connect(impatient_api) as client:
            body = b'{"client_id": "a", "job_actions": []}'
            client.sendall(
                b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )
            client.sendall(b"GET /v1 HTTP/1.1\r\n")
            time.sleep(3)
            lock.execute("ROLLBACK")
            assert client.recv(12) == b"HTTP/1.1 201"
            client.sendall(b"Host: localhost\r\nConnection: close\r\n\r\n")
            assert b"HTTP/1.1 200" in client.makefile("rb").read()
