# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The proof that a backup of a server or a volume restores: bytes, a temporary image, a scratch volume, read again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack

from ...openstack.block_storage.volume_copies import VolumeSnapshotOptions
from ...openstack.block_storage.volume_images import image_of_volume, volume_of_image
from ...openstack.block_storage.volumes import VolumeSnapshots
from ...openstack.images import download, upload
from ...openstack.resources import Resource
from ...progress import Progress
from ...repository.errors import DamagedArchive
from .content import check_sizes, verified_blocks
from .image_set import ImageSet
from .manifest import CloudManifest, Disk
from .source import Workplace

_GIBIBYTE = 1 << 30


class HeadHash:
    """The SHA-256 of the first `size` bytes, and whether all further bytes are zeros."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._hash = hashlib.sha256()
        self.rest_is_zero = True

    def update(self, block: bytes) -> None:
        """Add bytes."""
        head, rest = block[: self._left], block[self._left :]
        self._hash.update(head)
        self._left -= len(head)
        if rest and rest.count(0) != len(rest):
            self.rest_is_zero = False

    @property
    def sha256(self) -> str:
        """In hexadecimal digits."""
        return self._hash.hexdigest()


def prove(
    work: Workplace, one: ImageSet, manifest: CloudManifest, check: str, compare_to: str | None, progress: Progress
) -> list[str]:
    """Prove that an image restores; with the `check` ``restore`` the cloud makes a volume of it. The differences from a volume.

    Raises DamagedArchive or CloudError if the proof fails.
    """
    # A restore reads all bytes anyway.
    prove_stored(one, manifest, check == "stream", progress)
    if check != "restore":
        return []
    proof = work.named(f"{work.temporary}-{manifest.resource_id}-proof")
    for disk in manifest.disks:
        _prove_disk(proof, one, disk, progress)
    return _compare(proof, manifest.disks[0], compare_to) if compare_to else []


def prove_stored(one: ImageSet, manifest: CloudManifest, reads: bool, progress: Progress) -> None:
    """Prove that all objects of an image are there; with `reads` check every byte. Raises DamagedArchive."""
    for disk in manifest.disks:
        check_sizes(one, disk)
        if reads:
            _read(one, disk, progress)


def _read(one: ImageSet, disk: Disk, progress: Progress) -> None:
    progress.begin("verify", disk.bytes)
    try:
        for _block in verified_blocks(one, disk, progress):
            pass
    finally:
        progress.end()


def _prove_disk(work: Workplace, one: ImageSet, disk: Disk, progress: Progress) -> None:
    """Upload an image, whose hash Glance computes; if it is raw, make a scratch volume of it and read that."""

    def content() -> Iterator[bytes]:
        return verified_blocks(one, disk, progress)

    with ExitStack() as stack:
        stack.callback(work.quietly, f"The volume {work.temporary}", work.remove_volumes)
        stack.callback(work.quietly, f"The image {work.temporary}", work.remove_images)
        work.remove_images()
        work.remove_volumes()
        progress.begin("verify", disk.bytes)
        try:
            facts = {"disk_format": disk.disk_format, "container_format": disk.container_format}
            image = upload(work.cloud, work.temporary, facts, content, work.clock())
        finally:
            progress.end()
        if disk.disk_format != "raw":
            return
        size = max(-(-disk.bytes // _GIBIBYTE), disk.min_disk_gib, (disk.volume or {}).get("size_gib") or 1)
        marks = {"freezer_run": work.run}
        volume = volume_of_image(work.volumes, work.temporary, image, {"size": size}, marks, work.clock())
        work.remove_images()
        head = hash_of_volume(work, volume, disk.bytes)
    if (head.sha256, head.rest_is_zero) != (disk.sha256, True):
        raise DamagedArchive(
            f"The scratch volume that was made of {one.folder}/{disk.name} differs from the backup: its SHA-256 is "
            f"{head.sha256}, and should be {disk.sha256}."
        )


def hash_of_volume(work: Workplace, volume: Resource, size: int) -> HeadHash:
    """The hash of a volume that is not in use, read from a temporary image. Raises FreezerError."""
    image = image_of_volume(work.cloud, work.volumes, volume["id"], work.temporary, work.clock())
    head = HeadHash(size)
    try:
        download(work.cloud, image, head.update)
    finally:
        work.quietly(f"The image {work.temporary}", work.remove_images)
    return head


def hash_now(work: Workplace, volume: Resource, size: int) -> HeadHash:
    """The hash of a volume as it is now, read from a temporary snapshot. Raises FreezerError."""

    def snapshots() -> VolumeSnapshots:
        return VolumeSnapshots(work.cloud, VolumeSnapshotOptions(work.temporary, timeout_seconds=work.timeout_seconds))

    with ExitStack() as stack:
        snapshots().absent([volume["id"]])
        stack.callback(work.quietly, f"The snapshot {work.temporary}", lambda: snapshots().absent([volume["id"]]))
        taken = snapshots().present([volume["id"]])["snapshots"][0]
        snapshot = {"id": taken["snapshot_id"], "size": volume["size"]}
        with work.image_of_snapshot(snapshot, volume.get("volume_type")) as image:
            head = HeadHash(size)
            download(work.cloud, image, head.update)
    return head


def _compare(work: Workplace, disk: Disk, wanted: str) -> list[str]:
    volume = work.volumes.one(None, wanted, "volume")
    head = hash_now(work, volume, disk.bytes)
    return [] if head.sha256 == disk.sha256 else [f"the bytes of the volume {volume['id']}"]
