# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What answers in place of Swift says odd things: each is an error in a sentence, and none takes memory without an end."""

from __future__ import annotations

import socket

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.http.auth import NoAuth
from ansible_collections.freezer.backup.plugins.module_utils._engine.http.connection import Tls
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack import service
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.service import Service
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.transport import Transport
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.errors import OddObject, StorageError
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.swift import SwiftStorage
from ansible_collections.freezer.backup.tests.support.faulty_server import FaultyServer, Step, answer


class _Cloud:
    def __init__(self, url: str) -> None:
        self._url = url

    def service(self, _kind: str) -> Service:
        return Service("Swift", f"{self._url}/v1/a", NoAuth(), Transport(Tls(), 5.0, 0))


def storage_at(server):
    return SwiftStorage("c", lambda: _Cloud(server.url))


def endless(head: bytes, block: bytes) -> Step:
    """An answer that never ends."""

    def step(peer: socket.socket) -> bool:
        peer.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n")
        while True:
            peer.sendall(block)

    return step


@pytest.mark.parametrize(
    "listing",
    [b"{}x", b"5", b'{"a": 1}', b"[5]", b'["x"]', b'[{"name": "a", "bytes": "x"}]', b"[" * 100_000],
)
def test_a_hostile_listing_is_an_error_in_a_sentence(listing):
    with FaultyServer([answer(200, body=listing)]) as server:
        with pytest.raises(StorageError, match="is no list of objects"):
            storage_at(server).children("a/b/c")


def test_a_hostile_object_that_is_too_large_is_not_read():
    headers = {"Content-Range": "bytes 0-9/99999999999"}
    with FaultyServer([answer(206, body=b"0123456789", headers=headers)]) as server:
        with pytest.raises(OddObject, match="is larger than such an object can be"):
            storage_at(server).read("a/manifest.json", 1000)
        assert len(server.requests) == 1


def test_a_hostile_answer_with_more_than_was_said_is_refused():
    headers = {"Content-Range": "bytes 0-9/10", "ETag": "x"}
    with FaultyServer([answer(206, body=b"0" * 5000, headers=headers)]) as server:
        with pytest.raises(StorageError, match="came with more than the 10 bytes"):
            storage_at(server).read("a/manifest.json", 1000)


@pytest.mark.parametrize(
    ("head", "block"),
    [
        (b"Connection: close", b"x" * 65536),
        (b"Transfer-Encoding: chunked", b"10000\r\n" + b"x" * 65536 + b"\r\n"),
        (b"Content-Length: 99999999999", b"x" * 65536),
    ],
    ids=["until it closes", "chunked", "with a length"],
)
def test_a_hostile_answer_without_an_end_is_given_up(monkeypatch, head, block):
    monkeypatch.setattr(service, "MOST_ANSWER_BYTES", 4 << 20)
    with FaultyServer([endless(head, block)]) as server:
        with pytest.raises(StorageError, match="answers with more than 4 MiB at once"):
            storage_at(server).read("a/manifest.json", 1000)


def test_of_an_object_no_more_is_asked_for_than_is_read():
    told = {"Content-Range": "bytes 4-5/10", "ETag": "x"}
    with FaultyServer([answer(206, body=b"45", headers=told), answer(200, body=b"0123456789")]) as server:
        with storage_at(server).ranges("a/x") as ranges:
            assert ranges.read(4, 2) == b"45"
            # What knows no ranges gives all of it.
            assert ranges.read(7, 2) == b"78"
        first, second = server.requests
    assert first.headers["range"] == "bytes=4-5"
    assert (second.headers["range"], second.headers["if-match"]) == ("bytes=7-8", "x")
