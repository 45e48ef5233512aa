# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Mount a snapshot beside the file system that it was taken of, and unmount it."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..system import mounts
from ..system.errors import HostError
from ..system.mounts import Mount
from ..system.undo import on_failure
from . import programs
from .errors import SnapshotError
from .volumes import Volume

#: The folder of default mount points; a boot removes it together with the mounts.
FOLDER = "/run/freezer-backup/snapshots"

# The journal of ext3 and ext4 is empty after LVM's freeze, and could not be replayed into a read-only volume; XFS
# refuses a second file system of the same UUID, and writes to its log to recover.
_READ_ONLY = {
    "ext3": ["noload"],
    "ext4": ["noload"],
    "xfs": ["nouuid", "norecovery"],
    "btrfs": ["subvolid=5"],
}
_WRITABLE = {"xfs": ["nouuid"], "btrfs": ["subvolid=5"]}


def needs_writable_volume(kind: str) -> bool:
    """Whether a snapshot of this kind has to be changed before it can be mounted beside its origin."""
    return kind == "btrfs"


def kind_of(volume: Volume, timeout_seconds: float) -> str:
    """The kind of the file system on a volume that need not be mounted. Raises SnapshotError if there is none."""
    done = programs.run(["blkid", "-o", "value", "-s", "TYPE", volume.device], timeout_seconds)
    kind = done.output.strip()
    if not kind:
        raise SnapshotError(f"There is no known file system on {volume.full_name}, so its snapshot cannot be mounted.")
    return kind


def mount_volume(volume: Volume, point: str, kind: str, writable: bool, timeout_seconds: float) -> None:
    """Mount a snapshot on a folder, which is made if it is missing. Raises SnapshotError."""
    _make_point(point)
    with on_failure(lambda: _remove_point(point)):
        if kind == "btrfs":
            # btrfs does not mount two file systems with one UUID.
            done = programs.run(["btrfstune", "-f", "-m", volume.device], timeout_seconds)
            if done.status != 0:
                raise SnapshotError(
                    f"The snapshot {volume.full_name} cannot get a UUID of its own: {done.first_words}."
                )
        options = ["rw", *_WRITABLE.get(kind, [])] if writable else ["ro", *_READ_ONLY.get(kind, [])]
        argv = ["mount", "-t", kind, "-o", ",".join([*options, "nosuid", "nodev"]), volume.device, point]
        done = programs.run(argv, timeout_seconds)
        if done.status != 0:
            raise SnapshotError(f"The snapshot {volume.full_name} cannot be mounted on {point}: {done.first_words}.")


def _make_point(point: str) -> None:
    try:
        # Every folder on the way gets this mode too: the holder refuses a folder that others can enter.
        for folder in (os.path.dirname(FOLDER), FOLDER) if mounts.is_below(point, FOLDER) else ():
            os.makedirs(folder, mode=0o700, exist_ok=True)
        os.makedirs(point, mode=0o700, exist_ok=True)
        if os.listdir(point):
            raise SnapshotError(f"A snapshot cannot be mounted on {point}: the folder is not empty.")
    except OSError as problem:
        raise SnapshotError(f"A snapshot cannot be mounted on {point}: {problem.strerror}.") from None


def where_mounted(volume: Volume) -> list[Mount]:
    """The mounts of a volume, the last one first."""
    found = []
    for mount in reversed(mounts.read_mounts()):
        try:
            if mounts.device_number(mount) == volume.number:
                found.append(mount)
        except HostError:
            pass  # the device of another mount has been removed
    return found


def unmount_volume(volume: Volume, timeout_seconds: float) -> str | None:
    """Unmount a volume everywhere. Returns None, or the reason if it is still mounted."""
    if volume.number.startswith("-"):
        return None
    for mount in where_mounted(volume):
        done = programs.run(["umount", "--", mount.point], timeout_seconds)
        if done.status != 0:
            return done.first_words
        _remove_point(mount.point)
    return None


def default_point(volume: Volume) -> str:
    """The mount point of a snapshot if none is given."""
    return os.path.join(FOLDER, f"{volume.group}.{volume.name}")


def mount_points() -> list[str]:
    """The existing default mount points, with and without a mount on them."""
    try:
        return [os.path.join(FOLDER, name) for name in os.listdir(FOLDER)]
    except OSError:
        return []


def remove_points(points: Sequence[str], volumes: Sequence[Volume]) -> None:
    """Remove the mount points whose snapshot does not exist. `volumes` were read after `points`."""
    kept = {default_point(volume) for volume in volumes} | {mount.point for mount in mounts.read_mounts()}
    for point in points:
        if point not in kept:
            _remove_folder(point)


def _remove_point(point: str) -> None:
    """Remove a mount point if it is a default one."""
    if mounts.is_below(point, FOLDER):
        _remove_folder(point)


def _remove_folder(point: str) -> None:
    try:
        os.rmdir(point)
    except OSError:
        pass  # not empty, or removed by another run
