# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""HTTP over a Unix socket: the address ``unix:///path``, as the API and its clients write it."""

from __future__ import annotations

import http.client
import os
import socket

from ..system.undo import on_failure

PREFIX = "unix://"
#: What the kernel keeps of the path of a socket, its final zero aside.
LONGEST_PATH_BYTES = 107


def is_unix(url: str) -> bool:
    """Whether an address names a Unix socket."""
    return url.startswith("unix:")


def path_of(url: str) -> str:
    """The path in such an address; an empty one where it has none."""
    return url[len(PREFIX) :] if url.startswith(PREFIX) else ""


def check_path(path: str) -> str | None:
    """Why a path can be none of a socket; None if it can."""
    if not path.startswith("/"):
        return "write unix:// and an absolute path, such as unix:///run/freezer/api.sock"
    if not path.isprintable() or path.endswith("/"):
        return "its path has to end in the name of the socket, in characters that can be printed"
    if len(os.fsencode(path)) > LONGEST_PATH_BYTES:
        return f"its path has {len(os.fsencode(path))} bytes, a socket's can have {LONGEST_PATH_BYTES}; choose a shorter one"
    return None


class UnixConnection(http.client.HTTPConnection):
    """A connection of ``http.client`` through the socket at a path."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Open it. Raises OSError."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with on_failure(connection.close):
            connection.settimeout(self.timeout)
            connection.connect(self._path)
        self.sock = connection
