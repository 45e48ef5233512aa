# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Errors of the backups in a container."""

from __future__ import annotations

from ..errors import FreezerError, NoBackup


class ArchiveError(FreezerError):
    """A backup could not be made, found, read or restored."""


class NoSuchBackup(ArchiveError, NoBackup):
    """A storage could be read, and does not have the backup."""


class DamagedArchive(ArchiveError):
    """Stored data differ from what was written: a hash, a size, a chain or a format is wrong."""


class DamagedBackup(DamagedArchive):
    """One backup of a set is damaged; `timestamp` is the time in the name of its folder."""

    def __init__(self, message: str, timestamp: int) -> None:
        super().__init__(message)
        self.timestamp = timestamp


class UnbelievedBackup(DamagedBackup):
    """A backup is not signed, or not by one who is believed."""


class ForeignBackup(ArchiveError):
    """A folder belongs to another backup set."""
