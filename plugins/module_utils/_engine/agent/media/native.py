# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The medium cindernative: full and incremental backups of volumes that Cinder itself makes and keeps."""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from ...action.equivalent_command import backup_command
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
from ...repository.errors import DamagedArchive
from ...repository.levels import LevelPlan, LevelPolicy, plan_level
from ...storage.base import Storage
from ...storage.errors import StorageError
from ...system.undo import on_failure
from ..record import Made
from . import results
from .base import Copy, Medium
from .copied import Run
from .locations import backup_name, resource_id, workplace
from .native_set import NativeBackup, NativeManifest, NativeSet
from .proving import hash_now, hash_of_volume
from .quiesced import taken_while_held
from .source import Workplace

_STORAGE = "cinder"


class _NoContainers:
    """Cinder's backups do not lie in containers of this host's storages: nothing to check, nothing to prepare."""

    def __init__(self) -> None:
        self.made: list[Storage] = []
        self.problems: list[str] = []

    def check(self, storage: Any) -> None:
        """Do nothing."""

    def id_of(self, storage: Any) -> str | None:
        """None is known."""
        del storage
        return None

    def lost(self, storages: Iterable[Any]) -> dict[Any, StorageError]:
        """No storage is lost."""
        del storages
        return {}

    def prepare(self, storage: Any) -> None:
        """Do nothing."""


class Native(Medium[NativeSet, Resource]):
    """The medium ``cindernative``; its source is Cinder's document of a volume."""

    def __init__(self, options: Options) -> None:
        super().__init__(options, _NoContainers())

    @functools.cached_property
    def _work(self) -> Workplace:
        return workplace(self.options)

    @property
    def wanted_id(self) -> str | None:
        """``cindernative_backup_id``, as upstream calls it, or ``backup_id``."""
        return self.options.cindernative_backup_id or self.options.backup_id

    def source(self) -> Resource:
        """Raises CloudError if there is no such volume."""
        return self._work.volumes.one(self.options.cindernative_vol_id, None, "volume")

    def sets(self, source: Resource | None = None, any_name: bool = False) -> list[NativeSet]:
        """One set. With an id it has all backups of the volume, also those of other programs."""
        options = self.options
        wanted = source["id"] if source else resource_id(options, lambda: self._work)
        name = options.backup_name if any_name else backup_name(options, wanted)
        if source is not None:
            set_folder(options.host, backup_name(options, wanted))  # refuses the names that backups of files refuse
        return [NativeSet(self._work, wanted, name, foreign=any_name and self.wanted_id is not None)]

    def newest(self, one: NativeSet) -> NativeBackup | None:
        """The newest backup that can be restored."""
        return next(iter(one.whole()), None)

    def plan(self, source: Resource, sets: Sequence[NativeSet], now: float) -> dict[str, Any]:
        """With the level and the reason for it."""
        consistency = "crash" if source["status"] == "in-use" else "fs"
        level = _level(self.options, sets[0], sets[0].whole(), now)
        return {**self._about(source, sets[0], level), "consistency": consistency}

    def _about(self, volume: Resource, one: NativeSet, plan: LevelPlan[NativeManifest]) -> dict[str, Any]:
        return {
            **results.about(self.options, volume, one.backup_name or ""),
            "level": plan.level,
            "reason": plan.reason,
            "parent_backup_id": plan.parent.backup_id if plan.parent else None,
        }

    def store(self, run: Run[NativeSet], source: Resource) -> dict[str, Any]:
        """Have Cinder make a backup, and wait until it is complete."""
        one = run.working[0]
        plan = _level(self.options, one, one.whole(), run.started)
        about = self._about(source, one, plan)
        run.progress.begin("backup")
        try:
            made, hold = _make(self._work, source, about["backup_name"], plan, run.started)
        finally:
            run.progress.end()
        return _done(self._work, source, about, made, hold, run.started)

    def restore(self, copy: Copy[NativeSet], progress: Progress, dry_run: bool) -> dict[str, Any]:
        """A new volume; a second restore finds it and changes nothing. After a failure no incomplete volume is left."""
        work, newest = self._work, copy.stored
        volume = work.volumes.get(newest.manifest.volume_id)
        stamp = f"{(volume or {}).get('name') or newest.manifest.volume_id}~{newest.manifest.timestamp}"
        progress.begin("restore")
        try:
            return VolumeRestore(work.cloud, work.volumes, work.run, work.timeout_seconds).new_volume(
                self.options.restore_as or stamp, _like(work, newest), newest.resource, False, dry_run
            )
        finally:
            progress.end()

    def prove(self, copy: Copy[NativeSet], check: str, compare_to: str | None, progress: Progress) -> list[str]:
        """Check the chain; unless `check` is ``segments``, also restore into a scratch volume and compare its bytes."""
        if check == "segments":
            return []
        newest = copy.stored
        work = self._work.named(f"{self._work.temporary}-{newest.manifest.volume_id}-proof")
        progress.begin("verify")
        try:
            with _scratch(work, newest) as scratch:
                return _read_back(work, scratch, newest, compare_to) if check == "restore" else []
        finally:
            progress.end()

    def prove_twin(self, copy: Copy[NativeSet], check: str, progress: Progress) -> None:
        """Do nothing: Cinder keeps one copy."""

    def describe(self, stored: NativeBackup) -> dict[str, Any]:
        """Host, name, volume, id, level and time."""
        return _described(stored.manifest, self._work.volumes.get(stored.manifest.volume_id))

    def describe_proof(self, copy: Copy[NativeSet]) -> dict[str, Any]:
        """The size of the volume: Cinder does not say how much of it is stored."""
        return {"stored_bytes": copy.manifest.stored_bytes}

    def place(self, one: NativeSet, manifest: Any) -> dict[str, Any]:
        """The container that Cinder keeps a backup in."""
        del one
        return {"storage": _STORAGE, "container": manifest.container, "folder": manifest.backup_id}

    def list(self) -> dict[str, list[Any]]:
        """The backups of one volume."""
        backups = [_listed(one) for kept in self.sets(any_name=True) for one in kept.whole()]
        return {"backups": backups, "incomplete": [], "damaged": []}

    def cloud_problems(self) -> dict[str, Any]:
        """Sentences about leftovers in the cloud."""
        return {"problems": self._work.problems}


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
            reason = "Cinder would build on its newest backup, and that has another name, or shares its second with another backup"
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
        # Two backups of a small volume can begin in one second, and need different names.
        called = f"{name}-{round(started * 1e9)}"
        return VolumeSnapshots(work.cloud, VolumeSnapshotOptions(called, **given))  # type: ignore[arg-type]

    volume_id = volume["id"]
    work.quietly("A snapshot of an earlier run", lambda: _remove_held(work, volume_id, name))
    with on_failure(lambda: work.quietly("The snapshot of this backup", lambda: _remove_held(work, volume_id, name))):
        hold = taken_while_held(
            options,
            lambda held_as: snapshots(wait_for="taken", held={volume_id: held_as}).present([volume_id]),
        )
        made: Resource = snapshots().present([volume_id])["snapshots"][0]
    return made, hold


