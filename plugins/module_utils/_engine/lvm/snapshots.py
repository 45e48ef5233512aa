# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Make and remove snapshots of LVM.

LVM freezes the file system of a mounted volume itself while it makes the snapshot. If it is frozen already, ``lvcreate``
fails and leaves an incomplete snapshot. So nothing here freezes anything, and incomplete snapshots are removed.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Sequence

from ..system.undo import on_failure
from . import mounting, programs
from .errors import SnapshotError
from .ownership import MARK, is_leftover, set_tag
from .volumes import Volume, read_volumes

DEFAULT_SIZE = "1G"
DEFAULT_TIMEOUT_SECONDS = 60.0

#: No snapshot is made in a pool that is fuller than this (percent): a full pool stops all of its volumes.
_FULL_POOL = 95.0
_PAUSE_SECONDS = 0.25

#: Sizes: ``512M``, ``1G``, ``20%ORIGIN``, ``50%FREE``, ``10%VG``.
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


def plan_snapshot(origin: Volume, size: str, thin: bool, volumes: Sequence[Volume]) -> int:
    """The extents of a snapshot, 0 for a thin one, which takes space as it needs it. Changes nothing.

    Raises SnapshotError, with the numbers, if it cannot be made.
    """
    if not origin.can_be_origin:
        raise SnapshotError(
            f"No snapshot can be taken of {origin.full_name}: it is a snapshot, a pool or a part of another volume."
        )
    if not thin:
        return extents_of(size, origin)
    if not origin.is_thin:
        raise SnapshotError(f"{origin.full_name} is not a thin volume, so its snapshot cannot be thin.")
    for pool in volumes:
        if (pool.group, pool.name) == (origin.group, origin.pool):
            for what, percent in (("data", pool.data_percent), ("metadata", pool.metadata_percent)):
                if percent is not None and percent > _FULL_POOL:
                    raise SnapshotError(
                        f"The {what} space of the thin pool {pool.full_name} is {percent:g}% full, and a snapshot is made "
                        f"up to {_FULL_POOL:g}% only: a full pool stops {origin.full_name} as well. Extend the pool."
                    )
    return 0


def create_snapshot(
    origin: Volume,
    name: str,
    extents: int,
    tags: Sequence[str],
    writable: bool = False,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
) -> None:
    """Make a snapshot; with 0 extents a thin one. If all is well, ``lvcreate`` is the only program that runs.

    If it fails, an incomplete snapshot is removed. Raises SnapshotError.
    """
    argv = ["lvcreate", "--yes", "--snapshot", "--name", name, "--permission", "rw" if writable else "r"]
    argv += ["--extents", str(extents)] if extents else ["--setactivationskip", "n"]
    for tag in tags:
        argv += ["--addtag", tag]
    with on_failure(lambda: undo(origin, name, tags, timeout_seconds)):
        done = programs.run([*argv, origin.full_name], timeout_seconds)
        if done.status != 0:
            raise SnapshotError(
                f"No snapshot of {origin.full_name} could be made: {done.first_words}.{_hint(done.said)}"
            )


def _hint(said: str) -> str:
    if "suspend" in said and "busy" in said:
        return " Its file system is frozen; thaw it first, LVM freezes it by itself."
    if "already exists" in said:
        return " Choose another name, or remove the volume with this one."
    return ""


def find_snapshot(
    origin: Volume, name: str, tags: Sequence[str], timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
) -> Volume:
    """The snapshot that was just made. Raises SnapshotError if it does not exist."""
    for volume in _ours(origin, name, tags, timeout_seconds):
        if volume.is_snapshot:
            return volume
    raise SnapshotError(f"The snapshot {origin.group}/{name} does not exist although lvcreate made it.")


def _ours(origin: Volume, name: str, tags: Sequence[str], timeout_seconds: float) -> list[Volume]:
    volumes = read_volumes(timeout_seconds, origin.group)
    return [volume for volume in volumes if volume.name == name and set(tags) <= set(volume.tags)]


