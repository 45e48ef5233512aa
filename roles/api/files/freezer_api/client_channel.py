# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A connection to a client, as waitress has it, that tells what is wrong with a request as the API tells it."""

from __future__ import annotations

import json
import socket
from typing import Any, cast

from waitress.channel import HTTPChannel
from waitress.task import ErrorTask

#: What a client may send after it was refused, until it reads why.
_LINGER_BYTES = 67_108_864
_STEP_BYTES = 65_536


class _Refusal(ErrorTask):
    """The answer to what is no request for the application."""

    def execute(self) -> None:
        error: Any = cast(Any, self.request).error
        body = json.dumps({"title": error.reason, "description": f"The request {_what_is_wrong(error)}"}).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers = [("Content-Type", "application/json")]
        self.set_close_on_finish()
        self.content_length = len(body)
        cast(ClientChannel, self.channel).is_refused = True
        self.write(body)


def _what_is_wrong(error: Any) -> str:
    if error.code == 413:
        return "has a body that is larger than the API takes"
    if error.code == 431:
        return "has an address and headers that are longer than the API takes"
    if error.code == 501:
        return "has a transfer encoding that the API does not know"
    if error.code >= 500:
        return "could not be served"
    return "is not HTTP as the API understands it"


class ClientChannel(HTTPChannel):
    """Receives requests and sends answers; a refused client is heard out, or it would not see the answer."""

    error_task_class = _Refusal
    is_refused = False
    _is_lingering = False
    _dropped_bytes = 0

    def send_continue(self) -> None:
        """Tell a client that waits for it to send its body."""
        request = cast(Any, self.request)
        if request.completed:
            # waitress would forget that the request is complete, or that its body is too large, and wait for ever.
            request.expect_continue = False
        else:
            super().send_continue()

    def readable(self) -> bool:
        """Whether there may be something to read."""
        return self._is_lingering or bool(super().readable())

    def handle_read(self) -> None:
        """Read a piece of a request, or drop it."""
        if not self._is_lingering:
            super().handle_read()
            return
        self._dropped_bytes += len(self.recv(_STEP_BYTES))
        if self._dropped_bytes > _LINGER_BYTES:
            self.handle_close()

    def handle_write(self) -> None:
        """Send a piece of an answer; after a refusal nothing more is sent, and what still comes is read."""
        if not self.is_refused or not self.close_when_flushed:
            super().handle_write()
            return
        self.is_refused = self.close_when_flushed = False
        super().handle_write()
        if self.total_outbufs_len:
            self.is_refused = self.close_when_flushed = True
        elif self.connected:
            self._is_lingering = True
            cast(socket.socket, self.socket).shutdown(socket.SHUT_WR)
