# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Answers of any length, of which little is in memory at a time.

A short one is sent whole. A longer one is read from the store while it is sent; it occupies a thread until the client
has read it, so only some of the threads do that at once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import falcon

from ...errors import UnavailableError
from ...store.errors import StoreError

LOG = logging.getLogger("freezer_api")

#: Up to this length an answer is sent whole.
SHORT_CHARACTERS = 1_048_576
_PIECE_CHARACTERS = 65_536
DEFAULT_MOST = 6


class BrokenAnswer(OSError):
    """The store failed in the middle of an answer: its end is missing, and the client has to notice that.

    Servers treat it as a broken connection, which they close without a last chunk.
    """


class LongAnswers:
    """Sends answers; at most ``most`` long ones at once. Further ones are refused with 503."""

    def __init__(self, most: int = DEFAULT_MOST) -> None:
        self._most = most
        self._free = threading.BoundedSemaphore(most)

    def send(self, request_id: str, response: falcon.Response, pieces: Iterator[str]) -> None:
        """Answer with the text that these pieces make. Raises UnavailableError, and what reading a piece raises."""
        begin, length = [], 0
        for piece in pieces:
            begin.append(piece)
            length += len(piece)
            if length > SHORT_CHARACTERS:
                break
        else:
            response.text = "".join(begin)
            return
        if not self._free.acquire(blocking=False):
            raise UnavailableError(
                f"{self._most} long lists are being sent, which is the limit; try again, or ask for fewer documents with limit",
                headers={"Retry-After": "1"},
            )
        response.stream = _Stream(request_id, begin, pieces, self._free)


class _Stream:
    """The pieces of a long answer, for the server to send."""

    def __init__(
        self, request_id: str, begin: list[str], pieces: Iterator[str], free: threading.BoundedSemaphore
    ) -> None:
        self._request_id = request_id
        self._begin = begin
        self._pieces = pieces
        self._free: threading.BoundedSemaphore | None = free

    def __iter__(self) -> Iterator[bytes]:
        gathered, self._begin = self._begin, []
        yield "".join(gathered).encode()
        gathered, length = [], 0
        try:
            for piece in self._pieces:
                gathered.append(piece)
                length += len(piece)
                if length > _PIECE_CHARACTERS:
                    yield "".join(gathered).encode()
                    gathered, length = [], 0
        except StoreError as error:
            LOG.error("%s was answered in part: %s", self._request_id, error)
            raise BrokenAnswer(str(error)) from error
        yield "".join(gathered).encode()

    def close(self) -> None:
        """Called by the server when no more is sent."""
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()
        free, self._free = self._free, None
        if free is not None:
            free.release()
