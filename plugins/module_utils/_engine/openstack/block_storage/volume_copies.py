# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What there is of volumes in Cinder under the name that a call has: snapshots, backups, and the snapshots that those are made of.

Lists are asked for once for all volumes of a call, so the number of requests for each volume is small and stays so.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from ...http.errors import Conflict
from ..connection import Cloud
from ..errors import CloudError, deletion_failed
from ..listing import CopiesOfVolumes, Volumes, backups_of_volumes, snapshots_of_volumes
from ..resources import OWNER, Resource, age_seconds, mark, new_run, newest_first, snapshot_title
from ..snapshots import SnapshotOptions
from ..waiting import Clock
from .group_snapshots import GroupSnapshots

BROKEN = ("error", "error_deleting", "error_restoring")
#: Another client, or a run that was killed, has asked Cinder for something that ends by itself.
_AT_WORK = ("creating", "backing-up", "restoring", "updating")
#: By so much, either way, a clock of the cloud may differ from ours.
_CLOCKS_AGREE_WITHIN_SECONDS = 60


@dataclass(frozen=True)
class VolumeSnapshotOptions(SnapshotOptions):
    """Those of volumes. ``incremental`` is a snapshot, else it is a backup."""

    timeout_seconds: float = 1200.0
    #: ``auto`` is incremental where there is a backup of this set to build on, else full.
    backup_level: str = "full"
    container: str | None = None
    #: So many full backups of a set are kept, with what builds on them; None keeps all.
    rotation: int | None = None
    #: ``same`` volume or a ``new`` one.
    restore_to: str = "same"


class VolumeCopies:
    """The copies of the volumes of one call. Any number of threads may ask."""

    def __init__(self, cloud: Cloud, options: VolumeSnapshotOptions) -> None:
        self.options = options
        self.volumes = Volumes(cloud)
        self.snapshots = snapshots_of_volumes(cloud)
        self.backups = backups_of_volumes(cloud)
        #: Those that the call is about.
        self.own = self.snapshots if options.incremental else self.backups
        self.groups = GroupSnapshots(cloud, self.snapshots)
        #: The ids of the volumes that are named in the call.
        self.asked: frozenset[str] = frozenset()
        self.run = new_run()

    # ------------------------------------------------------------------ names

    def title(self, volume: Resource) -> str:
        """What a volume's snapshot or backup is called. Raises CloudError if that would be too long."""
        return snapshot_title("volume", volume["id"], self.options.snapshot_name, self.options.incremental)

    def held_title(self, volume: Resource) -> str:
        """What the snapshot is called of which a backup is made later."""
        return f"{self.title(volume)}-held"

    def group_title(self, group_id: str) -> str:
        """What the snapshot of a group is called, and its parts until they get names of their own."""
        title = snapshot_title("group", group_id, self.options.snapshot_name, self.options.incremental)
        return title if self.options.incremental else f"{title}-held"

    # ------------------------------------------------------------------ what there is

    def whole(self, volume: Resource) -> Resource | None:
        """The snapshot or backup of this name, if it is whole."""
        known = self.own.named(self.title(volume), volume["id"])
        return next((one for one in known if one["status"] == "available"), None)

    def held_snapshot(self, volume: Resource) -> Resource | None:
        """The snapshot that was taken while an application was quiesced, and that the backup is made of."""
        if self.options.incremental:
            return None
        known = self.snapshots.named(self.held_title(volume), volume["id"])
        return next((one for one in known if one["status"] not in BROKEN), None)

    def going_on(self, volume: Resource) -> list[Resource]:
        """Those of this name that are still being made."""
        known = self.own.named(self.title(volume), volume["id"])
        return [one for one in known if one["status"] in ("creating", "backing-up")]

    def known(self, volume: Resource) -> list[tuple[CopiesOfVolumes, Resource]]:
        """All that there is of this name."""
        titles = [] if self.options.incremental else [self.held_title(volume)]
        if volume.get("group_id"):
            # A run that was killed has named the group snapshot, and not yet its parts.
            titles.append(self.group_title(volume["group_id"]))
        return [(self.own, one) for one in self.own.named(self.title(volume), volume["id"])] + [
            (self.snapshots, one) for title in titles for one in self.snapshots.named(title, volume["id"])
        ]

    def young(self, volume: Resource) -> Resource | None:
        """One of any name that is younger than what is asked for."""
        min_age = self.options.min_age
        if min_age is None:
            return None
        known = newest_first(self.own_of(volume))
        return next((one for one in known if age_seconds(one["created_at"]) < min_age), None)

    def own_of(self, volume: Resource) -> list[Resource]:
        """All of a volume that are whole and were made by this collection."""
        return [
            one
            for one in self.own.fresh()
            if one.get("volume_id") == volume["id"]
            and mark(one, "freezer_owner") == OWNER
            and one["status"] == "available"
        ]

    def base(self, volume: Resource) -> Resource | None:
        """The backup that an incremental one builds on. Raises CloudError if there has to be one and is none."""
        if self.options.incremental or self.options.backup_level == "full":
            return None
        known = [
            one for one in self.backups.fresh() if one["volume_id"] == volume["id"] and one["status"] == "available"
        ]
        if not known:
            if self.options.backup_level == "incremental":
                raise CloudError(
                    "There is no backup of it that an incremental one could build on; take a full one first."
                )
            return None
        # Cinder builds on the newest one, also of another program.
        return newest_first(known)[0]

    def let_second_pass(self, volume: Resource) -> None:
        """Wait until a new backup cannot be of the same second as the newest one: Cinder keeps whole seconds, and builds on
        whichever it meets first of two that are equally new."""
        made = [one["created_at"] for one in self.backups.fresh() if one["volume_id"] == volume["id"]]
        if any(abs(age_seconds(stamp)) < _CLOCKS_AGREE_WITHIN_SECONDS for stamp in made):
            time.sleep(1)

    def level(self, base: Resource | None) -> int:
        """0 of a full one."""
        if base is None:
            return 0
        try:
            return int(mark(base, "freezer_level") or 0) + 1
        except ValueError:
            return 1

    # ------------------------------------------------------------------ removal

    def _check_deletable(self, found: Resource | None) -> None:
        if found is not None and found["status"] == "error_deleting":
            raise deletion_failed(f"{found['name']} ({found['id']})", found.get("fail_reason"))

    def _asked_to_remove(self, kind: CopiesOfVolumes, wanted: str) -> bool | None:
        """Whether a removal is under way; None while Cinder works on it and would refuse."""
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

    def remove(self, kind: CopiesOfVolumes, one: Resource, clock: Clock) -> None:
        """Remove one and wait until it is gone; of a group snapshot, all parts. Raises FreezerError."""
        if one.get("group_snapshot_id"):
            self.groups.remove(one["group_snapshot_id"], self.asked, clock)
            return
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
            if found is not None and found["status"] in BROKEN:
                why = found.get("fail_reason") or "Cinder does not say why"
                raise CloudError(f"{one['name']} could not be removed, it is {found['status']}: {why}.")
            return True if found is None else None

        clock.wait(gone, f"The removal of {one['name']}")
