# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A client that does not read its answers keeps no thread of the API."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.noauth import NoAuth
from ansible_collections.freezer.backup.roles.api.files.freezer_api.http.app import create_app
from ansible_collections.freezer.backup.roles.api.files.freezer_api.server.overdue import Limits
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.base import Owner
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.sqlite.store import SqliteStore
from ansible_collections.freezer.backup.tests.support.api_loop import THREADS, WATERMARK, Loop

MIB = 1_048_576


@pytest.fixture
def loop(tmp_path):
    store = SqliteStore(tmp_path / "api.db")
    for number in range(12):
        document = {"action_id": f"a{number}", "freezer_action": {"text": "x" * (MIB - 1000)}}
        store.create("action", f"a{number}", Owner("admin", "default"), document)
    # Less than the watermark: a thread waits for a client that reads no answer with the third of them at the latest.
    short = {"action_id": "short", "freezer_action": {"text": "x" * (WATERMARK // 2)}}
    store.create("action", "short", Owner("admin", "default"), short)
    running = Loop(create_app(store, NoAuth(), long_answers=1), Limits(timeout_seconds=300.0, most_bytes=MIB))
    yield running
    running.close()


def waited_for(loop):
    """For how many clients a thread waits."""
    return sum(bool(channel.requests) and channel.total_outbufs_len > WATERMARK for channel in loop.clients())


def test_requests_whose_answers_are_not_read_keep_no_thread_that_others_need(loop):
    for _number in range(2 * THREADS):
        loop.connect().sendall(b"GET /v1/actions/short HTTP/1.1\r\nHost: localhost\r\n\r\n" * 200)
    loop.turn_until(lambda: waited_for(loop) == THREADS)
    assert loop.ask(b"/healthcheck")[0] == 200
    # So many have lost their connection as have kept a thread while there was a need.
    assert len(loop.clients()) < 2 * THREADS


def test_requests_whose_answers_are_not_read_are_left_alone_while_there_are_threads(loop):
    loop.connect().sendall(b"GET /v1/actions/short HTTP/1.1\r\nHost: localhost\r\n\r\n" * 200)
    loop.turn_until(lambda: waited_for(loop) == 1)
    loop.overdue.close_some(time.monotonic() + 29)
    assert loop.ask(b"/healthcheck")[0] == 200
    assert len(loop.clients()) == 1


def test_requests_that_waited_for_their_client_to_read_are_answered(loop):
    client = loop.connect()
    client.sendall(b"GET /v1/actions/short HTTP/1.1\r\nHost: localhost\r\n\r\n" * 199)
    client.sendall(b"GET /v1/actions/short HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    loop.turn_until(lambda: any(channel.total_outbufs_len for channel in loop.clients()))
    with ThreadPoolExecutor(1) as threads:
        answers = threads.submit(lambda: client.makefile("rb").read())
        loop.turn_until(answers.done)
    assert answers.result().count(b"HTTP/1.1 200 OK") == 200


def test_a_long_list_that_its_client_stops_to_read_ends(loop):
    reader = loop.connect()
    reader.sendall(b"GET /v1/actions HTTP/1.1\r\nHost: localhost\r\n\r\n")
    loop.turn_until(lambda: any(channel.total_outbufs_len > WATERMARK for channel in loop.clients()))
    (channel,) = loop.clients()
    assert loop.ask(b"/v1/actions")[0] == 503
    # A client that takes some of it now and then stays.
    before = channel.last_activity
    while channel.last_activity == before:
        reader.recv(MIB)
        loop.turn()
    loop.turn_until(lambda: channel.total_outbufs_len > WATERMARK)
    now = time.monotonic()
    loop.overdue.close_some(now)
    loop.overdue.close_some(now + 29)
    assert channel.connected
    loop.overdue.close_some(now + 31)
    assert not channel.connected
    # Its thread, and its place among those that send long lists, come back.
    loop.turn_until(lambda: loop.ask(b"/v1/actions")[0] == 200)
    assert loop.ask(b"/v1/actions")[1] > 9 * MIB
