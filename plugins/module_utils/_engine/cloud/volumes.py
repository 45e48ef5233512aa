# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Snapshots and backups of volumes: those that Cinder makes, and volumes made of them again.

Lists are asked for once for all volumes of a call, so the number of requests for each volume is small and stays so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable

from ..errors import FreezerError
from ..rest.errors import Conflict
from .connection import Cloud
from .errors import CloudError, deletion_failed
from .listing import BACKUP_VERSION, CopiesOfVolumes, Volumes, backups_of_volumes, snapshots_of_volumes
from .many import all_of
from .resources import OWNER, Resource, age_seconds, new_run, newest_first, snapshot_title, utc_stamp
from .volume_restore import VolumeRestore
from .waiting import Clock, once

_BROKEN = ("error", "error_deleting", "error_restoring")
#: Somebody, or a run that was killed, has asked Cinder for something that ends by itself.
_AT_WORK = ("creating", "backing-up", "restoring", "updating")


@dataclass(frozen=True)
class VolumeSnapshotOptions:
    """What is wanted; times are in seconds. ``incremental`` is a snapshot, else it is a backup."""

    snapshot_name: str
    incremental: bool = True
    #: ``auto`` is incremental where there is a backup of this set to build on, else full.
    backup_level: str = "full"
    container: str | None = None
    require_quiesce: bool = False
    min_age: float | None = None
    #: So many full backups of a set are kept, with what builds on them; None keeps all.
    rotation: int | None = None
    #: What rotation counts: backups that have it in common. By default the snapshot's name.
    backup_set: str | None = None
    #: For ids of volumes what is held still meanwhile by whoever asks: ``fs`` or ``app``.
    held: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    #: ``taken`` is when what is held still may go on: for a backup there is a snapshot then, of which it is made later.
    wait_for: str = "whole"
    #: ``same`` volume or a ``new`` one.
    restore_to: str = "same"
    restore_as: str | None = None
    timeout_seconds: float = 1200.0
    concurrency: int = 8