def _remove_held(work: Workplace, volume_id: str, name: str) -> None:
    """Remove the snapshots that were taken while an application was quiesced, and have no backup."""
    snapshots = snapshots_of_volumes(work.cloud)
    title = re.compile(rf"volume-{re.escape(volume_id)}-{re.escape(name)}-[0-9]+-backup-held")

    def is_meant(one: Resource) -> bool:
        return one["volume_id"] == volume_id and title.fullmatch(one["name"] or "") is not None

    remove_those(
        snapshots, "snapshot", is_meant, work.cleaning_clock(), f"the snapshots of {volume_id} for an unfinished backup"
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
        raise CloudError(f"The backup {made['backup_id']} was removed right after it was made.")
    manifest = found.manifest
    size = manifest.stored_bytes
    backup = Made(
        manifest=manifest,
        outcome="success",
        storage=_STORAGE,
        container=manifest.container,
        cli=backup_command(work.options, None, None),
        path=f"cindernative:{volume['id']}",
        source_bytes=size,
        consistency=manifest.consistency,
        stored_bytes=None,
        time_started=started,
        time_ended=time.time(),
        hold=hold,
        parent_backup_id=about["parent_backup_id"],
    )
    own = {
        **results.own_record("cindernative", volume["id"], volume.get("name") or ""),
        "max_level": work.options.max_level,
        "size_gib": manifest.size_gib,
        "object_count": found.resource.get("object_count"),
    }
    place = {"storage": _STORAGE, "container": manifest.container, "folder": manifest.backup_id, "outcome": "success"}
    return {
        **about,
        **_described(manifest, volume),
        **backup.result(),
        "storages": [place],
        "disks": [],
        "object_count": found.resource.get("object_count"),
        "problems": work.problems,
        "metadata": backup.record(work.options, own),
    }


def _listed(one: NativeBackup) -> dict[str, Any]:
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


def _like(work: Workplace, backup: NativeBackup) -> Resource:
    """Size and, if the volume still exists, type of a volume for a restore."""
    volume = work.volumes.get(backup.manifest.volume_id) or {}
    return {"size": backup.manifest.size_gib, "volume_type": volume.get("volume_type")}


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
    now = work.named(f"{work.temporary}-now")
    return [] if hash_now(now, volume, size).sha256 == of_backup else [f"the bytes of the volume {volume['id']}"]
