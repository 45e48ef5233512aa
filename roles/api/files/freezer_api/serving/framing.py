# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Where a request of HTTP/1.1 ends in what a connection has received (RFC 9112, sections 6 and 7).

This says only when to begin with a request. What it means is for the parser to say, which gets exactly these bytes:
where the two disagree it finds too few of them and refuses the request, and nothing that is left over is ever taken for
another one.
"""

from __future__ import annotations

import re
from collections.abc import Callable

MAX_HEAD_BYTES = 65_536

_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length[ \t]*:[ \t]*([^\r]*?)[ \t]*(?=\r\n)", re.IGNORECASE)
_CODING = re.compile(rb"\r\ntransfer-encoding[ \t]*:[ \t]*([^\r]*?)[ \t]*(?=\r\n)", re.IGNORECASE)
_EXPECT = re.compile(rb"\r\nexpect[ \t]*:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE)
_CHUNK_SIZE = re.compile(rb"[0-9a-fA-F]{1,8}")
_MAX_CHUNK_LINE_BYTES = 1024
#: Room for the sizes of chunks, beside the body that they make.
_CHUNK_OVERHEAD_BYTES = 65_536


class HeadTooLargeError(Exception):
    """The request line and the headers are longer than anybody needs."""


class RequestEnd:
    """Looks for the end of one request, from its first byte on.

    ``max_body_bytes`` tells for a head how large a body may follow. Where the body will be larger, or makes no sense, the
    request ends with its head or with what is there: it is ``cut``, can only be refused, and the connection has to be
    closed after that. ``wants_to_go_on`` becomes true when the client waits for a word before it sends the body.
    """

    def __init__(self, max_body_bytes: Callable[[bytes], int]) -> None:
        self._max_body_bytes = max_body_bytes
        self._searched = 0
        self._body_start = 0
        self._body_length: int | None = None
        self._chunk_start = 0
        self._largest = 0
        self.is_cut = False
        self.wants_to_go_on = False

    def find(self, received: bytearray) -> int | None:
        """How many bytes the request has, or None as long as not all of them are there. Raises HeadTooLargeError."""
        if not self._body_start and not self._read_head(received):
            return None
        if self.is_cut:
            return self._body_start
        if self._body_length is None:
            return self._find_last_chunk(received)
        end = self._body_start + self._body_length
        return end if len(received) >= end else None

    def _read_head(self, received: bytearray) -> bool:
        while received.startswith(b"\r\n"):
            # Some clients have sent an empty line after the body of the last request.
            del received[:2]
        found = received.find(_HEAD_END, max(0, self._searched - len(_HEAD_END)), MAX_HEAD_BYTES)
        if found < 0:
            self._searched = len(received)
            if len(received) > MAX_HEAD_BYTES:
                raise HeadTooLargeError
            return False
        self._body_start = self._chunk_start = found + len(_HEAD_END)
        head = bytes(received[: self._body_start])
        lengths, codings = _LENGTH.findall(head), _CODING.findall(head)
        self._largest = self._max_body_bytes(head)
        if codings:
            self.is_cut = bool(lengths) or [coding.lower() for coding in codings] != [b"chunked"]
        elif not lengths:
            self._body_length = 0
        elif len(lengths) == 1 and lengths[0].isdigit() and len(lengths[0]) < 19:
            self._body_length = int(lengths[0])
            self.is_cut = self._body_length > self._largest
        else:
            self.is_cut = True
        self.wants_to_go_on = not self.is_cut and self._body_length != 0 and _EXPECT.search(head) is not None
        return True

    def _find_last_chunk(self, received: bytearray) -> int | None:
        while True:
            if self._chunk_start - self._body_start > self._largest + _CHUNK_OVERHEAD_BYTES:
                return self._cut(received)
            line_end = received.find(b"\r\n", self._chunk_start, self._chunk_start + _MAX_CHUNK_LINE_BYTES)
            if line_end < 0:
                too_long = len(received) - self._chunk_start >= _MAX_CHUNK_LINE_BYTES
                return self._cut(received) if too_long else None
            size_text = bytes(received[self._chunk_start : line_end]).partition(b";")[0].strip(b" \t")
            if _CHUNK_SIZE.fullmatch(size_text) is None:
                return self._cut(received)
            size = int(size_text, 16)
            if size == 0:
                return self._find_trailer_end(received, line_end)
            next_start = line_end + 2 + size + 2
            if next_start - self._body_start > self._largest + _CHUNK_OVERHEAD_BYTES:
                return self._cut(received)
            if len(received) < next_start:
                return None
            self._chunk_start = next_start

    def _find_trailer_end(self, received: bytearray, line_end: int) -> int | None:
        # The line of the last chunk, perhaps trailers, an empty line.
        found = received.find(_HEAD_END, line_end, line_end + MAX_HEAD_BYTES)
        if found >= 0:
            return found + len(_HEAD_END)
        return self._cut(received) if len(received) - line_end > MAX_HEAD_BYTES else None

    def _cut(self, received: bytearray) -> int:
        self.is_cut = True
        return len(received)
