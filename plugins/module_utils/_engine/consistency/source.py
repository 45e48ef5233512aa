# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The consistent source of a backup: quiesce the application, take a snapshot, release, read the snapshot, remove it.

The application is quiesced only while the snapshot is made. LVM freezes the file system during that time by itself.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from ..action.options import OptionError, Options
from ..archive.tar import Source
from ..lvm import mounting, ownership, snapshots
from ..lvm.errors import SnapshotError
from ..lvm.volumes import Volume, find_volume, read_volumes, volume_under
from ..quiesce import hold as quiesce
from ..system import mounts
from ..system.file_names import shown
from . import databases
from .live import Live, ReadSource, protect

_TIMEOUT_SECONDS = snapshots.DEFAULT_TIMEOUT_SECONDS


@dataclass
class _SnapshotSource(ReadSource):
    """A source in a snapshot, which is this volume as soon as it is made."""

    volume: Volume | None = None

    def confirm(self) -> dict[str, Any]:
        """Raises SnapshotError if the snapshot is incomplete."""
        if self.volume is not None and self.snapshot is not None:
            self.snapshot["used_percent"] = snapshots.check_whole(self.volume).data_percent
        return super().confirm()


@dataclass(frozen=True)
class Plan:
    """A snapshot that can be made, and the path of the source in it."""

    origin: Volume
    name: str
    extents: int
    kind: str
    point: str | None
    #: The folder to read, relative to where the snapshot is mounted.
    inside: str
    left_out: list[dict[str, str]]


def leftover_snapshots(dry_run: bool) -> list[tuple[str, int]]:
    """Remove the snapshots that killed backups of this host have left; their devices and sizes in bytes.

    A dry run removes none. Without LVM, or without the right to list volumes, there are none.
    """
    try:
        found = snapshots.leftovers()
        gone = found if dry_run else snapshots.collect(found, _TIMEOUT_SECONDS, lambda _problem: None)
    except SnapshotError:
        return []
    return [(volume.device, 0 if volume.is_thin else volume.bytes) for volume in gone]


def _plan_snapshot(options: Options, source: Source, of_set: str) -> Plan:
    """The snapshot that the source would be read from. Changes nothing. Raises OptionError or SnapshotError if it cannot be."""
    if options.lvm_snapsize is not None:
        snapshots.check_size(options.lvm_snapsize)
    if source.dereference in ("soft", "all"):
        raise OptionError(
            "dereference_symlink cannot be combined with snapshot: links may lead out of the snapshot to live files. "
            "Remove one of the two."
        )
    single = os.path.join(source.folder, source.single_file or "")
    if source.single_file is not None and os.path.islink(single):
        raise OptionError(f"{shown(single)} is a symbolic link; for a snapshot name the file that it leads to.")
    table = mounts.read_mounts()
    real = os.path.realpath(source.folder)
    origin, mount = _find(options, real, table)
    databases.targets(options)
    databases.check_is_in_one_place(options.mode, real)
    volumes = read_volumes(_TIMEOUT_SECONDS, origin.group)
    name = options.lvm_snapname or f"freezer_backup_snap_{uuid.uuid4().hex[:12]}"
    for volume in volumes:
        is_left = ownership.is_leftover(volume.tags) and ownership.set_tag(of_set) in volume.tags
        if volume.name == name and not is_left:
            raise SnapshotError(
                f"There is a volume {volume.full_name} already, which no backup of this name has left. "
                "Remove it, or choose another lvm_snapname."
            )
    return Plan(
        origin=origin,
        name=name,
        extents=snapshots.plan_snapshot(
            origin, options.lvm_snapsize or snapshots.DEFAULT_SIZE, origin.is_thin, volumes
        ),
        kind=mount.kind,
        point=os.path.abspath(options.lvm_dirmount) if options.lvm_dirmount else None,
        inside=os.path.join(mount.root.lstrip("/"), os.path.relpath(real, mount.point)),
        left_out=_left_out(source, table),
    )


def _find(options: Options, real: str, table: list[mounts.Mount]) -> tuple[Volume, mounts.Mount]:
    """The volume that the folder `real` is on, and its mount. Raises OptionError if the options name another one."""
    origin, mount = volume_under(real, table, _TIMEOUT_SECONDS)
    if options.lvm_srcvol and _named_volume(options).uuid != origin.uuid:
        raise OptionError(f"{shown(real)} is on the volume {origin.full_name}, not on {options.lvm_srcvol}.")
    if options.lvm_volgroup and options.lvm_volgroup != origin.group:
        raise OptionError(f"{shown(real)} is in the volume group {origin.group}, not in {options.lvm_volgroup}.")
    if options.lvm_auto_snap not in (None, "", "true"):
        other, _mount = volume_under(os.path.realpath(str(options.lvm_auto_snap)), table, _TIMEOUT_SECONDS)
        if other.uuid != origin.uuid:
            raise OptionError(
                f"{shown(real)} is on the volume {origin.full_name}, and lvm_auto_snap on {other.full_name}."
            )
    return origin, mount


