# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A connection on a real socket: what it hands over, what it sends, and when it gives its client up."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from ansible_collections.freezer.backup.roles.api.files.freezer_api.serving.connection import (
    GRACE_SECONDS,
    IDLE_SECONDS,
    SLOWEST_BYTES_PER_SECOND,
    Connection,
    Host,
)

GET = b"GET / HTTP/1.1\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n"
ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"


class Recorder(Host):
    """Notes what it is given; answers are given by the test."""

    def __init__(self):
        self.requests = []
        self.gone = False
        self.room = True

    def came(self, connection):
        pass

    def went(self, connection):
        self.gone = True

    def has_room(self, connection, more_bytes=0):
        return self.room

    def max_body_bytes(self, head):
        return 1000

    def submit(self, request, connection, *, is_last):
        self.requests.append((request, is_last))


class Pair:
    """A connection and its client. The client's receive buffer is small, so that large answers wait."""

    async def open(self):
        loop = asyncio.get_running_loop()
        self.host = Recorder()
        server, self.client = socket.socketpair()
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.client.setblocking(False)
        _, self.connection = await loop.connect_accepted_socket(lambda: Connection(self.host), server)
        return self

    async def send(self, data):
        self.client.sendall(data)
        await settle()

    async def read(self):
        await settle()
        received = b""
        while True:
            try:
                data = self.client.recv(65536)
            except BlockingIOError:
                return received
            if not data:
                return received + b"<end>"
            received += data
            await settle()


async def settle():
    for _ in range(5):
        await asyncio.sleep(0.001)


def on_a_connection(test):
    async def run():
        pair = await Pair().open()
        await test(pair)
        pair.connection.give_up()
        pair.client.close()
        await settle()

    asyncio.run(run())


def test_nothing_is_handed_over_before_all_of_it_is_there():
    async def test(pair):
        for byte in POST + b"hell":
            await pair.send(bytes([byte]))
        assert pair.host.requests == []
        await pair.send(b"o")
        assert pair.host.requests == [(POST + b"hello", False)]
        pair.connection.answered(ANSWER, is_last=False)
        assert await pair.read() == ANSWER

    on_a_connection(test)


def test_requests_that_come_together_are_answered_one_after_the_other():
    async def test(pair):
        await pair.send(GET + POST + b"hello" + GET)
        for count, request in enumerate((GET, POST + b"hello", GET), 1):
            assert len(pair.host.requests) == count
            assert pair.host.requests[-1] == (request, False)
            pair.connection.answered(b"answer", is_last=False)
            assert await pair.read() == b"answer"

    on_a_connection(test)


def test_a_client_that_has_ended_its_side_is_answered_and_then_hung_up_on():
    async def test(pair):
        await pair.send(GET)
        pair.client.shutdown(socket.SHUT_WR)
        await settle()
        pair.connection.answered(ANSWER, is_last=False)
        assert await pair.read() == ANSWER + b"<end>"
        assert pair.host.gone

    on_a_connection(test)


def test_half_a_request_of_a_client_that_has_ended_is_handed_over_as_the_last():
    async def test(pair):
        await pair.send(POST + b"he")
        pair.client.shutdown(socket.SHUT_WR)
        await settle()
        assert pair.host.requests == [(POST + b"he", True)]

    on_a_connection(test)


def test_a_client_that_says_nothing_more_is_hung_up_on_when_it_ends():
    async def test(pair):
        pair.client.shutdown(socket.SHUT_WR)
        await settle()
        assert pair.host.gone

    on_a_connection(test)


def test_after_the_last_answer_the_rest_is_read_and_dropped():
    async def test(pair):
        await pair.send(b"POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n")
        assert pair.host.requests[0][1]
        pair.connection.answered(ANSWER, is_last=True)
        await pair.send(GET * 100)
        assert await pair.read() == ANSWER + b"<end>"
        assert len(pair.host.requests) == 1
        assert not pair.host.gone
        pair.connection.check(time.monotonic() + 10)
        await settle()
        assert pair.host.gone

    on_a_connection(test)


def test_a_client_that_waits_for_a_word_gets_it():
    async def test(pair):
        await pair.send(b"POST / HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert await pair.read() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await pair.send(b"he")
        assert await pair.read() == b""
        await pair.send(b"llo")
        assert len(pair.host.requests) == 1

    on_a_connection(test)


def test_headers_without_an_end_are_refused():
    async def test(pair):
        await pair.send(b"GET / HTTP/1.1\r\nX: ")
        for _ in range(5):
            await pair.send(b"y" * 20_000)
        assert (await pair.read()).startswith(b"HTTP/1.1 431 ")

    on_a_connection(test)


def test_an_idle_client_is_hung_up_on_after_a_while():
    async def test(pair):
        pair.connection.check(time.monotonic() + IDLE_SECONDS - 5)
        await settle()
        assert not pair.host.gone
        pair.connection.check(time.monotonic() + IDLE_SECONDS + 5)
        await settle()
        assert pair.host.gone

    on_a_connection(test)


@pytest.mark.parametrize("begun", [b"G", b"GET / HTTP/1.1\r\nX: ", POST + b"hell"])
def test_a_request_that_comes_too_slowly_is_refused(begun):
    async def test(pair):
        await pair.send(begun)
        pair.connection.check(time.monotonic() + GRACE_SECONDS - 5)
        assert await pair.read() == b""
        pair.connection.check(time.monotonic() + GRACE_SECONDS + 5)
        answer = await pair.read()
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b'"description"' in answer
        assert answer.endswith(b"<end>")

    on_a_connection(test)


def test_an_answer_waits_for_its_reader_as_long_as_it_reads():
    answer = b"x" * 2_000_000

    async def test(pair):
        await pair.send(GET)
        pair.connection.answered(answer, is_last=False)
        waiting = pair.connection.held_bytes
        assert waiting > 1_000_000
        fair = GRACE_SECONDS + (len(answer) - waiting) / SLOWEST_BYTES_PER_SECOND
        pair.connection.check(time.monotonic() + fair - 5)
        await pair.send(GET)
        # The next request has to wait until this answer is taken.
        assert len(pair.host.requests) == 1
        assert await pair.read() == answer
        assert len(pair.host.requests) == 2

    on_a_connection(test)


def test_an_answer_that_is_taken_too_slowly_is_given_up():
    async def test(pair):
        await pair.send(GET)
        pair.connection.answered(b"x" * 2_000_000, is_last=False)
        pair.connection.check(time.monotonic() + GRACE_SECONDS + 2_000_000 / SLOWEST_BYTES_PER_SECOND)
        await settle()
        assert pair.host.gone

    on_a_connection(test)


def test_where_there_is_no_room_large_requests_and_answers_are_refused_and_small_ones_are_not():
    async def test(pair):
        pair.host.room = False
        await pair.send(GET)
        pair.connection.answered(ANSWER, is_last=False)
        assert await pair.read() == ANSWER
        await pair.send(GET)
        pair.connection.answered(b"x" * 100_000, is_last=False)
        answer = await pair.read()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 5\r\n" in answer

    on_a_connection(test)


def test_when_it_stops_idle_clients_go_at_once_and_others_after_their_answer():
    async def test(pair):
        await pair.send(GET)
        pair.host.is_stopping = True
        pair.connection.stop()
        await settle()
        assert not pair.host.gone
        pair.connection.answered(ANSWER, is_last=False)
        assert await pair.read() == ANSWER + b"<end>"

        other = await Pair().open()
        other.connection.stop()
        await settle()
        assert other.host.gone

    on_a_connection(test)
