# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The medium nova: a server as the image that Nova makes of its disk, or as images of its volumes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from ...openstack.compute.server_restore import facts_of
from ...openstack.compute.servers import ServerSnapshotOptions, ServerSnapshots
from ...openstack.errors import CloudError
from ...openstack.images import get_image
from ...openstack.resources import Resource
from .quiesced import taken_while_held
from .source import Copy, Source, Taken, Workplace, about_volume


class ServerSource(Source):
    """The medium ``nova``."""

    medium = "nova"

    def __init__(self, work: Workplace, resource: Resource) -> None:
        super().__init__(work, resource)
        self._image: Resource = {}

    @staticmethod
    def resource_of(work: Workplace) -> Resource:
        """The server. Raises CloudError if there is none."""
        return work.servers.one(work.options.nova_inst_id, work.options.nova_inst_name, "server")

    def _snapshots(self, **options: Any) -> ServerSnapshots:
        wanted = ServerSnapshotOptions(self._work.temporary, timeout_seconds=self._work.timeout_seconds, **options)
        return ServerSnapshots(self._work.cloud, wanted)

    def consistency(self) -> str:
        planned = self._snapshots().present([self.resource["id"]], dry_run=True)["snapshots"][0]
        return str(planned["consistency"])

    def clear(self) -> None:
        self._work.remove_images()
        self._work.remove_volumes()
        self._remove_snapshot()

    def _remove_snapshot(self) -> None:
        self._snapshots().absent([self.resource["id"]])

    def take(self, stack: ExitStack) -> Taken:
        server_id = self.resource["id"]
        facts = facts_of(self._work.servers, self.resource)
        facts["boots_from_volume"] = not self.resource.get("image")
        stack.callback(self._work.quietly, f"The snapshot {self._work.temporary}", self._remove_snapshot)
        hold = taken_while_held(
            self._work.options,
            lambda held_as: self._snapshots(wait_for="taken", held={server_id: held_as}).present([server_id]),
        )
        found = self._snapshots().present([server_id])["snapshots"][0]
        image = get_image(self._work.cloud, found["image_id"])
        if image is None:
            raise CloudError(f"The image {found['image_id']} was removed while it was copied.")
        self._image = image
        return Taken(found["consistency"], hold, facts)

    def copies(self) -> Iterator[Copy]:
        if self.resource.get("image"):
            yield Copy(self._image)
            return
        mapping = json.loads(self._image.get("block_device_mapping") or "[]")
        disks = [one for one in mapping if one.get("snapshot_id")]
        # The boot disk comes first: its object has the name of the backup.
        disks.sort(key=lambda one: (one.get("boot_index") not in (0, "0"), str(one.get("device_name"))))
        volumes = self._work.volumes
        for one in disks:
            snapshot = volumes.service.request("GET", f"/snapshots/{one['snapshot_id']}").document["snapshot"]
            volume = volumes.get(snapshot["volume_id"]) or {"id": snapshot["volume_id"], "size": snapshot["size"]}
            index = one.get("boot_index")
            with self._work.image_of_snapshot(snapshot, volume.get("volume_type")) as image:
                yield Copy(
                    image,
                    boot_index=None if index is None else int(index),
                    device_name=one.get("device_name"),
                    volume=about_volume(volume),
                )
