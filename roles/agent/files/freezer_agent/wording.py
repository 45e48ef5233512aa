# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Sizes, times and names as people read them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")


def as_typed(text: str, keys: Iterable[str]) -> str:
    """A sentence of the engine with the names of options as flags: ``backup_id`` is ``--backup-id`` at a shell.

    A key that is a word of English too is the name of an option where the sentence begins with it, where it stands alone in
    brackets, and after "set", "with", "option" and "because". Paths stay as they are.
    """
    words = "|".join(sorted(keys, key=len, reverse=True)) or "(?!)"

    def flag(match: re.Match[str]) -> str:
        before, key = match.groups(default="")
        if match.start() and not before and "_" not in key:
            return match.group(0)
        return f"{'give ' if before == 'set ' else before}--{key.replace('_', '-')}"

    before = rf"(?:set|with|option|because) |\((?=(?:{words})\))"
    return re.sub(rf"(?<![\w/.'\"=-])({before})?({words})(?![\w/'\"=-]|\.\w)", flag, text)


def size(number: float) -> str:
    """A number of bytes with three digits: 512 bytes, 1.21 GiB, 410 MiB."""
    unit = 0
    while number >= 999.5 and unit < len(_UNITS) - 1:
        number /= 1024
        unit += 1
    if unit == 0:
        return counted(round(number), "byte")
    digits = 2 if number < 9.995 else 1 if number < 99.95 else 0
    return f"{number:.{digits}f} {_UNITS[unit]}"


def duration(seconds: float) -> str:
    """A length of time: 27 ms, 1.4 s, 37 s, 3 min 05 s, 2 h 07 min."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def moment(timestamp: float) -> str:
    """A moment in local time, as --restore-from-date takes it."""
    return datetime.fromtimestamp(timestamp).astimezone().strftime("%Y-%m-%dT%H:%M:%S")


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun: 1 file, 12,345 files."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
