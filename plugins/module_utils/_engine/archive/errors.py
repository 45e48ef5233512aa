# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Errors of archives."""

from __future__ import annotations

from ..repository.errors import DamagedArchive

#: What to do about a level that is refused.
INSTEAD = "Restore an earlier backup (backup_id or restore_from_date), and take a new full one (no_incremental)."


class UnsafeArchive(DamagedArchive):
    """An archive has a member that would be extracted outside of its folder, or that this software does not write.

    `path` is the path in the way of the member, as tar names it; None for other reasons.
    """

    def __init__(self, message: str, path: str | None = None) -> None:
        super().__init__(message)
        self.path = path


class DamagedCatalogue(DamagedArchive):
    """The catalogue of a backup is not what a writer makes, or does not fit the levels below it.

    `path` is the path that it is about, relative to what was backed up; None for other reasons.
    """

    def __init__(self, message: str, path: str | None = None) -> None:
        super().__init__(message)
        self.path = path
