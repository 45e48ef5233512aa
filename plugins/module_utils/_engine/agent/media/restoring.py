# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Restore images as new servers and volumes; existing ones stay untouched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any, Callable

from ...openstack.block_storage.volume_images import remove_volumes, volume_of_image
from ...openstack.compute.server_restore import ServerRestore
from ...openstack.errors import CloudError
from ...openstack.images import delete_image, images_named, upload
from ...openstack.resources import Resource
from ...progress import Progress
from ...system.undo import on_failure
from .content import verified_blocks
from .image_set import ImageSet
from .manifest import CloudManifest, Disk
from .source import Workplace


def restore(
    work: Workplace, one: ImageSet, manifest: CloudManifest, progress: Progress, dry_run: bool
) -> dict[str, Any]:
    """Make a new server or volume of an image, once. Raises FreezerError; new resources are removed then."""
    return _Restore(work.named(f"freezer-{manifest.backup_id}"), one, manifest, progress).run(dry_run)


class _Restore:
    def __init__(self, work: Workplace, one: ImageSet, manifest: CloudManifest, progress: Progress) -> None:
        self._work = work
        self._set = one
        self._manifest = manifest
        self._progress = progress
        stamp = f"{manifest.resource_name or manifest.resource_id}~{manifest.timestamp}"
        self._name = work.options.restore_as or stamp

    def run(self, dry_run: bool) -> dict[str, Any]:
        if self._manifest.medium == "cinder":
            return self._volume(self._manifest.disks[0], self._name, dry_run)
        if (self._manifest.server or {}).get("boots_from_volume"):
            return self._server_of_volumes(dry_run)
        return self._server_of_image(dry_run)

    # ------------------------------------------------------------------ volumes

    def _marks(self, disk: Disk) -> dict[str, str]:
        return {"freezer_backup_id": self._manifest.backup_id, "freezer_object": disk.name}

    def _known_volume(self, disk: Disk, name: str) -> Resource | None:
        for one in self._work.volumes.fresh():
            own = one.get("metadata") or {}
            is_ours = one["name"] == name and all(own.get(key) == value for key, value in self._marks(disk).items())
            if is_ours and one["status"] in ("available", "in-use"):
                return one
        return None

    def _volume(self, disk: Disk, name: str, dry_run: bool) -> dict[str, Any]:
        known = self._known_volume(disk, name)
        if known is not None:
            about = {"restored_volume": name, "restored_volume_id": known["id"]}
            return {"changed": False, "outcome": "unchanged", **about}
        if dry_run:
            return {"changed": True, "outcome": "planned", "restored_volume": name}
        with ExitStack() as stack:
            stack.callback(self._work.quietly, f"The image {self._work.temporary}", self._work.remove_images)
            self._work.remove_images()
            made = self._new_volume(disk, name)
        return {"changed": True, "outcome": "success", "restored_volume": name, "restored_volume_id": made["id"]}

    def _new_volume(self, disk: Disk, name: str) -> Resource:
        work, about = self._work, disk.volume or {}
        image = self._upload(disk)
        like = {"size": about["size_gib"], "volume_type": self._known_type(about.get("volume_type"))}
        made = volume_of_image(work.volumes, name, image, like, self._marks(disk), work.clock())
        if not about.get("bootable"):
            # Cinder marks every volume that is made of an image as bootable.
            path = f"/volumes/{made['id']}/action"
            work.volumes.service.request("POST", path, {"os-set_bootable": {"bootable": False}})
        return made

    def _known_type(self, wanted: str | None) -> str | None:
        """The former type of the volume if this cloud has it, else None for the cloud's default."""
        known = self._work.volumes.service.request("GET", "/types").document["volume_types"]
        return wanted if wanted in [one["name"] for one in known] else None

    def _upload(self, disk: Disk, **facts: str) -> Resource:
        about = {
            "disk_format": disk.disk_format,
            "container_format": disk.container_format,
            "min_disk": disk.min_disk_gib,
            "min_ram": disk.min_ram_mib,
            **disk.properties,
            **facts,
        }
        self._progress.begin("restore", disk.bytes)

        def content() -> Iterator[bytes]:
            return verified_blocks(self._set, disk, self._progress)

        try:
            return upload(self._work.cloud, self._work.temporary, about, content, self._work.clock())
        finally:
            self._progress.end()

    # ------------------------------------------------------------------ servers

    def _about_server(self) -> dict[str, Any]:
        server = self._manifest.server or {}
        about = {key: server[key] for key in ("flavorRef", "networks", "key_name") if key in server}
        if self._work.options.nova_restore_network:
            about["networks"] = [{"uuid": self._work.options.nova_restore_network}]
        return about

    def _boot(self, about: dict[str, Any], dry_run: bool) -> dict[str, Any]:
        work = self._work
        restore = ServerRestore(work.cloud, work.servers, work.run, work.timeout_seconds)
        marks = {"freezer_backup_id": self._manifest.backup_id}
        return restore.boot(self._name, {**self._about_server(), **about}, marks, dry_run)

    def _server_of_image(self, dry_run: bool) -> dict[str, Any]:
        planned = self._boot({}, dry_run=True)
        if dry_run or not planned["changed"]:
            return planned
        disk = self._manifest.disks[0]
        known = [one for one in images_named(self._work.cloud, self._work.temporary) if one["status"] == "active"]
        image = known[0] if known else self._work_upload(disk)
        with ExitStack() as stack:
            if not known:
                what = f"The image {image['id']}"
                stack.enter_context(on_failure(lambda: self._work.quietly(what, lambda: self._delete_image(image))))
            # The image stays: Nova needs it to move or rebuild the server.
            return {**self._boot({"imageRef": image["id"]}, dry_run=False), "image_id": image["id"]}

    def _delete_image(self, image: Resource) -> None:
        delete_image(self._work.cloud, image["id"])

    def _work_upload(self, disk: Disk) -> Resource:
        self._work.remove_images()
        with on_failure(lambda: self._work.quietly("The unfinished image", self._work.remove_images)):
            return self._upload(disk, freezer_backup_id=self._manifest.backup_id)

    def _server_of_volumes(self, dry_run: bool) -> dict[str, Any]:
        planned = self._boot({}, dry_run=True)
        if dry_run or not planned["changed"]:
            return planned
        mapping: list[dict[str, Any]] = []
        undo: list[Callable[[], None]] = []
        try:
            for number, disk in enumerate(self._manifest.disks):
                name = f"{self._name}-{number}"
                made = self._volume(disk, name, dry_run=False)
                if made["changed"]:
                    undo.append(lambda name=name, disk=disk: self._remove_volume(name, disk))  # type: ignore[misc]
                mapping.append(_mapped(made["restored_volume_id"], disk))
            return {**self._boot({"block_device_mapping_v2": mapping}, dry_run=False), "volume_ids": _ids(mapping)}
        except BaseException as problem:
            if not (isinstance(problem, CloudError) and "timeout" in str(problem)):
                for step in undo:
                    self._work.quietly("A new volume", step)
            raise

    def _remove_volume(self, name: str, disk: Disk) -> None:
        remove_volumes(self._work.volumes, name, self._work.clock(), self._marks(disk))


def _mapped(volume_id: str, disk: Disk) -> dict[str, Any]:
    found: dict[str, Any] = {
        "uuid": volume_id,
        "source_type": "volume",
        "destination_type": "volume",
        "delete_on_termination": False,
        "boot_index": -1 if disk.boot_index is None else disk.boot_index,
    }
    return found


def _ids(mapping: Sequence[dict[str, Any]]) -> list[str]:
    return [str(one["uuid"]) for one in mapping]
