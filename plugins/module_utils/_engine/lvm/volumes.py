# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The logical volumes of this host, as ``lvs`` reports them, and the volume of a path."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..system import mounts
from ..system.mounts import Mount
from . import programs
from .errors import SnapshotError

_FIELDS = (
    "vg_name,lv_name,lv_uuid,lv_size,origin,pool_lv,data_percent,metadata_percent,lv_attr,lv_tags,lv_dm_path,"
    "lv_snapshot_invalid,lv_kernel_major,lv_kernel_minor,vg_extent_size,vg_extent_count,vg_free_count"
)
_NAME = re.compile(r"^(?:/dev/)?([A-Za-z0-9+_.][A-Za-z0-9+_.-]*)/([A-Za-z0-9+_.][A-Za-z0-9+_.-]*)$")


@dataclass(frozen=True)
class Volume:
    """A logical volume. Sizes are bytes; `device` is its path below /dev/mapper, `number` its ``major:minor``."""

    group: str
    name: str
    uuid: str
    bytes: int
    origin: str
    pool: str
    data_percent: float | None
    metadata_percent: float | None
    attributes: str
    tags: tuple[str, ...]
    device: str
    number: str
    is_invalid: bool
    extent_bytes: int
    group_extents: int
    free_extents: int

    @property
    def full_name(self) -> str:
        """``group/name``, the form that programs of LVM take."""
        return f"{self.group}/{self.name}"

    @property
    def is_thin(self) -> bool:
        """Whether it is a volume of a thin pool."""
        return self.attributes[:1] == "V"

    @property
    def is_classic_snapshot(self) -> bool:
        """Whether it is a snapshot with extents of its own for the overwritten blocks of its origin."""
        return self.attributes[:1] in ("s", "S")

    @property
    def is_snapshot(self) -> bool:
        """Whether it is a snapshot of another volume."""
        return bool(self.origin)

    @property
    def can_be_origin(self) -> bool:
        """Whether a snapshot can be taken of it: not of a classic snapshot, a pool or a part of another volume."""
        return self.attributes[:1] in ("-", "o", "V", "C", "m", "M", "r", "R", "O")


def _volume(row: dict[str, Any]) -> Volume:
    def percent(name: str) -> float | None:
        return float(row[name]) if row[name] else None

    return Volume(
        group=row["vg_name"],
        name=row["lv_name"],
        uuid=row["lv_uuid"],
        bytes=int(row["lv_size"]),
        origin=row["origin"],
        pool=row["pool_lv"],
        data_percent=percent("data_percent"),
        metadata_percent=percent("metadata_percent"),
        attributes=row["lv_attr"],
        tags=tuple(tag for tag in row["lv_tags"].split(",") if tag),
        device=row["lv_dm_path"],
        number=f"{row['lv_kernel_major']}:{row['lv_kernel_minor']}",
        is_invalid=row["lv_snapshot_invalid"] == "1",
        extent_bytes=int(row["vg_extent_size"]),
        group_extents=int(row["vg_extent_count"]),
        free_extents=int(row["vg_free_count"]),
    )


def read_volumes(timeout_seconds: float, group: str | None = None) -> list[Volume]:
    """All logical volumes, or those of a group. Raises SnapshotError."""
    if os.geteuid() != 0:
        raise SnapshotError("Only root can list and change logical volumes; become root for this.")
    argv = ["lvs", "--reportformat", "json", "--units", "b", "--nosuffix", "--binary", "--options", _FIELDS]
    done = programs.run([*argv, *([group] if group else [])], timeout_seconds)
    try:
        if done.status != 0:
            raise SnapshotError(f"The logical volumes cannot be listed: {done.first_words}.")
        return [_volume(row) for part in json.loads(done.output)["report"] for row in part["lv"]]
    except (ValueError, KeyError) as problem:
        raise SnapshotError(f"The output of lvs is not valid ({problem}).") from None


def find_volume(name: str, timeout_seconds: float) -> Volume:
    """The volume with the name ``group/name`` or ``/dev/group/name``, or the path below /dev/mapper.

    Raises SnapshotError if there is none.
    """
    match = _NAME.match(name)
    if match is not None and not name.startswith("/dev/mapper/"):
        for volume in read_volumes(timeout_seconds):
            if (volume.group, volume.name) == match.groups():
                return volume
    elif name.startswith("/dev/"):
        for volume in read_volumes(timeout_seconds):
            if os.path.realpath(volume.device) == os.path.realpath(name):
                return volume
    else:
        raise SnapshotError(f"A volume is named as group/volume or by its path below /dev, not {name!r}.")
    raise SnapshotError(f"There is no logical volume {name} on this host.")


def volume_under(path: str, table: Sequence[Mount], timeout_seconds: float) -> tuple[Volume, Mount]:
    """The volume of a path, which is absolute and without links, and its mount.

    Raises SnapshotError if the path is not on a logical volume.
    """
    mount = mounts.mount_of(path, table)
    number = mounts.device_number(mount)
    if not _is_lvm(number):
        raise SnapshotError(
            f"{path} is on {mount.source} ({mount.kind}, mounted on {mount.point}), which is not a logical volume, so "
            "LVM cannot take a snapshot of it."
        )
    for volume in read_volumes(timeout_seconds):
        if volume.number == number:
            return volume, mount
    raise SnapshotError(f"LVM does not know the device {number} that {path} is on.")


def _is_lvm(number: str) -> bool:
    try:
        with open(f"/sys/dev/block/{number}/dm/uuid", encoding="ascii") as file:
            return file.read().startswith("LVM-")
    except OSError:
        return False
