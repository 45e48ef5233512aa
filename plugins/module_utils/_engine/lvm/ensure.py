# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Snapshots in their desired state: present, mounted or not, or absent."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..system import mounts
from ..system.undo import on_failure
from . import mounting, snapshots
from .errors import SnapshotError
from .ownership import MARK, set_tag, tags_for, value_of
from .volumes import Volume, find_volume, read_volumes, volume_under


@dataclass(frozen=True)
class Wanted:
    """The desired snapshot: its name, and its volume, by name or by a path on it."""

    name: str | None
    path: str | None = None
    volume: str | None = None
    #: The size of a classic snapshot; None lets a thin volume have a thin snapshot.
    size: str | None = None
    thin: bool | None = None
    mount_point: str | None = None
    writable: bool = False
    timeout_seconds: float = snapshots.DEFAULT_TIMEOUT_SECONDS
    #: Whether the name of the volume and a dash are put before `name`, so that one name suits several volumes.
    prefix_volume: bool = False
    #: The set of a new snapshot, for `rotated`.
    set_name: str | None = None
    #: Paths whose file systems are frozen around the snapshot; none of them may be on the volume.
    held_paths: Sequence[str] = ()

    def name_for(self, origin: Volume) -> str:
        """The name of the snapshot of a volume."""
        return f"{origin.name}-{self.name}" if self.prefix_volume else str(self.name)


def present(wanted: Wanted, check_mode: bool = False) -> dict[str, Any]:
    """Ensure that a snapshot exists, and is mounted if it has a mount point. Raises SnapshotError.

    The result has ``changed``, ``snapshot`` (None if check mode would make it) and ``diff``; for a new snapshot also
    ``taken_at``, its point in time in seconds since 1970.
    """
    if wanted.size is not None:
        snapshots.check_size(wanted.size)
    origin, mount, volumes = _origin(wanted)
    _check_not_held(origin, wanted)
    name = wanted.name_for(origin)
    there = _named(name, volumes)
    before = _state(there)
    if there is not None and (there.origin != origin.name or there.is_invalid):
        if MARK not in there.tags:
            raise SnapshotError(
                f"There is a volume {there.full_name} already, which is not a usable snapshot of {origin.full_name}. Choose "
                "another name, or remove it."
            )
        if not check_mode:
            snapshots.resume_origin_of(there, wanted.timeout_seconds)
            snapshots.remove_volume(there, wanted.timeout_seconds)
            volumes = read_volumes(wanted.timeout_seconds, origin.group)
            origin = next(one for one in volumes if one.uuid == origin.uuid)
        there = None
    point = os.path.abspath(wanted.mount_point) if wanted.mount_point else None
    if there is None:
        thin = wanted.thin if wanted.thin is not None else origin.is_thin and wanted.size is None
        extents = snapshots.plan_snapshot(origin, wanted.size or snapshots.DEFAULT_SIZE, thin, volumes)
        kind = _kind(origin, mount, wanted) if point else ""
        after = {"origin": origin.full_name, "thin": thin, "mount_point": point}
        if check_mode:
            return {"changed": True, "snapshot": None, "diff": {"before": before, "after": after}}
        os.sync()
        writable = wanted.writable or mounting.needs_writable_volume(kind)
        tags = tags_for("module", wanted.set_name or "")
        snapshots.create_snapshot(origin, name, extents, tags, writable, wanted.timeout_seconds)
        taken_at: float | None = time.time()
        with on_failure(lambda: snapshots.undo(origin, name, tags, wanted.timeout_seconds)):
            there = snapshots.find_snapshot(origin, name, tags, wanted.timeout_seconds)
            if point:
                mounting.mount_volume(there, point, kind, wanted.writable, wanted.timeout_seconds)
        changed = True
    else:
        taken_at = None
        mounted = [one.point for one in mounting.where_mounted(there)]
        changed = point is not None and point not in mounted
        after = {**before, "mount_point": point} if changed else before
        if changed and point and not check_mode:
            kind = _kind(origin, mount, wanted)
            mounting.mount_volume(there, point, kind, wanted.writable, wanted.timeout_seconds)
    return {
        "changed": changed,
        "snapshot": _described(there, origin, wanted, mount),
        "taken_at": taken_at,
        "diff": {"before": before, "after": after},
    }


def absent(wanted: Wanted, check_mode: bool = False) -> dict[str, Any]:
    """Ensure that a snapshot does not exist. Raises SnapshotError."""
    origin, _mount, volumes = _origin(wanted)
    there = _named(wanted.name_for(origin), volumes)
    before = _state(there)
    if there is None:
        return {"changed": False, "snapshot": None, "diff": {"before": before, "after": {}}}
    if not there.is_snapshot and MARK not in there.tags:
        raise SnapshotError(f"{there.full_name} is not a snapshot, so it was not removed.")
    if there.is_snapshot and there.origin != origin.name:
        raise SnapshotError(
            f"{there.full_name} is a snapshot of {there.group}/{there.origin}, not of {origin.full_name}."
        )
    if not check_mode:
        snapshots.resume_origin_of(there, wanted.timeout_seconds)
        snapshots.remove_volume(there, wanted.timeout_seconds)
    return {"changed": True, "snapshot": None, "diff": {"before": before, "after": {}}}


