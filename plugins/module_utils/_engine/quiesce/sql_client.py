# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A database server, held by one session; usually that is its command line client, connected over a pipe.

The client is installed with the server, knows every way to log in, and its locks end with it: when the holder dies, the pipe is
closed, the client ends, and the server drops the session and its locks.
"""

from __future__ import annotations

import abc
from typing import Any, Callable

from ..system.process import Program
from .base import Driver, QuiesceError

_MARK = "freezer-backup-answered"


class Session(abc.ABC):
    """One session of a server."""

    @abc.abstractmethod
    def ask(self, request: Any) -> Any:
        """The answer to a request. Raises QuiesceError with the message of the server or its client."""

    def kill(self) -> None:
        """End the session from another thread."""

    @abc.abstractmethod
    def close(self) -> None:
        """End the session."""


class SqlClient(Session):
    """A client on a pipe. `mark` makes the statement that prints a given text on a line of its own."""

    def __init__(self, program: Program, mark: Callable[[str], str]) -> None:
        self._program = program
        self._mark = mark

    def ask(self, request: str) -> list[str]:
        """Run a statement and return the lines that it prints."""
        statement = f"{request}\n{self._mark(_MARK)}\n".encode()
        lines: list[str] = []
        try:
            self._program.stdin.write(statement)
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
        self._program.kill()

    def close(self) -> None:
        try:
            self._program.stdin.close()
        except OSError:
            pass
        self._program.wait(2)
        self._program.end()


class Server(Driver):
    """A server that is held by one session; `connect` sets `_session`."""

    def __init__(self, label: str, timeout_seconds: float) -> None:
        super().__init__(label, timeout_seconds)
        self._session: Session | None = None

    def cancel(self) -> None:
        if self._session is not None:
            self._session.kill()

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _ask(self, request: Any) -> Any:
        """The answer of the server."""
        if self._session is None:
            raise QuiesceError(f"There is no session of {self.label}.")
        try:
            return self._session.ask(request)
        except QuiesceError as problem:
            raise type(problem)(f"The {self.label} cannot be held: {problem}") from None
