# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Progress reporting: the engine reports, and the caller draws it, logs it or ignores it."""

from __future__ import annotations


class Progress:
    """A listener that ignores everything; programs override what they show.

    All methods may be called from another thread than the one that started the work.
    """

    #: Whether knowing the totals is worth a scan of the source before the work starts.
    wants_totals = False

    def begin(self, phase: str, total_bytes: int | None = None, total_files: int | None = None) -> None:
        """A phase (``backup``, ``restore``, ``verify``) starts; totals are None if unknown."""

    def advance(self, done_bytes: int = 0, done_files: int = 0) -> None:
        """So many more bytes and files are done since the last call."""

    def end(self) -> None:
        """The phase has ended, with or without an error."""