def _named_volume(options: Options) -> Volume:
    name = str(options.lvm_srcvol)
    if options.lvm_volgroup and "/" not in name:
        name = f"{options.lvm_volgroup}/{name}"
    return find_volume(name, _TIMEOUT_SECONDS)


def _left_out(source: Source, table: list[mounts.Mount]) -> list[dict[str, str]]:
    if source.single_file is not None:
        return []
    real = os.path.realpath(source.folder)
    points = mounts.mounted_below(real, table)
    if points and not source.one_file_system:
        raise OptionError(
            f"{shown(points[0])} is another file system, which a snapshot does not hold. Back it up on its own, and set "
            "one_file_system."
        )
    message = "directory is on a different filesystem; not in the snapshot"
    return [
        {"path": shown(f"./{os.path.relpath(point, real)}"), "kind": "other_file_system", "message": message}
        for point in points
    ]


def _take(options: Options, plan: Plan, tags: list[str], read: ReadSource, stack: ExitStack) -> float:
    """Make the snapshot, and do nothing else, because an application may be quiesced. The stack removes it.

    Returns the duration in seconds.
    """
    writable = options.lvm_snapperm == "rw" or mounting.needs_writable_volume(plan.kind)
    stack.callback(_remove, plan, tags, read.problems)
    read.moment_ns = time.time_ns()
    began = time.monotonic()
    snapshots.create_snapshot(plan.origin, plan.name, plan.extents, tags, writable)
    return time.monotonic() - began


def _remove(plan: Plan, tags: list[str], problems: list[str]) -> None:
    try:
        snapshots.remove_ours(plan.origin, plan.name, tags)
    except SnapshotError as problem:
        problems.append(f"{problem} The next backup of this name tries again.")


class Consistent(Live):
    """Reads a snapshot if the action asks for one, else the live source."""

    def home_path(self, options: Options, path: str) -> str:
        """Upstream's older documents name the volume, and as the path the one in the mounted snapshot. Raises SnapshotError."""
        if not (options.lvm_srcvol and options.lvm_dirmount):
            return path
        point = os.path.abspath(options.lvm_dirmount)
        if not mounts.is_below(path, point):
            return path
        volume = _named_volume(options)
        for mount in reversed(mounts.read_mounts()):
            if mounts.device_number(mount) == volume.number and mount.root == "/":
                return os.path.normpath(os.path.join(mount.point, os.path.relpath(path, point)))
        raise SnapshotError(
            f"The volume {volume.full_name} is mounted nowhere, so no snapshot of its file system is taken."
        )

    def excluded(self, options: Options) -> list[str]:
        """The files that mark a database as running."""
        return databases.left_out(options)

    def check(self, options: Options, source: Source, of_set: str) -> None:
        """Raises OptionError or SnapshotError."""
        if options.wants_snapshot:
            _plan_snapshot(options, source, of_set)
        else:
            super().check(options, source, of_set)

    @contextmanager
    def read(self, options: Options, source: Source, of_set: str) -> Iterator[ReadSource]:
        """The source at one point in time, for as long as the body runs.

        The snapshot is removed at the end, also after an error; if that fails, ``problems`` has a sentence, and the next
        backup of the set tries again. Raises OptionError, SnapshotError or QuiesceError before the body, and leaves nothing
        behind.
        """
        if not options.wants_snapshot:
            with super().read(options, source, of_set) as live:
                yield live
            return
        problems: list[str] = []
        snapshots.collect(snapshots.leftovers(of_set), _TIMEOUT_SECONDS, problems.append)
        plan = _plan_snapshot(options, source, of_set)
        os.sync()  # shortens the time of the snapshot, for which everything is quiesced
        with ExitStack() as stack:
            read = _SnapshotSource(source, "fs", problems=problems, left_out=plan.left_out)
            tags = ownership.tags_for("backup", of_set)
            targets = databases.targets(options)
            if targets:
                with quiesce.held(targets, deadline_seconds=options.deadline_seconds) as hold:
                    seconds = _take(options, plan, tags, read, stack)
                read.consistency = hold.consistency
                read.hold = {"held_seconds": hold.held_seconds, "targets": hold.targets}
            else:
                seconds = _take(options, plan, tags, read, stack)
            volume = read.volume = snapshots.find_snapshot(plan.origin, plan.name, tags)
            read.snapshot = {
                "kind": "lvm",
                "volume": plan.origin.full_name,
                "name": volume.name,
                "file_system": plan.kind,
                "thin": volume.is_thin,
                "bytes": volume.bytes,
                "create_seconds": round(seconds, 3),
                "moment": round((read.moment_ns or 0) / 1e9, 3),
            }
            point = plan.point or mounting.default_point(volume)
            mounting.mount_volume(volume, point, plan.kind, options.lvm_snapperm == "rw", _TIMEOUT_SECONDS)
            inside = replace(source, folder=os.path.normpath(os.path.join(point, plan.inside)))
            read.source, read.protection = protect(inside, stack)
            if read.protection.link is not None:
                raise SnapshotError(
                    f"{read.protection.link} became a symbolic link while the snapshot was made, so it was not read."
                )
            yield read
