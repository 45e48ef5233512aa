# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Where a request ends in what was received, however it arrives."""

from __future__ import annotations

import random

import pytest

from ansible_collections.freezer.backup.roles.api.files.freezer_api.serving.framing import (
    MAX_HEAD_BYTES,
    HeadTooLargeError,
    RequestEnd,
)

LIMIT = 1000

WHOLE = [
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
    b"POST / HTTP/1.1\r\ncontent-LENGTH:5\r\n\r\n\r\n\r\n\r",
    b"POST / HTTP/1.1\r\nContent-Length:   5  \r\nX: y\r\n\r\nhello",
    b"POST / HTTP/1.1\r\nX-Content-Length: 99\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\nA \r\n0123456789\r\n00\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n\r\n\r\n\r\r\n0\r\nTrailer: x\r\n\r\n",
]
NEXT = b"GET /next HTTP/1.1\r\n\r\n"


def request_end():
    return RequestEnd(lambda head: LIMIT)


@pytest.mark.parametrize("request_bytes", WHOLE)
def test_a_request_ends_where_it_ends_in_whatever_pieces_it_comes(request_bytes):
    everything = request_bytes + NEXT
    generator = random.Random(1)
    for attempt in range(50):
        end, received, position = request_end(), bytearray(), 0
        found = None
        while found is None:
            step = 1 if attempt == 0 else generator.randint(1, 40)
            received += everything[position : position + step]
            position += step
            found = end.find(received)
            assert found is None or len(received) >= len(request_bytes)
            assert found is not None or len(received) < len(request_bytes)
        assert found == len(request_bytes)
        assert not end.is_cut


def test_empty_lines_before_a_request_are_dropped():
    received = bytearray(b"\r\n\r\n" + WHOLE[3])
    assert request_end().find(received) == len(WHOLE[3])
    assert received == WHOLE[3]


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 5\r\nContent-Length: 5",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: 5, 5",
        b"Content-Length: -1",
        b"Content-Length: +5",
        b"Content-Length: 0x5",
        b"Content-Length: ",
        b"Content-Length: 1001",
        b"Content-Length: " + b"9" * 30,
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: gzip",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked, identity",
    ],
)
def test_a_body_of_a_length_that_is_unclear_or_too_large_is_not_waited_for(fields):
    head = b"POST / HTTP/1.1\r\n" + fields + b"\r\n\r\n"
    end = request_end()
    assert end.find(bytearray(head + b"hello")) == len(head)
    assert end.is_cut
    assert not end.wants_to_go_on


@pytest.mark.parametrize(
    "body",
    [b"zz\r\n", b"\r\n", b"-5\r\n", b"5 5\r\n", b"5" * 2000, b"5\r\nhello\r\ng\r\n", b"ffffffff\r\n", b"100000\r\n"],
)
def test_a_chunk_of_a_size_that_is_unclear_or_too_large_is_not_waited_for(body):
    received = bytearray(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
    end = request_end()
    assert end.find(received) == len(received)
    assert end.is_cut


def test_chunks_that_add_up_to_too_much_are_not_waited_for():
    end, received = request_end(), bytearray(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(100):
        received += b"400\r\n" + b"x" * 1024 + b"\r\n"
        if end.find(received) is not None:
            break
    assert end.is_cut
    assert len(received) < 80_000


def test_trailers_without_an_end_are_not_waited_for():
    end, received = request_end(), bytearray(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
    assert end.find(received) is None
    received += b"X: y\r\n" * 20_000
    assert end.find(received) is not None
    assert end.is_cut


def test_a_head_without_an_end_is_refused():
    end, received = request_end(), bytearray(b"GET / HTTP/1.1\r\n")
    assert end.find(received) is None
    received += b"X: " + b"y" * MAX_HEAD_BYTES
    with pytest.raises(HeadTooLargeError):
        end.find(received)


@pytest.mark.parametrize(
    ("head", "waits"),
    [
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\nexpect:100-Continue\r\nTransfer-Encoding: chunked\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", False),
        (b"POST / HTTP/1.1\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n", False),
        (b"POST / HTTP/1.1\r\nContent-Length: 5000\r\nExpect: 100-continue\r\n\r\n", False),
    ],
)
def test_a_client_may_want_a_word_before_it_sends_the_body(head, waits):
    end = request_end()
    end.find(bytearray(head))
    assert end.wants_to_go_on is waits
