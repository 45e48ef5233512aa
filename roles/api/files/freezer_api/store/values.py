# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Values from documents of unknown structure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .base import MAX_INTEGER, MIN_INTEGER, Document


def as_object(value: Any) -> Mapping[str, Any]:
    """An object, or an empty one in place of anything else."""
    return value if isinstance(value, Mapping) else {}


def as_text(value: Any) -> str | None:
    """A text, or None for anything else."""
    return value if isinstance(value, str) else None


def as_integer(value: Any) -> int | None:
    """A whole number that fits in 64 bits, also one that is written as a text, or None for anything else."""
    if isinstance(value, str) and value.isdecimal() and len(value) < 19:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if MIN_INTEGER <= value <= MAX_INTEGER else None


def time_stamp(kind: str, document: Document) -> int | None:
    """When a backup was made, in seconds since 1970; None for other kinds, and for a backup that does not say."""
    if kind != "backup":
        return None
    metadata = as_object(document.get("backup_metadata"))
    return as_integer(metadata.get("time_stamp", metadata.get("timestamp")))
