# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Volumes in the backup store of Cinder itself: full ones, and increments that Cinder builds on its newest one."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from ...action.options import Options
from ...openstack.block_storage.volume_copies import VolumeSnapshotOptions
from ...openstack.block_storage.volume_images import remove_those
from ...openstack.block_storage.volume_restore import VolumeRestore
from ...openstack.block_storage.volumes import VolumeSnapshots
from ...openstack.errors import CloudError
from ...openstack.listing import snapshots_of_volumes
from ...openstack.resources import Resource
from ...progress import Progress
from ...repository.backup_set import set_folder
from ...repository.errors import ArchiveError, DamagedArchive
from ...repository.ids import is_beginning, only_one
from ...repository.levels import LevelPlan, LevelPolicy, plan_level
from . import results
from .locations import backup_name, resource_id, workplace
from .native_set import NativeBackup, NativeManifest, NativeSet
from .proving import hash_now, hash_of_volume
from .quiesced import taken_while_held
from .source import Workplace

_STORAGE = "cinder"


def native_set(options: Options, name: str | None) -> NativeSet:
    """The backups of the volume of an action. Raises RestError."""
    return NativeSet(workplace(options), resource_id(options), name)


def backup(options: Options, progress: Progress, dry_run: bool) -> dict[str, Any]:
    """Let Cinder make a backup, full or incremental, and wait until it is whole. Raises FreezerError."""
    work = workplace(options)
    volume = work.volumes.one(options.cindernative_vol_id, None, "volume")
    name = backup_name(options, volume["id"])
    set_folder(options.host, name)  # the same names as for files
    kept = NativeSet(work, volume["id"], name)
    known = kept.whole()
    started = time.time()
    if options.min_age is not None and known and abs(started - known[0].manifest.began) < options.min_age:
        reason = f"the newest backup is younger than min_age ({options.min_age:g} seconds)"
        return {**_described(known[0].manifest, volume), "changed": False, "outcome": "unchanged", "reason": reason}
    plan = _level(options, kept, known, started)
    about = {
        **results.about(options, volume, name),
        "level": plan.level,
        "reason": plan.reason,
        "parent_backup_id": plan.parent.backup_id if plan.parent else None,
        "changed": True,
    }
    if dry_run:
        consistency = "crash" if volume["status"] == "in-use" else "fs"
        return {**about, "consistency": consistency, "outcome": "planned"}
    progress.begin("backup")
    try:
        made, hold = _make(work, volume, name, plan, started)
    finally:
        progress.end()
    return _done(work, volume, about, made, hold, started)


def _level(options: Options, kept: NativeSet, known: list[NativeBackup], now: float) -> LevelPlan[NativeManifest]:
    policy = LevelPolicy(options.max_level, None, options.restart_always_level, options.no_incremental)
    chain: list[NativeManifest] = []
    for one in known:
        chain.insert(0, one.manifest)
        if one.manifest.level == 0:
            break
    else:
        chain = []
    plan = plan_level(policy, chain, now)
    if plan.parent is not None:
        newest = kept.newest_of_volume()
        if newest is None or newest["id"] != plan.parent.backup_id:
            reason = "the newest backup, on which Cinder would build, is none of this name, or not alone in its second"
            return LevelPlan(0, None, reason)
    return plan


def _make(
    work: Workplace, volume: Resource, name: str, plan: LevelPlan[NativeManifest], started: float
) -> tuple[Resource, dict[str, Any] | None]:
    options = work.options

    def snapshots(**more: object) -> VolumeSnapshots:
        given: dict[str, object] = {
            "incremental": False,
            "backup_level": "full" if plan.parent is None else "incremental",
            "container": options.cindernative_backup_container,
            "backup_set": name,
            "metadata": {"freezer_hostname": options.host},
            "timeout_seconds": work.timeout_seconds,
            **more,
        }
        # Two backups of one second, which small volumes take, must not be taken for one.
        called = f"{name}-{round(started * 1e9)}"
        return VolumeSnapshots(work.cloud, VolumeSnapshotOptions(called, **given))  # type: ignore[arg-type]

    volume_id = volume["id"]
    work.quietly("A snapshot of an earlier run", lambda: _remove_held(work, volume_id, name))
    try:
        hold = taken_while_held(
            options,
            lambda held_as: snapshots(wait_for="taken", held={volume_id: held_as}).present([volume_id]),
        )
        made: Resource = snapshots().present([volume_id])["snapshots"][0]
    except BaseException:
        work.quietly("The snapshot that was held for", lambda: _remove_held(work, volume_id, name))
        raise
    return made, hold


