# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The backups of one volume that Cinder keeps: those of one name, in the order of their chains, and all others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone

from ...openstack.errors import CloudError, deletion_failed
from ...openstack.listing import backups_of_volumes
from ...openstack.resources import OWNER, Resource
from ...repository.errors import DamagedArchive, NoSuchBackup
from ...repository.ids import is_beginning, only_one
from ...repository.survey import Survey
from .source import Workplace

_GIBIBYTE = 1 << 30
_BROKEN = ("error", "error_deleting")


@dataclass(frozen=True)
class _Base:
    folder: str


@dataclass(frozen=True)
class NativeManifest:
    """Cinder's document of a backup in the form of a manifest. Sizes are bytes, times seconds since 1970."""

    backup_id: str
    backup_name: str
    timestamp: int
    level: int
    parent: _Base | None
    volume_id: str
    size_gib: int
    consistency: str
    hostname: str
    container: str

    @property
    def began(self) -> int:
        """The start of the backup, by Cinder's clock."""
        return self.timestamp

    @property
    def folder(self) -> str:
        """Its id in Cinder."""
        return self.backup_id

    @property
    def stored_bytes(self) -> int:
        """The size of the volume: Cinder does not say how much of it was stored."""
        return self.size_gib * _GIBIBYTE


@dataclass(frozen=True)
class NativeBackup:
    """A complete backup, and Cinder's document of it."""

    manifest: NativeManifest
    resource: Resource


@dataclass(frozen=True)
class CinderPlace:
    """Cinder's backups in the form of a storage."""

    kind: str = "cinder"
    container: str = "Cinder's backups"

    def describe(self) -> str:
        """A name for messages."""
        return "Cinder"


