# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Backups that are named by the first digits of their id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from ..errors import OptionError
from .errors import ArchiveError

#: Fewer digits would name another backup by chance, and by mistake.
LEAST_DIGITS = 4

Backup = TypeVar("Backup")


def is_beginning(wanted: str, backup_id: str) -> bool:
    """Whether an id begins with what was given, which is long enough to mean it."""
    return len(wanted) >= LEAST_DIGITS and backup_id.startswith(wanted)


def only_one(wanted: str, alike: Sequence[Backup]) -> Backup | None:
    """The one backup whose id begins as wanted, None if there is none.

    Raises ArchiveError if there are several, and OptionError if too few digits were given to look for it.
    """
    if len(wanted) < LEAST_DIGITS:
        raise OptionError(
            f"backup_id has to be an id or at least the first {LEAST_DIGITS} digits of one, and is {wanted!r}."
        )
    if len(alike) > 1:
        raise ArchiveError(f"{len(alike)} backups have an id that begins with {wanted!r}; give more digits of it.")
    return alike[0] if alike else None