def _remove_held(work: Workplace, volume_id: str, name: str) -> None:
    """Remove the snapshots that were taken while something was held, and that no backup was made of."""
    snapshots = snapshots_of_volumes(work.cloud)
    title = re.compile(rf"volume-{re.escape(volume_id)}-{re.escape(name)}-[0-9]+-backup-held")

    def is_meant(one: Resource) -> bool:
        return one["volume_id"] == volume_id and title.fullmatch(one["name"] or "") is not None

    remove_those(
        snapshots, "snapshot", is_meant, work.cleaning_clock(), f"the snapshots of {volume_id} that were held for"
    )


def _described(manifest: NativeManifest, volume: Resource | None) -> dict[str, Any]:
    return {
        "hostname": manifest.hostname,
        "backup_name": manifest.backup_name,
        "backup_media": "cindernative",
        "path_to_backup": f"cindernative:{manifest.volume_id}",
        "resource_id": manifest.volume_id,
        "resource_name": (volume or {}).get("name") or "",
        "backup_id": manifest.backup_id,
        "level": manifest.level,
        "timestamp": manifest.timestamp,
        "consistency": manifest.consistency,
        "size_gib": manifest.size_gib,
    }


def _done(
    work: Workplace,
    volume: Resource,
    about: dict[str, Any],
    made: Resource,
    hold: dict[str, Any] | None,
    started: float,
) -> dict[str, Any]:
    found = next(
        (
            one
            for one in NativeSet(work, volume["id"], about["backup_name"]).whole()
            if one.resource["id"] == made["backup_id"]
        ),
        None,
    )
    if found is None:
        raise CloudError(f"The backup {made['backup_id']} has gone since it was made.")
    manifest = found.manifest
    ended = time.time()
    held = results.held_seconds(hold)
    size = manifest.stored_bytes
    metadata = {
        **results.record(work.options, manifest.backup_name, "cindernative", volume["id"], volume.get("name") or ""),
        "backup_id": manifest.backup_id,
        "storage": _STORAGE,
        "container": manifest.container,
        "time_stamp": manifest.timestamp,
        "level": manifest.level,
        "curr_backup_level": manifest.level,
        "max_level": work.options.max_level,
        "backup_size_uncompressed": results.mebibytes(size),
        "source_bytes": size,
        "size_gib": manifest.size_gib,
        "object_count": found.resource.get("object_count"),
        "outcome": "success",
        "consistency": manifest.consistency,
        "held_seconds": held,
        "parent_backup_id": about["parent_backup_id"],
        "duration_seconds": round(ended - started, 3),
        "time_started": int(started),
        "time_ended": int(ended),
    }
    place = {"storage": _STORAGE, "container": manifest.container, "folder": manifest.backup_id, "outcome": "success"}
    return {
        **about,
        **_described(manifest, volume),
        "outcome": "success",
        "storages": [place],
        "disks": [],
        "source_bytes": size,
        "stored_bytes": size,
        "object_count": found.resource.get("object_count"),
        "held_seconds": held,
        "problems": work.problems,
        "duration_seconds": round(ended - started, 3),
        "metadata": {key: value for key, value in metadata.items() if value is not None},
    }


def listed(one: NativeBackup) -> dict[str, Any]:
    """One backup as a line of a list."""
    manifest = one.manifest
    return {
        **_described(manifest, None),
        "outcome": "success",
        "source_bytes": manifest.stored_bytes,
        "stored_bytes": manifest.stored_bytes,
        "compression": "none",
        "parent_backup_id": manifest.parent.folder if manifest.parent else None,
        "storage": _STORAGE,
        "container": manifest.container,
        "folder": manifest.backup_id,
    }


def _choose(options: Options) -> tuple[NativeSet, list[NativeBackup]]:
    """The backup that an action means and what it is built on, the full one first. Raises ArchiveError."""
    kept = native_set(options, options.backup_name)
    wanted_id = options.cindernative_backup_id or options.backup_id
    kept.foreign = wanted_id is not None
    known = kept.whole()
    limit = options.restore_from_date
    fitting = [
        one
        for one in known
        if (wanted_id in (None, one.manifest.backup_id)) and (limit is None or one.manifest.timestamp <= limit)
    ]
    if not fitting and wanted_id is not None:
        meant = only_one(wanted_id, [one for one in known if is_beginning(wanted_id, one.manifest.backup_id)])
        fitting = [] if meant is None else [meant]
    if not fitting:
        wanted = f"with the id {wanted_id!r} " if wanted_id else "that is old enough " if limit else ""
        named = f" named {options.backup_name!r}" if options.backup_name else ""
        raise ArchiveError(f"There is no backup {wanted}of the volume {kept.folder}{named} in Cinder.")
    by_id = {one.manifest.backup_id: one for one in NativeSet(kept.work, kept.folder, None, foreign=True).whole()}
    chain = [fitting[0]]
    while chain[0].manifest.parent is not None:
        base = by_id.get(chain[0].manifest.parent.folder)
        if base is None:
            raise DamagedArchive(f"The backup {chain[0].manifest.backup_id} builds on one that Cinder has no more.")
        chain.insert(0, base)
    if chain[0].resource.get("is_incremental"):
        raise DamagedArchive(f"The backup {chain[0].manifest.backup_id} is incremental, and there is nothing below it.")
    return kept, chain