def rotated(wanted: Wanted, keep: int, check_mode: bool = False) -> dict[str, Any]:
    """Remove the oldest snapshots of a set, until `keep` are left of this volume. Raises SnapshotError.

    Snapshots of other sets are ignored.
    """
    origin, _mount, volumes = _origin(wanted)
    tag = set_tag(wanted.set_name or "")
    of_set = [one for one in volumes if one.origin == origin.name and MARK in one.tags and tag in one.tags]
    of_set.sort(key=lambda one: (int(value_of(one.tags, "moment") or 0), one.name), reverse=True)
    before = [one.full_name for one in of_set]
    if not check_mode:
        for one in of_set[keep:]:
            snapshots.remove_volume(one, wanted.timeout_seconds)
    return {
        "changed": len(before) > keep,
        "removed": before[keep:],
        "diff": {"before": {"snapshots": before}, "after": {"snapshots": before[:keep]}},
    }


def without_leftovers(timeout_seconds: float, check_mode: bool = False) -> dict[str, Any]:
    """Remove the leftovers of killed backups on this host. Raises SnapshotError if one cannot be removed."""
    found = snapshots.leftovers(timeout_seconds=timeout_seconds)
    problems: list[str] = []
    if not check_mode:
        snapshots.collect(found, timeout_seconds, problems.append)
    if problems:
        raise SnapshotError(" ".join(problems))
    names = [volume.full_name for volume in found]
    return {
        "changed": bool(names),
        "removed": names,
        "diff": {"before": {"leftovers": names}, "after": {"leftovers": []}},
    }


def _origin(wanted: Wanted) -> tuple[Volume, mounts.Mount | None, list[Volume]]:
    table = mounts.read_mounts()
    if wanted.path is not None:
        real = os.path.realpath(wanted.path)
        if not os.path.lexists(real):
            raise SnapshotError(f"There is no {wanted.path}.")
        origin, mount = volume_under(real, table, wanted.timeout_seconds)
        found: mounts.Mount | None = mount
    else:
        origin = find_volume(str(wanted.volume), wanted.timeout_seconds)
        found = next(iter(mounting.where_mounted(origin)), None)
    return origin, found, read_volumes(wanted.timeout_seconds, origin.group)


def _check_not_held(origin: Volume, wanted: Wanted) -> None:
    table = mounts.read_mounts()
    for path in wanted.held_paths:
        if mounts.device_number(mounts.mount_of(os.path.realpath(path), table)) == origin.number:
            raise SnapshotError(
                f"{path} is on {origin.full_name}, and LVM cannot take a snapshot of a frozen file system: it "
                "freezes the file system by itself. Hold applications only; nothing was done."
            )


def _named(name: str, volumes: list[Volume]) -> Volume | None:
    return next((volume for volume in volumes if volume.name == name), None)


def _kind(origin: Volume, mount: mounts.Mount | None, wanted: Wanted) -> str:
    return mount.kind if mount is not None else mounting.kind_of(origin, wanted.timeout_seconds)


def _state(volume: Volume | None) -> dict[str, Any]:
    if volume is None:
        return {}
    mounted = mounting.where_mounted(volume)
    return {
        "origin": f"{volume.group}/{volume.origin}" if volume.origin else None,
        "thin": volume.is_thin,
        "mount_point": mounted[0].point if mounted else None,
    }


def _described(volume: Volume, origin: Volume, wanted: Wanted, mount: mounts.Mount | None) -> dict[str, Any]:
    mounted = mounting.where_mounted(volume)
    point = path = None
    if mounted:
        asked = [one.point for one in mounted if one.point == wanted.mount_point]
        point = asked[0] if asked else mounted[0].point
    if point is not None and wanted.path is not None and mount is not None:
        inside = os.path.relpath(os.path.realpath(wanted.path), mount.point)
        path = os.path.normpath(os.path.join(point, mount.root.lstrip("/"), inside))
    moment = value_of(volume.tags, "moment")
    return {
        "name": volume.name,
        "group": volume.group,
        "origin": origin.full_name,
        "device": volume.device,
        "thin": volume.is_thin,
        "size_bytes": volume.bytes,
        "used_percent": volume.data_percent,
        "moment": int(moment) if moment.isdigit() else None,
        "mount_point": point,
        "path": path,
    }
