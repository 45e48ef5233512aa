# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Lookup of backups by the first digits of their ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from ..errors import OptionError
from .errors import ArchiveError

#: Fewer digits could match another backup by chance or by mistake.
LEAST_DIGITS = 4

Backup = TypeVar("Backup")


def is_beginning(wanted: str, backup_id: str) -> bool:
    """Whether an id begins with `wanted`, if that has enough digits."""
    return len(wanted) >= LEAST_DIGITS and backup_id.startswith(wanted)


def only_one(wanted: str, alike: Sequence[Backup]) -> Backup | None:
    """The only backup among those whose ids begin with `wanted`, None if there is none.

    Raises ArchiveError if there are several, and OptionError if `wanted` has too few digits.
    """
    if len(wanted) < LEAST_DIGITS:
        raise OptionError(
            f"backup_id has to be an id or at least the first {LEAST_DIGITS} digits of one, and is {wanted!r}."
        )
    if len(alike) > 1:
        raise ArchiveError(f"{len(alike)} backups have an id that begins with {wanted!r}; give more digits.")
    return alike[0] if alike else None
