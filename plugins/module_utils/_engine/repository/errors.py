# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with the backups in a container."""

from __future__ import annotations

from ..errors import FreezerError


class ArchiveError(FreezerError):
    """A backup could not be made, found, read or restored."""


class DamagedArchive(ArchiveError):
    """What is stored is not what was written: a hash, a size, a chain or a format does not hold."""


class DamagedBackup(DamagedArchive):
    """One backup of a set is not what was written; `timestamp` is the time in its name."""

    def __init__(self, message: str, timestamp: int) -> None:
        super().__init__(message)
        self.timestamp = timestamp


class ForeignBackup(ArchiveError):
    """A folder holds the backups of another set."""