class VolumeSnapshots:
    """Snapshots or backups of several volumes under one name."""

    def __init__(self, cloud: Cloud, options: VolumeSnapshotOptions) -> None:
        self._cloud = cloud
        self._options = options
        self._service = cloud.service("volume")
        self._volumes = Volumes(cloud)
        self._snapshots = snapshots_of_volumes(cloud)
        self._backups = backups_of_volumes(cloud)
        self._own = self._snapshots if options.incremental else self._backups
        self._run = new_run()

    def present(self, names: Sequence[str], dry_run: bool = False) -> dict[str, Any]:
        """Make what is missing, and wait until it is whole. Raises FreezerError."""
        return self._all(names, lambda volume: self._ensure(volume, dry_run))

    def absent(self, names: Sequence[str], dry_run: bool = False) -> dict[str, Any]:
        """Remove what has this name, and nothing else of these volumes. Raises FreezerError."""
        return self._all(names, lambda volume: self._remove(volume, dry_run))

    def applied(self, names: Sequence[str], dry_run: bool = False) -> dict[str, Any]:
        """Let volumes become what was kept of them, or make new ones of it. Raises FreezerError."""
        return self._all(names, lambda volume: self._apply(volume, dry_run))

    def _all(self, names: Sequence[str], work: Callable[[Resource], dict[str, Any]]) -> dict[str, Any]:
        return all_of(self._volumes, names, "volume", work, self._options.concurrency)

    def _title(self, volume: Resource) -> str:
        return snapshot_title("volume", volume["id"], self._options.snapshot_name, self._options.incremental)

    def _set(self) -> str:
        return self._options.backup_set or self._options.snapshot_name

    # ------------------------------------------------------------------ present

    def _ensure(self, volume: Resource, dry_run: bool) -> dict[str, Any]:
        options = self._options
        title = self._title(volume)
        known = self._own.named(title, volume["id"])
        whole = [one for one in known if one["status"] == "available"]
        if whole:
            return self._rotated(volume, self._described(whole[0], changed=False), dry_run)
        if options.min_age is not None:
            young = self._young(volume, options.min_age)
            if young:
                return {
                    **self._described(young, changed=False),
                    "reason": f"the newest one is younger than min_age ({options.min_age:g} seconds)",
                }
        in_use = volume["status"] == "in-use"
        consistency = options.held.get(volume["id"], "crash" if in_use else "fs")
        if options.require_quiesce and consistency == "crash":
            raise CloudError(
                "It is attached to a server, and Cinder cannot hold the file system of that still. Hold the server with "
                "freeze, take a server_snapshot, detach the volume, or leave require_quiesce out."
            )
        if volume["status"] not in ("available", "in-use", "backing-up", "snapshotting"):
            raise CloudError(f"It is {volume['status']}; only volumes that are available or in use can be copied.")
        base = self._base(volume)
        planned = {
            "snapshot": title,
            "changed": True,
            "outcome": "planned",
            "consistency": consistency,
            "level": self._level(base),
        }
        going_on = [one for one in known if one["status"] in ("creating", "backing-up")]
        held = None if options.incremental else self._held_snapshot(volume)
        if dry_run:
            own = "snapshot_id" if options.incremental else "backup_id"
            begun = [("snapshot_id", held)] if held else [(own, one) for one in going_on]
            return {**planned, **{key: one["id"] for key, one in begun}}
        clock = Clock(options.timeout_seconds)
        for broken in [one for one in known if one["status"] in _BROKEN]:
            self._discard(self._own, broken["id"])
        if held is not None:
            held = self._await(self._snapshots, held["id"], self._held_title(volume), clock)
        if options.wait_for == "taken" and not options.incremental:
            return self._take(volume, planned, bool(going_on or held), clock)
        made = going_on[0]["id"] if going_on else self._make(self._own, volume, title, base, consistency, clock)
        found = self._await(self._own, made, title, clock)
        clock.wait(
            lambda: self._volumes.idle(volume["id"]), f"The end of Cinder's work on {volume['name'] or volume['id']}"
        )
        if held is not None:
            self._remove_one(self._snapshots, held, clock)
        return self._rotated(volume, self._described(found, changed=True), dry_run)

    def _held_title(self, volume: Resource) -> str:
        return f"{self._title(volume)}-held"

    def _held_snapshot(self, volume: Resource) -> Resource | None:
        """The snapshot that was taken while something was held still, and that the backup is made of."""
        known = self._snapshots.named(self._held_title(volume), volume["id"])
        return next((one for one in known if one["status"] not in _BROKEN), None)

    def _take(self, volume: Resource, planned: dict[str, Any], is_there: bool, clock: Clock) -> dict[str, Any]:
        """Take the snapshot that a backup is made of later."""
        if not is_there:
            title = self._held_title(volume)
            made = self._make(self._snapshots, volume, title, None, planned["consistency"], clock)
            self._await(self._snapshots, made, title, clock)
        return {**planned, "changed": not is_there, "outcome": "taken"}

    def _young(self, volume: Resource, min_age: float) -> Resource | None:
        for one in self._own.fresh():
            mine = one.get("volume_id") == volume["id"] and (one.get("metadata") or {}).get("freezer_owner") == OWNER
            if mine and one["status"] == "available" and age_seconds(one["created_at"]) < min_age:
                return one
        return None

    def _base(self, volume: Resource) -> Resource | None:
        """The backup that an incremental one builds on."""
        if self._options.incremental or self._options.backup_level == "full":
            return None
        known = [
            one for one in self._backups.fresh() if one["volume_id"] == volume["id"] and one["status"] == "available"
        ]
        if not known:
            if self._options.backup_level == "incremental":
                raise CloudError(
                    "There is no backup of it that an incremental one could build on; take a full one first."
                )
            return None
        # Cinder builds on the newest one, whoever made it.
        return max(known, key=lambda one: str(one["created_at"]))

    def _level(self, base: Resource | None) -> int:
        if base is None:
            return 0
        try:
            return int((base.get("metadata") or {}).get("freezer_level", 0)) + 1
        except ValueError:
            return 1

    def _make(
        self,
        kind: CopiesOfVolumes,
        volume: Resource,
        title: str,
        base: Resource | None,
        consistency: str,
        clock: Clock,
    ) -> str:
        """Ask for a snapshot or a backup, which `kind` is; its id."""
        options = self._options
        metadata = {
            **{str(key): str(value) for key, value in options.metadata.items()},
            "freezer_owner": OWNER,
            "freezer_set": self._set(),
            "freezer_level": str(self._level(base)),
            "freezer_consistency": consistency,
            "freezer_run": self._run,
        }
        new: dict[str, Any] = {"volume_id": volume["id"], "name": title, "force": True, "metadata": metadata}
        path, key, headers = "/snapshots", "snapshot", {}
        if kind is self._backups:
            path, key, headers = "/backups", "backup", BACKUP_VERSION
            new["incremental"] = base is not None
            if options.container:
                new["container"] = options.container
            held = self._held_snapshot(volume)
            if held is not None:
                new["snapshot_id"] = held["id"]
                metadata["freezer_consistency"] = (held.get("metadata") or {}).get("freezer_consistency", consistency)
        made: list[str] = []

        def do() -> None:
            document = self._service.request("POST", path, {key: new}, repeatable=False, headers=headers).document[key]
            made.append(document["id"])
            stamp = {"created_at": utc_stamp(), "status": "creating", "metadata": metadata}
            kind.add({**stamp, "volume_id": volume["id"], **document})

        def find() -> str | None:
            if made:
                return made[0]
            kind.expire()
            found = [
                one
                for one in kind.named(title, volume["id"])
                if (one.get("metadata") or {}).get("freezer_run") == self._run
            ]
            return found[0]["id"] if found else None

        return once(do, find, clock, title, busy=f"Cinder works on {volume['name'] or volume['id']}, whose end")

    def _await(self, kind: CopiesOfVolumes, wanted: str, title: str, clock: Clock) -> Resource:
        """The snapshot or backup when it is whole; one that fails is removed."""
        try:
            return clock.wait(lambda: self._finished(kind, wanted), title)
        except CloudError as problem:
            if "timeout" not in str(problem):
                self._discard(kind, wanted)
            raise

    def _finished(self, kind: CopiesOfVolumes, wanted: str) -> Resource | None:
        found = kind.get(wanted)
        if found is None or found["status"] in _BROKEN:
            why = (found or {}).get("fail_reason") or "Cinder gave it up"
            raise CloudError(f"{wanted} is {found['status'] if found else 'gone'}: {why}.")
        return found if found["status"] == "available" else None

    def _discard(self, kind: CopiesOfVolumes, wanted: str) -> None:
        try:
            kind.delete(wanted)
        except FreezerError:
            pass  # the problem that led here is the one to tell; the next run removes it

    def _described(self, found: Resource, changed: bool) -> dict[str, Any]:
        metadata = found.get("metadata") or {}
        own = "snapshot_id" if self._options.incremental else "backup_id"
        described = {
            "changed": changed,
            "outcome": "success" if changed else "unchanged",
            "snapshot": found.get("name"),
            own: found["id"],
            "size_gib": found.get("size"),
            "consistency": metadata.get("freezer_consistency"),
            "level": int(metadata.get("freezer_level") or 0),
            "created_at": found.get("created_at"),
        }
        if not self._options.incremental:
            described["container"] = found.get("container")
            described["object_count"] = found.get("object_count")
        return described

    # ------------------------------------------------------------------ rotation and absent

    def _rotated(self, volume: Resource, result: dict[str, Any], dry_run: bool) -> dict[str, Any]:
        """The result, after the oldest full backups (or snapshots) of the set, and all that builds on them, are removed."""
        if self._options.rotation is None:
            return result
        own = [
            one
            for one in self._own.fresh()
            if one.get("volume_id") == volume["id"]
            and (one.get("metadata") or {}).get("freezer_owner") == OWNER
            and (one.get("metadata") or {}).get("freezer_set") == self._set()
            and one["status"] == "available"
        ]
        chains: list[list[Resource]] = []
        for one in reversed(newest_first(own, result["snapshot_id" if self._options.incremental else "backup_id"])):
            if not chains or (one.get("metadata") or {}).get("freezer_level", "0") == "0":
                chains.append([])
            chains[-1].append(one)
        removed = [one for chain in chains[: max(0, len(chains) - self._options.rotation)] for one in reversed(chain)]
        if not removed:
            return {**result, "removed": []} if result["changed"] else result
        if not dry_run:
            clock = Clock(self._options.timeout_seconds)
            for one in removed:
                self._remove_one(self._own, one, clock)
        outcome = "planned" if dry_run else "success"
        return {**result, "changed": True, "outcome": outcome, "removed": [str(one["id"]) for one in removed]}

    def _check_deletable(self, found: Resource | None) -> None:
        if found is not None and found["status"] == "error_deleting":
            raise deletion_failed(f"{found['name']} ({found['id']})", found.get("fail_reason"))

    def _asked_to_remove(self, kind: CopiesOfVolumes, wanted: str) -> bool | None:
        """Whether a removal is under way; None while Cinder works on what is to go and would refuse it."""
        found = kind.get(wanted)
        if found is not None and found["status"] in _AT_WORK:
            return None
        self._check_deletable(found)
        try:
            kind.delete(wanted)
        except Conflict:
            kind.expire()
            return None
        return True

    def _remove_one(self, kind: CopiesOfVolumes, one: Resource, clock: Clock) -> None:
        current = kind.get(one["id"])
        if current is None:
            return
        if current.get("has_dependent_backups"):
            # Of those that are there now, and not of those that were removed a moment ago.
            kind.expire()
            if (kind.get(one["id"]) or {}).get("has_dependent_backups"):
                raise CloudError(f"{one['name']} has backups that build on it; remove those first.")
        at_work = f"The end of Cinder's work on {one['name']}, which is in the way of its removal,"
        clock.wait(lambda: self._asked_to_remove(kind, one["id"]), at_work)

        def gone() -> bool | None:
            found = kind.get(one["id"])
            self._check_deletable(found)
            if found is not None and found["status"] in _BROKEN:
                why = found.get("fail_reason") or "Cinder does not say why"
                raise CloudError(f"{one['name']} could not be removed, it is {found['status']}: {why}.")
            return True if found is None else None

        clock.wait(gone, f"The removal of {one['name']}")

    def _remove(self, volume: Resource, dry_run: bool) -> dict[str, Any]:
        title = self._title(volume)
        known = [(self._own, one) for one in self._own.named(title, volume["id"])]
        if not self._options.incremental:
            known += [(self._snapshots, one) for one in self._snapshots.named(self._held_title(volume), volume["id"])]
        if not known:
            return {"changed": False, "outcome": "unchanged", "snapshot": title}
        if not dry_run:
            clock = Clock(self._options.timeout_seconds)
            for kind, one in known:
                self._remove_one(kind, one, clock)
        return {
            "changed": True,
            "outcome": "planned" if dry_run else "success",
            "snapshot": title,
            "removed": [one["id"] for _kind, one in known],
        }

    # ------------------------------------------------------------------ applied

    def _apply(self, volume: Resource, dry_run: bool) -> dict[str, Any]:
        title = self._title(volume)
        whole = [one for one in self._own.named(title, volume["id"]) if one["status"] == "available"]
        if not whole:
            raise CloudError(f"There is no {title} that could be applied.")
        found = whole[0]
        about = {"snapshot": title, ("snapshot_id" if self._options.incremental else "backup_id"): found["id"]}
        restore = VolumeRestore(self._cloud, self._volumes, self._run, self._options.timeout_seconds)
        if self._options.restore_to == "new":
            name = self._options.restore_as or f"volume-restore-{found['id']}"
            return {**about, **restore.new_volume(name, volume, found, self._options.incremental, dry_run)}
        if (volume.get("metadata") or {}).get("freezer_applied") == found["id"] and volume["status"] == "available":
            return {**about, "changed": False, "outcome": "unchanged", "reason": "this is what was applied to it last"}
        if self._options.incremental:
            self._check_newest(volume, found)
        if not dry_run:
            restore.into_same(volume, found, self._options.incremental)
        return {**about, "changed": True, "outcome": "planned" if dry_run else "success"}

    def _check_newest(self, volume: Resource, snapshot: Resource) -> None:
        own = [one for one in self._snapshots.fresh() if one["volume_id"] == volume["id"]]
        newest = max(own, key=lambda one: str(one["created_at"]))
        if newest["id"] != snapshot["id"]:
            raise CloudError(
                f"Cinder reverts a volume to its newest snapshot only, and that is {newest['name'] or newest['id']}. Remove "
                "newer ones first, or make a new volume with restore_to: new."
            )
