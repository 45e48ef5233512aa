# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The command line client of a database server, connected over a pipe.

It is installed with the server, knows every way to log in, and its locks end with it: when the holder dies, the pipe is
closed, the client ends, and the server drops the session and its locks.
"""

from __future__ import annotations

from typing import Callable

from ..system.process import Program
from .base import Driver, QuiesceError

_MARK = "freezer-backup-answered"


class SqlClient:
    """One session of a server. `mark` makes the statement that prints a given text on a line of its own."""

    def __init__(self, program: Program, mark: Callable[[str], str]) -> None:
        self._program = program
        self._mark = mark

    def ask(self, statement: str) -> list[str]:
        """Run a statement and return the lines that it prints. Raises QuiesceError with the message of the client."""
        request = f"{statement}\n{self._mark(_MARK)}\n".encode()
        lines: list[str] = []
        try:
            self._program.stdin.write(request)
            self._program.stdin.flush()
            for line in self._program.stdout:
                text = line.decode("utf-8", "replace").rstrip("\n")
                if text.endswith(_MARK):  # some shells print their prompt before it
                    return lines
                lines.append(text)
        except (OSError, ValueError):
            pass
        self._program.wait(2)
        raise QuiesceError(f"{self._program.name} has ended: {self._program.said() or 'it gave no message'}.")

    def kill(self) -> None:
        """End the session from another thread."""
        self._program.kill()

    def close(self) -> None:
        """End the session."""
        try:
            self._program.stdin.close()
        except OSError:
            pass
        self._program.wait(2)
        self._program.end()


class SqlDriver(Driver):
    """A server that is held by one session of its client; `connect` sets `_client`."""

    def __init__(self, label: str, timeout_seconds: float) -> None:
        super().__init__(label, timeout_seconds)
        self._client: SqlClient | None = None

    def cancel(self) -> None:
        if self._client is not None:
            self._client.kill()

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _ask(self, statement: str) -> list[str]:
        """The answer of the server, in lines."""
        if self._client is None:
            raise QuiesceError(f"There is no session of {self.label}.")
        try:
            return self._client.ask(statement)
        except QuiesceError as problem:
            raise QuiesceError(f"The {self.label} cannot be held: {problem}") from None
