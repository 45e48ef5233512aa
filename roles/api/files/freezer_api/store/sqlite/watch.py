# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The time limit of searches."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import TypeVar

from ..errors import SearchTooLongError

SEARCH_SECONDS = 10.0
#: After so many instructions, about a millisecond, SQLite calls the progress handler.
_INSTRUCTIONS = 50_000

T = TypeVar("T")


class Watch:
    """Adds up the seconds that one search takes in SQLite, without the time that its reader takes in between."""

    def __init__(self, connection: sqlite3.Connection, seconds: float) -> None:
        self._connection = connection
        self._seconds = seconds
        self._spent = 0.0
        self._began = 0.0
        self._is_over = False

    def run(self, step: Callable[[], T]) -> T:
        """Run a step of the search. Raises SearchTooLongError if all steps together took too long."""
        self._began = time.monotonic()
        self._connection.set_progress_handler(self._look, _INSTRUCTIONS)
        try:
            return step()
        except sqlite3.OperationalError as error:
            if self._is_over:
                raise SearchTooLongError(
                    f"the search was cancelled after {self._seconds:g} seconds; ask for fewer documents or conditions"
                ) from error
            raise
        finally:
            self._connection.set_progress_handler(None, 0)
            self._spent += time.monotonic() - self._began

    def _look(self) -> bool:
        self._is_over = self._spent + time.monotonic() - self._began > self._seconds
        return self._is_over
