# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Snapshots and backups of volumes: those that Cinder makes, and volumes made of them again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

from ...errors import FreezerError
from ..connection import Cloud
from ..errors import CloudError
from ..listing import BACKUP_VERSION, CopiesOfVolumes
from ..resources import Resource, chosen, mark, newest_first, utc_stamp
from ..snapshots import all_of
from ..waiting import Clock, each, made_once
from .group_snapshots import Part, by_group
from .volume_copies import BROKEN, VolumeCopies, VolumeSnapshotOptions
from .volume_restore import VolumeRestore


class VolumeSnapshots:
    """Snapshots or backups of several volumes under one name."""

    def __init__(self, cloud: Cloud, options: VolumeSnapshotOptions) -> None:
        self._cloud = cloud
        self._options = options
        self._service = cloud.service("volume")
        self._copies = VolumeCopies(cloud, options)
        #: By volume of a group that was asked for a snapshot: the error, or None if there is one now.
        self._grouped: dict[str, FreezerError | None] = {}

    def present(self, names: Sequence[str], dry_run: bool = False) -> dict[str, Any]:
        """Make what is missing, and wait until it is whole. Raises FreezerError."""
        if self._options.as_groups:
            self._take_groups(self._chosen(names), dry_run)
        result = self._all(names, lambda volume: self._ensure(volume, dry_run))
        if not dry_run and not self._options.incremental and self._options.wait_for == "whole":
            self._remove_held_groups()
        return result

    def absent(self, names: Sequence[str], dry_run: bool = False) -> dict[str, Any]:
        """Remove what has this name, and nothing else of these volumes. Raises FreezerError."""
        # Known before the first one goes, which may be part of a group snapshot and take those of other volumes with it.
        known = {one["id"]: self._copies.known(one) for one in self._chosen(names)}
        return self._all(names, lambda volume: self._remove(volume, known.get(volume["id"], []), dry_run))

    def applied(self, names: Sequence[str], dry_run: bool = False) -> dict[str, Any]:
        """Let volumes become what was kept of them, or make new ones of it. Raises FreezerError."""
        return self._all(names, lambda volume: self._apply(volume, dry_run))

    def _chosen(self, names: Sequence[str]) -> list[Resource]:
        return chosen(self._copies.volumes.fresh(), names, "volume")

    def _all(self, names: Sequence[str], work: Callable[[Resource], dict[str, Any]]) -> dict[str, Any]:
        self._copies.asked = frozenset(one["id"] for one in self._chosen(names))
        return all_of(self._copies.volumes, names, "volume", work, self._options.concurrency)

    # ------------------------------------------------------------------ present

    def _ensure(self, volume: Resource, dry_run: bool) -> dict[str, Any]:
        options = self._options
        with_its_group = volume["id"] in self._grouped
        problem = self._grouped.get(volume["id"])
        if problem is not None:
            raise problem
        there = self._copies.whole(volume)
        if there is not None:
            return self._rotated(volume, self._described(there, changed=with_its_group), dry_run)
        young = self._copies.young(volume)
        if young is not None:
            return {
                **self._described(young, changed=False),
                "reason": f"the newest one is younger than min_age ({options.min_age:g} seconds)",
            }
        title = self._copies.title(volume)
        planned = self._planned(volume)
        going_on = self._copies.going_on(volume)
        held = self._copies.held_snapshot(volume)
        if dry_run:
            own = "snapshot_id" if options.incremental else "backup_id"
            begun = [("snapshot_id", held)] if held else [(own, one) for one in going_on]
            return {**planned, **{key: one["id"] for key, one in begun}}
        clock = Clock(options.timeout_seconds)
        for broken in [one for one in self._copies.own.named(title, volume["id"]) if one["status"] in BROKEN]:
            self._copies.own.discard(broken["id"])
        if held is not None:
            held = self._await(self._copies.snapshots, held["id"], self._copies.held_title(volume), clock)
        if options.wait_for == "taken" and not options.incremental:
            return self._take(volume, planned, bool(going_on or held), with_its_group, clock)
        consistency = planned["consistency"]
        made = going_on[0]["id"] if going_on else self._make(self._copies.own, volume, title, consistency, clock)
        found = self._await(self._copies.own, made, title, clock)
        clock.wait(
            lambda: self._copies.volumes.idle(volume["id"]),
            f"The end of Cinder's work on {volume['name'] or volume['id']}",
        )
        if held is not None and not held.get("group_snapshot_id"):
            self._copies.remove(self._copies.snapshots, held, clock)
        return self._rotated(volume, self._described(found, changed=True), dry_run)

    def _planned(self, volume: Resource) -> dict[str, Any]:
        """What is to be made of a volume. Raises CloudError if it must not be, or cannot."""
        options = self._options
        in_use = volume["status"] == "in-use"
        consistency = options.held.get(volume["id"], "crash" if in_use else "fs")
        if options.require_quiesce and consistency == "crash":
            raise CloudError(
                "It is attached to a server, and Cinder cannot freeze the file system of that. Hold the server with "
                "freeze, take a server_snapshot, detach the volume, or leave require_quiesce out."
            )
        if volume["status"] not in ("available", "in-use", "backing-up", "snapshotting"):
            raise CloudError(f"It is {volume['status']}; only volumes that are available or in use can be copied.")
        return {
            "snapshot": self._copies.title(volume),
            "changed": True,
            "outcome": "planned",
            "consistency": consistency,
            "level": self._copies.level(self._copies.base(volume)),
        }

    def _take(
        self, volume: Resource, planned: dict[str, Any], is_there: bool, with_its_group: bool, clock: Clock
    ) -> dict[str, Any]:
        """Take the snapshot that a backup is made of later."""
        if not is_there:
            title = self._copies.held_title(volume)
            made = self._make(self._copies.snapshots, volume, title, planned["consistency"], clock)
            self._await(self._copies.snapshots, made, title, clock)
        return {**planned, "changed": with_its_group or not is_there, "outcome": "taken"}

    def _make(
        self,
        kind: CopiesOfVolumes,
        volume: Resource,
        title: str,
        consistency: str,
        clock: Clock,
    ) -> str:
        """Ask for a snapshot or a backup, which `kind` is; its id."""
        options = self._options
        base = self._copies.base(volume) if kind is self._copies.backups else None
        metadata = options.marks(self._copies.run, consistency, self._copies.level(base))
        new: dict[str, Any] = {"volume_id": volume["id"], "name": title, "force": True, "metadata": metadata}
        path, key, headers = "/snapshots", "snapshot", {}
        if kind is self._copies.backups:
            path, key, headers = "/backups", "backup", BACKUP_VERSION
            self._copies.let_second_pass(volume)
            new["incremental"] = base is not None
            if options.container:
                new["container"] = options.container
            held = self._copies.held_snapshot(volume)
            if held is not None:
                new["snapshot_id"] = held["id"]
                metadata["freezer_consistency"] = mark(held, "freezer_consistency") or consistency

        def make() -> str:
            document = self._service.request("POST", path, {key: new}, repeatable=False, headers=headers).document[key]
            stamp = {"created_at": utc_stamp(), "status": "creating", "metadata": metadata}
            kind.add({**stamp, "volume_id": volume["id"], **document})
            return str(document["id"])

        def look() -> str | None:
            kind.expire()
            known = kind.named(title, volume["id"])
            return next((one["id"] for one in known if mark(one, "freezer_run") == self._copies.run), None)

        busy = f"Cinder works on {volume['name'] or volume['id']}, whose end"
        return made_once(make, look, clock, title, busy)

    def _await(self, kind: CopiesOfVolumes, wanted: str, title: str, clock: Clock) -> Resource:
        """The snapshot or backup when it is whole; one that fails is removed."""
        return clock.wait(lambda: self._finished(kind, wanted), title, lambda: kind.discard(wanted))

    def _finished(self, kind: CopiesOfVolumes, wanted: str) -> Resource | None:
        found = kind.get(wanted)
        if found is None or found["status"] in BROKEN:
            why = (found or {}).get("fail_reason") or "Cinder gave it up"
            raise CloudError(f"{wanted} is {found['status'] if found else 'gone'}: {why}.")
        return found if found["status"] == "available" else None

    def _described(self, found: Resource, changed: bool) -> dict[str, Any]:
        own = "snapshot_id" if self._options.incremental else "backup_id"
        described = {
            "changed": changed,
            "outcome": "success" if changed else "unchanged",
            "snapshot": found.get("name"),
            own: found["id"],
            "size_gib": found.get("size"),
            "consistency": mark(found, "freezer_consistency") or None,
            "level": int(mark(found, "freezer_level") or 0),
            "created_at": found.get("created_at"),
        }
        if not self._options.incremental:
            described["container"] = found.get("container")
            described["object_count"] = found.get("object_count")
        return described

    # ------------------------------------------------------------------ groups

    def _take_groups(self, volumes: Sequence[Resource], dry_run: bool) -> None:
        """Take the snapshots of all that are in groups: a group at a time is of one moment, several are side by side."""
        groups = by_group(volumes, self._copies.volumes.fresh())
        for (_group_id, members), taken, problem in each(
            groups.items(), lambda one: self._take_group(*one, dry_run), self._options.concurrency
        ):
            if taken or problem:
                self._grouped.update({one["id"]: problem for one in members})

    def _take_group(self, group_id: str, members: Sequence[Resource], dry_run: bool) -> bool:
        """Take the snapshot of a group if there is need to; whether it was taken."""
        missing = [
            one
            for one in members
            if not (
                self._copies.whole(one)
                or self._copies.young(one)
                or self._copies.going_on(one)
                or self._copies.held_snapshot(one)
            )
        ]
        if not missing:
            return False
        title = self._copies.group_title(group_id)
        # Where a run before was killed, parts of what it took may not have their names yet.
        nameless = [one for one in missing if self._copies.snapshots.named(title, one["id"])]
        if len(nameless) < len(missing) < len(members):
            raise CloudError(
                f"Of the group {group_id} some volumes have a snapshot of this name already, and others have none: "
                f"{', '.join(sorted(one['name'] or one['id'] for one in missing))}. Remove those with state: absent, or use "
                "another name."
            )
        parts = {}
        for one in members:
            own_title = self._copies.title(one) if self._options.incremental else self._copies.held_title(one)
            parts[one["id"]] = Part(own_title, self._options.marks(self._copies.run, self._planned(one)["consistency"]))
        if not dry_run:
            self._copies.groups.take(group_id, title, parts, Clock(self._options.timeout_seconds))
        return not dry_run

    def _remove_held_groups(self) -> None:
        """Remove group snapshots that backups were made of, when there is a backup of each part."""
        done = {
            one["group_snapshot_id"]
            for one in self._copies.snapshots.fresh()
            if one.get("group_snapshot_id")
            and one["volume_id"] in self._copies.asked
            and one["name"] == self._copies.held_title({"id": one["volume_id"]})
        }
        for group_snapshot_id in done:
            if all(one["volume_id"] in self._copies.asked for one in self._copies.groups.parts(group_snapshot_id)):
                self._copies.groups.remove(group_snapshot_id, self._copies.asked, Clock(self._options.timeout_seconds))

    # ------------------------------------------------------------------ rotation and absent

    def _rotated(self, volume: Resource, result: dict[str, Any], dry_run: bool) -> dict[str, Any]:
        """The result, after the oldest full backups (or snapshots) of the set, and all that builds on them, are removed."""
        if self._options.rotation is None:
            return result
        of_volume = self._copies.own_of(volume)
        own = [one for one in of_volume if mark(one, "freezer_set") == self._options.set_name]
        chains: list[list[Resource]] = []
        for one in reversed(newest_first(own, result["snapshot_id" if self._options.incremental else "backup_id"])):
            if not chains or mark(one, "freezer_level") in ("", "0"):
                chains.append([])
            chains[-1].append(one)
        removed = [one for chain in chains[: max(0, len(chains) - self._options.rotation)] for one in reversed(chain)]
        if not removed:
            return {**result, "removed": []} if result["changed"] else result
        if not dry_run:
            clock = Clock(self._options.timeout_seconds)
            for one in removed:
                self._copies.remove(self._copies.own, one, clock)
        outcome = "planned" if dry_run else "success"
        return {**result, "changed": True, "outcome": outcome, "removed": [str(one["id"]) for one in removed]}

    def _remove(
        self, volume: Resource, known: Sequence[tuple[CopiesOfVolumes, Resource]], dry_run: bool
    ) -> dict[str, Any]:
        title = self._copies.title(volume)
        if not known:
            return {"changed": False, "outcome": "unchanged", "snapshot": title}
        if not dry_run:
            clock = Clock(self._options.timeout_seconds)
            for kind, one in known:
                self._copies.remove(kind, one, clock)
        return {
            "changed": True,
            "outcome": "planned" if dry_run else "success",
            "snapshot": title,
            "removed": [one["id"] for _kind, one in known],
        }

    # ------------------------------------------------------------------ applied

    def _apply(self, volume: Resource, dry_run: bool) -> dict[str, Any]:
        title = self._copies.title(volume)
        whole = [one for one in self._copies.own.named(title, volume["id"]) if one["status"] == "available"]
        if not whole:
            raise CloudError(f"There is no {title} that could be applied.")
        found = whole[0]
        about = {"snapshot": title, ("snapshot_id" if self._options.incremental else "backup_id"): found["id"]}
        restore = VolumeRestore(self._cloud, self._copies.volumes, self._copies.run, self._options.timeout_seconds)
        if self._options.restore_to == "new":
            name = self._options.restore_as or f"volume-restore-{found['id']}"
            return {**about, **restore.new_volume(name, volume, found, self._options.incremental, dry_run)}
        if mark(volume, "freezer_applied") == found["id"] and volume["status"] == "available":
            return {**about, "changed": False, "outcome": "unchanged", "reason": "this is what was applied to it last"}
        if self._options.incremental:
            self._check_newest(volume, found)
        if not dry_run:
            restore.into_same(volume, found, self._options.incremental)
        return {**about, "changed": True, "outcome": "planned" if dry_run else "success"}

    def _check_newest(self, volume: Resource, snapshot: Resource) -> None:
        own = [one for one in self._copies.snapshots.fresh() if one["volume_id"] == volume["id"]]
        newest = newest_first(own)[0]
        if newest["id"] != snapshot["id"]:
            raise CloudError(
                f"Cinder reverts a volume to its newest snapshot only, and that is {newest['name'] or newest['id']}. Remove "
                "newer ones first, or make a new volume with restore_to: new."
            )
