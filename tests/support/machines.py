# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The machine of tests/labs/machines: used like a guest, and frozen from its hypervisor's side."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping
from typing import Any

from .guests import Guest

_SECONDS = 60


def machine(variables: Mapping[str, str]) -> Guest:
    """The machine as it is from the inside; everything in it is done as root."""
    found = {name.replace("MACHINES", "GUESTS"): value for name, value in variables.items()}
    return Guest("machine1", found)


class GuestAgent:
    """QEMU's guest agent in the machine, as a hypervisor talks to it: JSON on a socket, one answer to each command."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._socket.settimeout(_SECONDS)
        self._lines = self._socket.makefile("rb")
        # What was said to whoever asked before is skipped, as the agent's protocol has it; 0xFF resets its parser.
        number = time.monotonic_ns() % 2**31
        self._send("guest-sync-delimited", b"\xff", id=number)
        while json.dumps(number).encode() not in self._lines.readline():
            pass

    def ask(self, command: str, **arguments: Any) -> Any:
        """What the agent returns."""
        self._send(command, **arguments)
        answer = json.loads(self._lines.readline())
        assert "error" not in answer, answer
        return answer["return"]

    def freeze(self) -> int:
        """Freeze all file systems, as Nova has it done for a snapshot with quiesce; how many the agent has frozen."""
        return int(self.ask("guest-fsfreeze-freeze"))

    def thaw(self) -> int:
        """Let them go on."""
        return int(self.ask("guest-fsfreeze-thaw"))

    def is_frozen(self) -> bool:
        """What the agent believes."""
        return bool(self.ask("guest-fsfreeze-status") == "frozen")

    def close(self) -> None:
        """End the conversation."""
        self._lines.close()
        self._socket.close()

    def _send(self, command: str, before: bytes = b"", **arguments: Any) -> None:
        document = {"execute": command, **({"arguments": arguments} if arguments else {})}
        self._socket.sendall(before + json.dumps(document).encode() + b"\n")