def _restored(chain: list[NativeBackup], volume: Resource | None) -> dict[str, Any]:
    newest = chain[-1].manifest
    return {
        **_described(newest, volume),
        "chain": [
            {"backup_id": one.manifest.backup_id, "level": one.manifest.level, "timestamp": one.manifest.timestamp}
            for one in chain
        ],
        "storage": _STORAGE,
        "container": newest.container,
    }


def _like(work: Workplace, backup: NativeBackup) -> Resource:
    """Size and, if the volume is still there, type of a volume that is to hold a backup."""
    volume = work.volumes.get(backup.manifest.volume_id) or {}
    return {"size": backup.manifest.size_gib, "volume_type": volume.get("volume_type")}


def restore(options: Options, progress: Progress, dry_run: bool) -> dict[str, Any]:
    """A new volume made of a backup, once. Raises FreezerError; no half of one is left then."""
    kept, chain = _choose(options)
    work, newest = kept.work, chain[-1]
    started = time.time()
    volume = work.volumes.get(newest.manifest.volume_id)
    stamp = f"{(volume or {}).get('name') or newest.manifest.volume_id}~{newest.manifest.timestamp}"
    progress.begin("restore")
    try:
        made = VolumeRestore(work.cloud, work.volumes, work.run, work.timeout_seconds).new_volume(
            options.restore_as or stamp, _like(work, newest), newest.resource, False, dry_run
        )
    finally:
        progress.end()
    return {
        **_restored(chain, volume),
        **made,
        "remarks": [],
        "problems": work.problems,
        "duration_seconds": round(time.time() - started, 3),
    }


def verify(options: Options, progress: Progress) -> dict[str, Any]:
    """Prove that Cinder can restore a backup: its chain is whole; unless ``check`` is segments, into a scratch volume.

    With ``compare_to``, the id or the name of a volume, the bytes of that are compared with the scratch volume's.
    Raises FreezerError if the proof fails; a difference is a result.
    """
    kept, chain = _choose(options)
    work, newest = kept.work, chain[-1]
    check = "restore" if options.compare_to else options.check
    started = time.time()
    differences: list[str] = []
    if check != "segments":
        work.temporary = f"{work.temporary}-{newest.manifest.volume_id}-proof"
        progress.begin("verify")
        try:
            with _scratch(work, newest) as scratch:
                if check == "restore":
                    differences = _read_back(work, scratch, newest, options.compare_to)
        finally:
            progress.end()
    return {
        **_restored(chain, work.volumes.get(newest.manifest.volume_id)),
        "changed": False,
        "check": check,
        "stored_bytes": newest.manifest.stored_bytes,
        "differences": differences,
        "differences_count": len(differences),
        "outcome": "different" if differences else "success",
        "problems": work.problems,
        "duration_seconds": round(time.time() - started, 3),
    }


@contextmanager
def _scratch(work: Workplace, backup: NativeBackup) -> Iterator[Resource]:
    with ExitStack() as stack:
        work.remove_volumes()
        stack.callback(work.quietly, f"The volume {work.temporary}", work.remove_volumes)
        made = VolumeRestore(work.cloud, work.volumes, work.run, work.timeout_seconds).new_volume(
            work.temporary, _like(work, backup), backup.resource, False, False
        )
        found = work.volumes.get(made["restored_volume_id"])
        if found is None or found["size"] < backup.manifest.size_gib:
            raise DamagedArchive(f"The scratch volume of the backup {backup.manifest.backup_id} is too small.")
        yield found


def _read_back(work: Workplace, scratch: Resource, backup: NativeBackup, compare_to: str | None) -> list[str]:
    size = backup.manifest.stored_bytes
    work.remove_images()
    of_backup = hash_of_volume(work, scratch, size).sha256
    if compare_to is None:
        return []
    volume = work.volumes.one(None, compare_to, "volume")
    work.temporary = f"{work.temporary}-now"
    return [] if hash_now(work, volume, size).sha256 == of_backup else [f"the bytes of the volume {volume['id']}"]
