# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The medium cinder: a volume as an image, by way of a snapshot, a temporary volume and a temporary image."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from ...openstack.block_storage.volume_copies import VolumeSnapshotOptions
from ...openstack.block_storage.volume_images import remove_those
from ...openstack.block_storage.volumes import VolumeSnapshots
from ...openstack.listing import snapshots_of_volumes
from ...openstack.resources import Resource, snapshot_title
from .quiesced import taken_while_held
from .source import Copy, Source, Taken, Workplace, about_volume


class VolumeSource(Source):
    """The medium ``cinder``."""

    medium = "cinder"

    def __init__(self, work: Workplace, resource: Resource) -> None:
        super().__init__(work, resource)
        self._snapshot_id = ""

    @staticmethod
    def resource_of(work: Workplace) -> Resource:
        """The volume. Raises CloudError if there is none."""
        return work.volumes.one(work.options.cinder_vol_id, work.options.cinder_vol_name, "volume")

    def _snapshots(self, **options: Any) -> VolumeSnapshots:
        wanted = VolumeSnapshotOptions(self._work.temporary, timeout_seconds=self._work.timeout_seconds, **options)
        return VolumeSnapshots(self._work.cloud, wanted)

    def consistency(self) -> str:
        return "crash" if self.resource["status"] == "in-use" else "fs"

    def clear(self) -> None:
        self._work.remove_images()
        self._work.remove_volumes()
        self._remove_snapshot()

    def _remove_snapshot(self) -> None:
        title = snapshot_title("volume", self.resource["id"], self._work.temporary, True)
        known = snapshots_of_volumes(self._work.cloud)
        remove_those(known, "snapshot", lambda one: one["name"] == title, self._work.cleaning_clock(), title)

    def take(self, stack: ExitStack) -> Taken:
        stack.callback(self._work.quietly, f"The snapshot {self._work.temporary}", self._remove_snapshot)
        volume_id = self.resource["id"]
        # A snapshot of Cinder is complete when it is available: nothing is uploaded.
        hold = taken_while_held(
            self._work.options, lambda held_as: self._snapshots(held={volume_id: held_as}).present([volume_id])
        )
        found = self._snapshots().present([volume_id])["snapshots"][0]
        self._snapshot_id = found["snapshot_id"]
        return Taken(found["consistency"], hold)

    def copies(self) -> Iterator[Copy]:
        snapshot = {"id": self._snapshot_id, "size": self.resource["size"]}
        with self._work.image_of_snapshot(snapshot, self.resource.get("volume_type")) as image:
            yield Copy(image, volume=about_volume(self.resource))
