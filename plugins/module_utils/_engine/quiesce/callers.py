# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The socket of a holder: a caller sends a request of one word, and gets a line of JSON.

status   the report, at once
wait     the report, when everything is held or the hold has failed
release  release; the final report, when that is done
"""

from __future__ import annotations

import json
import os
import socket
import struct
from typing import Any, Callable

from .base import QuiesceError
from .state import State


class Callers:
    """The holder's socket and its waiting callers. Only root and the holder's own user are served."""

    def __init__(self, state: State) -> None:
        self._for_hold: list[socket.socket] = []
        self._for_release: list[socket.socket] = []
        self._listener = _listen(state)

    def fileno(self) -> int:
        """The descriptor that becomes readable when a caller connects."""
        return self._listener.fileno()

    def accept(self, report: Callable[[], dict[str, Any]]) -> bool:
        """Serve one caller. True if it requests the release. `report` gives the present state, with ``held``."""
        caller, _address = self._listener.accept()
        _pid, user, _group = struct.unpack("3i", caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        caller.settimeout(1)
        try:
            word = caller.recv(64).strip() if user in (0, os.geteuid()) else b""
        except OSError:
            word = b""
        if word == b"release":
            self._for_release.append(caller)
            return True
        found = report() if word in (b"status", b"wait") else {}
        if word == b"wait" and not found["held"]:
            self._for_hold.append(caller)
            return False
        _answer([caller], found)
        return False

    def tell_held(self, report: dict[str, Any]) -> None:
        """Answer the callers that wait for the hold."""
        _answer(self._for_hold, report)

    def tell_end(self, final: dict[str, Any]) -> None:
        """Answer all waiting callers: the hold has ended."""
        _answer(self._for_hold, final)
        _answer(self._for_release, final)


def _answer(callers: list[socket.socket], answer: dict[str, Any]) -> None:
    for caller in callers:
        try:
            if answer:
                caller.sendall(json.dumps(answer).encode() + b"\n")
        except OSError:
            pass
        caller.close()
    callers.clear()


def _listen(state: State) -> socket.socket:
    state.remove("sock")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        with state.address() as address:
            listener.bind(address)
    except OSError as error:
        raise QuiesceError(f"The holder cannot listen at {state.path('sock')}: {error.strerror}.") from None
    finally:
        os.umask(before)
    listener.listen(8)
    return listener