@dataclass
class NativeSet:
    """`backup_name` None means the backups of every name, and with `foreign` also those of other programs."""

    work: Workplace
    folder: str
    backup_name: str | None
    foreign: bool = False
    storage: CinderPlace = field(default_factory=CinderPlace)

    def __post_init__(self) -> None:
        self._backups = backups_of_volumes(self.work.cloud)

    def _of_volume(self) -> list[Resource]:
        """All backups of the volume, oldest first."""
        self._backups.expire()
        return in_order([one for one in self._backups.fresh() if one.get("volume_id") == self.folder])

    def _is_wanted(self, one: Resource) -> bool:
        own = one.get("metadata") or {}
        if own.get("freezer_owner") != OWNER:
            return self.foreign and self.backup_name is None
        return self.backup_name in (None, own.get("freezer_set"))

    def whole(self) -> list[NativeBackup]:
        """The backups that can be restored, newest first, each with its parent. Raises RestError."""
        found: list[NativeBackup] = []
        before: Resource | None = None
        for one in self._of_volume():
            if one["status"] != "available":
                continue
            base = before if one.get("is_incremental") else None
            before = one
            if self._is_wanted(one):
                found.append(NativeBackup(_manifest(one, base), one))
        return found[::-1]

    def newest_of_volume(self) -> Resource | None:
        """The backup that Cinder would build an increment on, of any program.

        None also if two backups are equally new, because Cinder may take either of them.
        """
        found = [one for one in self._of_volume() if one["status"] == "available"]
        if not found or [one["created_at"] for one in found].count(found[-1]["created_at"]) > 1:
            return None
        return found[-1]

    def find(self, backup_id: str | None = None, not_after: float | None = None) -> NativeBackup:
        """The backup with an id or a unique prefix of an id, else the newest one of a time. Raises NoSuchBackup."""
        known = [one for one in self.whole() if not_after is None or one.manifest.timestamp <= not_after]
        fitting = [one for one in known if backup_id in (None, one.manifest.backup_id)]
        if not fitting and backup_id is not None:
            meant = only_one(backup_id, [one for one in known if is_beginning(backup_id, one.manifest.backup_id)])
            fitting = [] if meant is None else [meant]
        if fitting:
            return fitting[0]
        wanted = f"with the id {backup_id!r} " if backup_id else "that is old enough " if not_after else ""
        named = f" named {self.backup_name!r}" if self.backup_name else ""
        raise NoSuchBackup(f"There is no backup {wanted}of the volume {self.folder}{named} in Cinder.")

    def chain(self, backup: NativeBackup) -> list[NativeBackup]:
        """The chain of a backup, the full backup first. Raises DamagedArchive if one of them is missing."""
        by_id = {one.manifest.backup_id: one for one in NativeSet(self.work, self.folder, None, foreign=True).whole()}
        chain = [backup]
        while chain[0].manifest.parent is not None:
            base = by_id.get(chain[0].manifest.parent.folder)
            if base is None:
                raise DamagedArchive(
                    f"The backup {chain[0].manifest.backup_id} continues a backup that Cinder no longer has."
                )
            chain.insert(0, base)
        if chain[0].resource.get("is_incremental"):
            lowest = chain[0].manifest.backup_id
            raise DamagedArchive(f"The backup {lowest} is incremental, and its full backup is missing.")
        return chain

    # ------------------------------------------------------------------ for prune

    def check_owner(self) -> None:
        """Do nothing: the metadata of a backup says whose it is."""

    def is_empty(self) -> bool:
        """Whether the volume has no backup at all."""
        return not self._of_volume()

    def lock(self) -> AbstractContextManager[None]:
        """Do nothing: Cinder serializes the operations on a volume."""
        return _nothing()

    def survey(self, strict: bool = False) -> Survey[NativeBackup]:
        """The backups that may be removed, newest first. Parents of other programs' or other names' backups are kept."""
        del strict
        survey: Survey[NativeBackup] = Survey()
        needed = False
        by_id = {one.manifest.backup_id: one for one in self.whole()}
        for one in reversed(self._of_volume()):
            backup = by_id.get(one["id"])
            if backup is None:
                own = (one.get("metadata") or {}).get("freezer_owner") == OWNER
                if one["status"] in _BROKEN and own and self._is_wanted(one):
                    survey.incomplete.append(f"{self.folder}/{_epoch(one)}_{one['id']}")
                elif one["status"] == "available":
                    needed = bool(one.get("is_incremental"))
                continue
            if needed:
                survey.damaged.append(
                    f"The backup {one['id']} of the volume {self.folder}: a backup of another name or "
                    "another program continues it."
                )
                needed = bool(one.get("is_incremental"))
            else:
                survey.backups.append(backup)
        return survey

    def invalidate(self, backup: NativeBackup) -> None:
        """Remove a backup, and wait until it is gone. Cinder refuses to remove one that another backup continues."""
        self._remove(backup.manifest.backup_id)

    def remove_incomplete(self, folder: str) -> None:
        """Remove a backup that failed in Cinder. `invalidate` has removed others already."""
        backup_id = folder.rpartition("/")[2].rpartition("_")[2]
        if self._backups.get(backup_id) is not None:
            self._remove(backup_id)

    def _remove(self, backup_id: str) -> None:
        known = self._backups.get(backup_id) or {}
        if known.get("status") == "error_deleting":
            raise deletion_failed(f"the backup {backup_id}", known.get("fail_reason"))
        self._backups.delete(backup_id)

        def gone() -> bool | None:
            self._backups.expire()
            found = self._backups.get(backup_id)
            if found is not None and found["status"] == "error_deleting":
                raise deletion_failed(f"the backup {backup_id}", found.get("fail_reason"))
            if found is not None and found["status"] in _BROKEN:
                why = found.get("fail_reason") or "Cinder gives no reason"
                raise CloudError(
                    f"The backup {backup_id} could not be removed, its status is {found['status']}: {why}."
                )
            return True if found is None else None

        self.work.clock().wait(gone, f"The removal of the backup {backup_id}")

    def size_of(self, folder: str) -> int:
        """0: Cinder does not report the size of a failed backup."""
        del folder
        return 0


def in_order(backups: list[Resource]) -> list[Resource]:
    """The backups of a volume in the order in which they were made, oldest first.

    Cinder reports whole seconds. Of the backups of one second, those with dependents come first, and full backups without
    dependents come last.
    """

    def place(one: Resource) -> tuple[str, bool, bool]:
        return str(one["created_at"]), not one.get("has_dependent_backups"), not one.get("is_incremental")

    return sorted(backups, key=place)


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _epoch(one: Resource) -> int:
    text = str(one["created_at"]).rstrip("Z").partition("+")[0]
    return int(datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp())


def _manifest(one: Resource, base: Resource | None) -> NativeManifest:
    own = one.get("metadata") or {}
    level = own.get("freezer_level", "1" if base is not None else "0")
    return NativeManifest(
        backup_id=one["id"],
        backup_name=own.get("freezer_set") or one.get("name") or "",
        timestamp=_epoch(one),
        level=int(level) if str(level).isdigit() else 0,
        parent=_Base(base["id"]) if base is not None else None,
        volume_id=one["volume_id"],
        size_gib=int(one.get("size") or 0),
        consistency=own.get("freezer_consistency") or "crash",
        hostname=own.get("freezer_hostname") or "",
        container=one.get("container") or "",
    )
