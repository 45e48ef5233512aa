# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The size of a snapshot: ``512M``, ``1G``, ``20%ORIGIN``, ``50%FREE``, ``10%VG``."""

from __future__ import annotations

import math
import re

from .errors import SnapshotError
from .volumes import Volume

_UNITS = {unit: 1024**power for power, unit in enumerate("KMGT", start=1)}
_BYTES = re.compile(r"^(\d+(?:\.\d+)?)\s*([KMGT])(?:i?B)?$", re.IGNORECASE)
_PERCENT = re.compile(r"^(\d+(?:\.\d+)?)\s*%\s*(ORIGIN|FREE|VG)?$", re.IGNORECASE)


def check_size(text: str) -> None:
    """Raise SnapshotError if this is not a valid size."""
    _parse(text)


def _parse(text: str) -> tuple[float, str]:
    match = _BYTES.match(text.strip())
    if match is not None and float(match.group(1)) > 0:
        return float(match.group(1)) * _UNITS[match.group(2).upper()], "bytes"
    match = _PERCENT.match(text.strip())
    if match is not None and 0 < float(match.group(1)) <= 100:
        return float(match.group(1)), (match.group(2) or "ORIGIN").upper()
    raise SnapshotError(
        f"The size of a snapshot is a number with a unit, such as 512M or 2G, or a percentage up to 100 such as "
        f"20%ORIGIN, 50%FREE or 10%VG; {text!r} is neither."
    )


def extents_of(text: str, origin: Volume) -> int:
    """The number of extents of a classic snapshot. Raises SnapshotError, with the numbers, if too few are free."""
    amount, of = _parse(text)
    extent = origin.extent_bytes
    if of == "bytes":
        wanted = math.ceil(amount / extent)
    else:
        whole = {"ORIGIN": origin.bytes / extent, "FREE": origin.free_extents, "VG": origin.group_extents}[of]
        wanted = (math.floor if of == "FREE" else math.ceil)(amount / 100 * whole)
    wanted = min(max(wanted, 1), _useful_extents(origin))
    if wanted > origin.free_extents:
        raise SnapshotError(
            f"A snapshot of {origin.full_name} with {text} needs {wanted} extents of {_mebibytes(extent)}, "
            f"{_mebibytes(wanted * extent)}, and the volume group {origin.group} has {origin.free_extents} free ones, "
            f"{_mebibytes(origin.free_extents * extent)}. Give it a smaller size or the group more space; nothing was done."
        )
    return wanted


def _useful_extents(origin: Volume) -> int:
    """The extents for a change of every block of the origin: its size, 16 bytes for each 4 KiB, and a header."""
    return math.ceil(origin.bytes * (1 + 1 / 256) / origin.extent_bytes) + 1


def _mebibytes(size: int) -> str:
    return f"{size / 1024**2:.0f} MiB" if size >= 1024**2 else f"{size} bytes"
