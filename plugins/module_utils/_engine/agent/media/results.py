# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What work on servers and volumes says, in the same words as that on files, and as the body of a POST to /backups."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...action.equivalent_command import backup_command
from ...action.options import Options
from ...openstack.resources import Resource
from ...repository.segments import FanOut
from ...version import VERSION
from .. import results
from .base import Run
from .image_set import ImageSet
from .manifest import CloudManifest, StoredImage

_MEBIBYTE = 1 << 20
_FULL = "images are always full"
#: The keys under which records have the ids, by medium.
ID_KEYS = {"nova": "nova_inst_id", "cinder": "cinder_vol_id", "cindernative": "cindernative_vol_id"}


def about(options: Options, resource: Resource, name: str) -> dict[str, Any]:
    """Whose backup it is."""
    medium = options.backup_media
    return {
        "hostname": options.host,
        "backup_name": name,
        "backup_media": medium,
        "path_to_backup": f"{medium}:{resource['id']}",
        "resource_id": resource["id"],
        "resource_name": resource.get("name") or "",
    }


def planned(options: Options, resource: Resource, name: str, consistency: str) -> dict[str, Any]:
    """What would be made."""
    level = {"level": 0, "reason": _FULL, "parent_backup_id": None, "consistency": consistency}
    return {**about(options, resource, name), **level}


def described(manifest: CloudManifest) -> dict[str, Any]:
    """An image that is there."""
    return {
        "hostname": manifest.hostname,
        "backup_name": manifest.backup_name,
        "backup_media": manifest.medium,
        "path_to_backup": manifest.source,
        "resource_id": manifest.resource_id,
        "resource_name": manifest.resource_name,
        "backup_id": manifest.backup_id,
        "level": 0,
        "timestamp": manifest.began,
        "consistency": manifest.consistency,
    }


def _stored_in(one: ImageSet, manifest: CloudManifest, run: Run[ImageSet]) -> dict[str, Any]:
    """What became of an image in one storage."""
    failure = run.fan_out.failures.get(one.storage)
    outcome = {"outcome": "success"} if failure is None else {"outcome": "failed", "message": str(failure)}
    return {**results.place(one, manifest), **outcome}


def done(options: Options, stored: StoredImage, run: Run[ImageSet], problems: Sequence[str]) -> dict[str, Any]:
    """What became of a backup."""
    manifest = stored.manifest
    outcome = "partial" if run.fan_out.failures else "success"
    return {
        **described(manifest),
        "changed": True,
        "outcome": outcome,
        "reason": _FULL,
        "parent_backup_id": None,
        "storages": [_stored_in(one, manifest, run) for one in run.sets],
        "disks": disks(manifest),
        "source_bytes": manifest.stored_bytes,
        "stored_bytes": manifest.stored_bytes,
        "held_seconds": held_seconds(manifest.hold),
        "problems": list(problems),
        "duration_seconds": round(manifest.time_ended - manifest.time_started, 3),
        "metadata": _metadata(options, stored, outcome, run.fan_out),
    }


def held_seconds(hold: dict[str, Any] | None) -> float | None:
    """How long something was held still."""
    seconds = hold["held_seconds"] if hold else None
    return None if seconds is None else round(float(seconds), 3)


def disks(manifest: CloudManifest) -> list[dict[str, Any]]:
    """The objects of an image, with sizes in bytes."""
    return [
        {
            "object": f"{manifest.resource_id}/{disk.name}",
            "bytes": disk.bytes,
            "sha256": disk.sha256,
            "disk_format": disk.disk_format,
            "volume_id": (disk.volume or {}).get("id"),
        }
        for disk in manifest.disks
    ]


def record(
    options: Options,
    name: str,
    medium: str,
    resource_id: str,
    resource_name: str,
    place: tuple[str | None, str | None] = (None, None),
) -> dict[str, Any]:
    """What every record of a cloud backup has. ``place`` is the storage and the container of what Cinder does not keep."""
    return {
        "hostname": options.host,
        "host_name": options.host,
        "backup_name": name,
        "mode": options.mode if options.mode != "fs" else medium,
        "backup_media": medium,
        "engine_name": medium,
        "action": "backup",
        "path_to_backup": f"{medium}:{resource_id}",
        ID_KEYS[medium]: resource_id,
        "resource_id": resource_id,
        "resource_name": resource_name,
        "compression": "none",
        "encrypted": False,
        "cli": backup_command(options, *place),
        "version": VERSION,
    }


def mebibytes(number: int) -> int:
    """A size in bytes, rounded up."""
    return math.ceil(number / _MEBIBYTE)


def _metadata(options: Options, stored: StoredImage, outcome: str, fan_out: FanOut) -> dict[str, Any]:
    manifest = stored.manifest
    first = fan_out.working()[0]
    found = {
        **record(
            options,
            manifest.backup_name,
            manifest.medium,
            manifest.resource_id,
            manifest.resource_name,
            (first.kind, first.container),
        ),
        "backup_id": manifest.backup_id,
        "storage": first.kind,
        "container": first.container,
        "folder": f"{manifest.resource_id}/{manifest.folder}",
        "time_stamp": manifest.timestamp,
        "level": 0,
        "curr_backup_level": 0,
        "backup_size_uncompressed": mebibytes(manifest.stored_bytes),
        "backup_size_compressed": mebibytes(manifest.stored_bytes),
        "source_bytes": manifest.stored_bytes,
        "stored_bytes": manifest.stored_bytes,
        "disks": disks(manifest),
        "outcome": outcome,
        "consistency": manifest.consistency,
        "held_seconds": held_seconds(manifest.hold),
        "manifest_sha256": stored.manifest_sha256,
        "duration_seconds": round(manifest.time_ended - manifest.time_started, 3),
        "time_started": int(manifest.time_started),
        "time_ended": int(manifest.time_ended),
    }
    return {key: value for key, value in found.items() if value is not None}


def listed(one: ImageSet, stored: StoredImage) -> dict[str, Any]:
    """One image as a line of a list."""
    manifest = stored.manifest
    return {
        **described(manifest),
        "outcome": manifest.outcome,
        "source_bytes": manifest.stored_bytes,
        "stored_bytes": manifest.stored_bytes,
        "compression": "none",
        "parent_backup_id": None,
        "storage": one.storage.kind,
        "container": one.storage.container,
        "folder": f"{one.folder}/{manifest.folder}",
    }