def undo(origin: Volume, name: str, tags: Sequence[str], timeout_seconds: float) -> None:
    """Remove a snapshot that may be whole, incomplete, or missing.

    Raises nothing, because the caller reports the error that led here. The next run finds a leftover by its tags.
    """
    try:
        resume(origin, timeout_seconds)
        remove_ours(origin, name, tags, timeout_seconds)
    except SnapshotError:
        pass


def remove_ours(
    origin: Volume, name: str, tags: Sequence[str], timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
) -> None:
    """Remove the snapshot with this name if it is the one that was made with these tags. Raises SnapshotError."""
    for volume in _ours(origin, name, tags, timeout_seconds):
        remove_volume(volume, timeout_seconds)


def resume(origin: Volume, timeout_seconds: float) -> None:
    """Resume a volume that a killed lvcreate has left suspended; does nothing to other volumes."""
    for device in (origin.device, f"{origin.device}-real"):
        shown = programs.run(["dmsetup", "info", "-c", "--noheadings", "-o", "suspended", device], timeout_seconds)
        if shown.output.strip() == "Suspended":
            programs.run(["dmsetup", "resume", device], timeout_seconds)


def remove_volume(volume: Volume, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> None:
    """Unmount a snapshot everywhere, and remove it, as soon as it is not in use.

    Raises SnapshotError if it is still in use after the timeout.
    """
    end = time.monotonic() + timeout_seconds
    while True:
        problem = mounting.unmount_volume(volume, timeout_seconds)
        if problem is None:
            # One at a time: LVM confuses two snapshots that are removed together if one of them is incomplete.
            done = programs.run(["lvremove", "--yes", volume.full_name], timeout_seconds)
            gone = done.status == 0 or "Failed to find logical volume" in done.said
            if gone:
                return
            problem = done.first_words
        if time.monotonic() >= end:
            raise SnapshotError(f"The snapshot {volume.full_name} could not be removed: {problem}.")
        time.sleep(_PAUSE_SECONDS)


def check_whole(volume: Volume) -> Volume:
    """A snapshot as it is now, with its used space. Raises SnapshotError if it has overflowed."""
    volumes = read_volumes(DEFAULT_TIMEOUT_SECONDS, volume.group)
    now = next((one for one in volumes if one.uuid == volume.uuid), None)
    if now is None:
        raise SnapshotError(f"The snapshot {volume.full_name} was removed by another program.")
    if now.is_invalid or (now.is_classic_snapshot and (now.data_percent or 0) >= 100):
        raise SnapshotError(
            f"The snapshot {volume.full_name} ran out of space ({volume.bytes // 1024**2} MiB) while it was read, so it is "
            "incomplete. Choose a larger lvm_snapsize."
        )
    pool = next((one for one in volumes if now.is_thin and one.name == now.pool), None)
    if pool is not None and max(pool.data_percent or 0, pool.metadata_percent or 0) >= 100:
        raise SnapshotError(f"The thin pool {pool.full_name} ran out of space while the snapshot was read. Extend it.")
    return now


def leftovers(of_set: str | None = None, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> list[Volume]:
    """The snapshots of backups whose process has ended: all of them, or those of a set."""
    found = [volume for volume in read_volumes(timeout_seconds) if is_leftover(volume.tags)]
    return [volume for volume in found if of_set is None or set_tag(of_set) in volume.tags]


def collect(found: Sequence[Volume], timeout_seconds: float, tell: Callable[[str], None]) -> list[Volume]:
    """Remove leftovers, and return those that were removed. `tell` gets a sentence for each other one."""
    removed = []
    points = mounting.mount_points()
    for volume in found:
        try:
            resume_origin_of(volume, timeout_seconds)
            remove_volume(volume, timeout_seconds)
            removed.append(volume)
        except SnapshotError as problem:
            tell(str(problem))
    if points:
        mounting.remove_points(points, read_volumes(timeout_seconds))
    return removed


def resume_origin_of(snapshot: Volume, timeout_seconds: float) -> None:
    """Resume the origin of a leftover. An incomplete one does not name it: then all volumes of the group are checked."""
    for volume in read_volumes(timeout_seconds, snapshot.group):
        if volume.uuid != snapshot.uuid and snapshot.origin in ("", volume.name) and MARK not in volume.tags:
            resume(volume, timeout_seconds)
