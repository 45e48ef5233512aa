# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Servers that boot from volumes: the snapshots of those, which an image without bytes stands for.

Nova makes such an image by asking Cinder for one snapshot after the other. Where the volumes are a group of Cinder, one snapshot
of the group is taken here and the image made of it, with the properties that Nova gives its own (``snapshot_volume_backed`` and
``snapshot_from_bdm`` in Nova 26), so that Nova boots servers from it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ..block_storage.group_snapshots import GroupSnapshots, Part
from ..block_storage.volume_images import remove_those
from ..connection import Cloud
from ..errors import CloudError
from ..images import upload
from ..listing import Volumes, snapshots_of_volumes
from ..resources import Resource
from ..waiting import Clock

#: What Nova says of attached volumes: whether they go with their server.
_ATTACHMENTS_VERSION = {"OpenStack-API-Version": "compute 2.79"}
#: How a server is to be built, which an image of it has to say too, and what of that is Glance's own business.
_BUILT_WITH = ("hw_", "os_", "architecture", "hypervisor_type", "vm_mode")
_OF_GLANCE = ("os_hash_", "os_glance_")


def snapshot_ids(image: Resource) -> list[str]:
    """The snapshots of volumes that an image of a server with volumes stands for."""
    return [str(one["snapshot_id"]) for one in _mapping(image) if one.get("snapshot_id")]


def _mapping(image: Resource) -> list[dict[str, Any]]:
    try:
        found = json.loads(image.get("block_device_mapping") or "[]")
    except ValueError:
        return []
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


class ServerVolumes:
    """The volumes of the servers of one call, and their snapshots. Any number of threads may ask."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._volumes = Volumes(cloud)
        self._snapshots = snapshots_of_volumes(cloud)
        self._groups = GroupSnapshots(cloud, self._snapshots)

    def snapshots_of(self, image: Resource) -> list[tuple[str, Resource | None]]:
        """The ids of those that an image stands for, each with what Cinder says of it, if it has it. Raises RestError."""
        wanted = snapshot_ids(image)
        if any(self._snapshots.get(one) is None for one in wanted):
            # They may be younger than the list.
            self._snapshots.expire()
        return [(one, self._snapshots.get(one)) for one in wanted]

    def named(self, title: str) -> list[Resource]:
        """Those that Nova, or a run of ours that was killed, has taken for an image of this name. Raises RestError."""
        # Parts of a group snapshot have its own name at first.
        return [one for one in self._snapshots.fresh() if one["name"] in (title, _part_title(title))]

    def group_of(self, server: Resource) -> str | None:
        """The group of Cinder that all volumes of a server, and no others, are in; None if none of them is in one.

        Raises CloudError if only some are, or if the group has others as well.
        """
        own = self._attached(server)
        groups = sorted(str(one["group_id"]) for one in own if one.get("group_id"))
        if not groups:
            return None
        group_id = groups[0]
        apart = [one for one in own if one.get("group_id") != group_id]
        more = [one for one in self._volumes.fresh() if one.get("group_id") == group_id and one not in own]
        if apart or more:
            what = "does not have all of its volumes" if apart else "has volumes that are not its own"
            names = ", ".join(sorted(one["name"] or one["id"] for one in apart or more))
            raise CloudError(
                f"The group {group_id} of Cinder {what}: {names}. A group snapshot of a server needs a group of just its "
                "volumes; change the group, or leave as_groups out."
            )
        return group_id

    def take(self, server: Resource, group_id: str, title: str, marks: Mapping[str, str], clock: Clock) -> Resource:
        """Take a snapshot of a server's group, and make the image that stands for it. Raises FreezerError."""
        own = self._attached(server)
        self._groups.take(group_id, title, {one["id"]: Part(_part_title(title), marks) for one in own}, clock)
        taken = {one["volume_id"]: one for one in self.named(title)}
        facts = {**self._facts(server, own, taken), **marks}
        return upload(self._cloud, title, facts, lambda: (), clock)

    def remove(self, snapshots: Sequence[str], clock: Clock) -> None:
        """Remove snapshots by their ids, those of a group together, and wait until they are gone. Raises FreezerError."""
        known = [found for found in map(self._snapshots.get, snapshots) if found is not None]
        volumes = {one["volume_id"] for one in known}
        for group_snapshot_id in {one["group_snapshot_id"] for one in known if one.get("group_snapshot_id")}:
            self._groups.remove(group_snapshot_id, volumes, clock)
        single = {one["id"] for one in known if not one.get("group_snapshot_id")}
        if single:
            what = f"the snapshots of volumes {', '.join(sorted(single))}"
            remove_those(self._snapshots, "snapshot", lambda one: one["id"] in single, clock, what)

    # ------------------------------------------------------------------

    def _attached(self, server: Resource) -> list[Resource]:
        wanted = {one["id"] for one in server.get("os-extended-volumes:volumes_attached") or []}
        return [one for one in self._volumes.fresh() if one["id"] in wanted]

    def _facts(self, server: Resource, volumes: Sequence[Resource], taken: Mapping[str, Resource]) -> dict[str, Any]:
        """What Glance has to be told of the image."""
        path = f"/servers/{quote(server['id'])}/os-volume_attachments"
        answer = self._cloud.service("compute").request("GET", path, headers=_ATTACHMENTS_VERSION).document
        attachments = {one["volumeId"]: one for one in answer["volumeAttachments"]}
        root = _root_of(server, volumes, attachments)
        mapping = [
            {
                "source_type": "snapshot",
                "destination_type": "volume",
                "snapshot_id": taken[one["id"]]["id"],
                "volume_size": one["size"],
                "device_name": attachments[one["id"]].get("device"),
                "boot_index": 0 if one["id"] == root["id"] else -1,
                "delete_on_termination": bool(attachments[one["id"]].get("delete_on_termination")),
            }
            for one in sorted(volumes, key=lambda one: one["id"] != root["id"])
        ]
        built = root.get("volume_image_metadata") or {}
        return {
            **{
                key: str(value)
                for key, value in built.items()
                if key.startswith(_BUILT_WITH) and not key.startswith(_OF_GLANCE)
            },
            "block_device_mapping": json.dumps(mapping),
            "bdm_v2": "True",
            "root_device_name": attachments[root["id"]].get("device") or "/dev/vda",
            "visibility": "private",
            "container_format": "bare",
            "disk_format": "raw",
            "min_ram": int(built.get("min_ram") or 0),
            "min_disk": int(built.get("min_disk") or 0),
        }


def _part_title(title: str) -> str:
    """What Nova calls a snapshot of a volume that belongs to an image."""
    return f"snapshot for {title}"


def _root_of(server: Resource, volumes: Sequence[Resource], attachments: Mapping[str, Mapping[str, Any]]) -> Resource:
    """The volume that a server boots from. Which device that is Nova tells administrators only; to others it is the first."""
    told = server.get("OS-EXT-SRV-ATTR:root_device_name")

    def place(volume: Resource) -> tuple[bool, bool, int, str]:
        device = str(attachments[volume["id"]].get("device") or "")
        return device != told, str(volume.get("bootable")).lower() != "true", len(device), device

    return min(volumes, key=place)
