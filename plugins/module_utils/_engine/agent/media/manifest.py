# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The manifest of an image of a server or a volume. It is written last: an image exists when its manifest exists.

docs/clouds.md explains every field.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from ...repository import shape
from ...repository.errors import DamagedArchive
from ...repository.manifest import began, digest, is_itself, with_digest

FORMAT = "freezer-cloud-image"
FORMAT_VERSION = 1
_HEAD = ("format", "format_version", "self_sha256")


@dataclass(frozen=True)
class Disk:
    """The bytes of one disk, and the properties that Glance needs to restore them. Sizes are bytes unless the name says otherwise."""

    #: The name of the object below the folder of the resource.
    name: str
    bytes: int
    sha256: str
    disk_format: str
    container_format: str
    min_disk_gib: int = 0
    min_ram_mib: int = 0
    properties: dict[str, str] = field(default_factory=dict)
    boot_index: int | None = None
    device_name: str | None = None
    #: The volume that was copied: id, name, size_gib, volume_type, bootable. None for a server's own disk.
    volume: dict[str, Any] | None = None


@dataclass
class CloudManifest:
    """The fields of the manifest. Times are seconds since 1970 (UTC)."""

    medium: str
    backup_id: str
    #: The host whose agent made it.
    hostname: str
    backup_name: str
    resource_id: str
    resource_name: str
    timestamp: int
    time_started: float
    time_ended: float
    consistency: str
    hold: dict[str, Any] | None
    #: The flavor, networks and key of the server.
    server: dict[str, Any] | None
    disks: list[Disk]

    level = 0
    parent = None
    outcome = "success"

    @property
    def stored_bytes(self) -> int:
        """The size of all disks in the storage."""
        return sum(disk.bytes for disk in self.disks)

    @property
    def began(self) -> int:
        """The start of the backup, by the clock of its host."""
        return began(self.timestamp, self.time_started)

    @property
    def folder(self) -> str:
        """The name of its folder below the folder of the resource."""
        return str(self.timestamp)

    @property
    def source(self) -> str:
        """What was copied, as ``path_to_backup`` of its record."""
        return f"{self.medium}:{self.resource_id}"

    def to_bytes(self) -> bytes:
        """The manifest as it is stored."""
        return with_digest({"format": FORMAT, "format_version": FORMAT_VERSION}, asdict(self))


@dataclass(frozen=True)
class StoredImage:
    """A manifest, the folder of its resource, and the SHA-256 of its stored form."""

    manifest: CloudManifest
    folder: str
    manifest_sha256: str


_TEXT = shape.text(4096)
_VOLUME = {
    "id": _TEXT,
    "name": shape.optional(_TEXT),
    "size_gib": shape.whole(0, 1 << 40),
    "volume_type": shape.optional(_TEXT),
    "bootable": shape.switch,
}
_DISK = {
    "name": shape.text(64, r"[0-9]{1,15}(/[^/\0.][^/\0]*)?"),
    "bytes": shape.whole(),
    "sha256": shape.SHA256,
    "disk_format": _TEXT,
    "container_format": _TEXT,
    "min_disk_gib": shape.whole(0, 1 << 40),
    "min_ram_mib": shape.whole(0, 1 << 40),
    "properties": shape.mapping_of(shape.text()),
    "boot_index": shape.optional(shape.whole(-1, 1 << 20)),
    "device_name": shape.optional(_TEXT),
    "volume": shape.optional(shape.record(_VOLUME)),
}
_SHAPE = shape.record(
    {
        "format": shape.one_of(FORMAT),
        "format_version": shape.whole(FORMAT_VERSION, FORMAT_VERSION),
        "self_sha256": shape.SHA256,
        "medium": _TEXT,
        "backup_id": shape.UUID,
        "hostname": shape.NAME,
        "backup_name": shape.NAME,
        "resource_id": shape.text(255, r"[^/\0\n.][^/\0\n]*"),
        "resource_name": _TEXT,
        "timestamp": shape.SECONDS,
        "time_started": shape.number(),
        "time_ended": shape.number(),
        "consistency": shape.one_of("crash", "fs", "app"),
        "hold": shape.optional(shape.facts),
        "server": shape.optional(shape.facts),
        "disks": shape.list_of(shape.record(_DISK), least=1),
    }
)


def parse(stored: bytes, where: str) -> CloudManifest:
    """The manifest in these bytes. Raises DamagedArchive if this release cannot read them."""
    try:
        document = shape.loads(stored)
        if document.get("format") != FORMAT:
            raise shape.Misshapen("its format is another one")
        version = document.get("format_version")
        if version != FORMAT_VERSION:
            raise DamagedArchive(
                f"{where} has the format version {version!r}, and this release reads {FORMAT_VERSION}; use a newer one."
            )
        _SHAPE(document)
        if not is_itself(stored):
            raise DamagedArchive(f"{where} is not what was written (its SHA-256 differs).")
        fields = {name: value for name, value in document.items() if name not in _HEAD}
        fields["disks"] = [Disk(**disk) for disk in fields["disks"]]
        manifest = CloudManifest(**fields)
        for disk in manifest.disks:
            if disk.name.partition("/")[0] != manifest.folder:
                raise DamagedArchive(f"{where} names an object {disk.name!r} outside its backup.")
    except (ValueError, RecursionError) as problem:
        raise DamagedArchive(f"{where} is not the manifest of an image ({shape.said(problem)}).") from problem
    return manifest


def stored_image(stored: bytes, folder: str, where: str) -> StoredImage:
    """The image of a stored manifest. Raises DamagedArchive."""
    return StoredImage(parse(stored, where), folder, digest(stored))
