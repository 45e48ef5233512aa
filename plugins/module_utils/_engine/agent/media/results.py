# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Results and records of backups of servers and volumes, with the same keys as those of files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...action.options import Options
from ...openstack.resources import Resource
from .. import results
from .copied import Run
from .image_set import ImageSet
from .manifest import CloudManifest, StoredImage

_FULL = "images are always full"
#: The key of a record for the id of the resource, by medium.
ID_KEYS = {"nova": "nova_inst_id", "cinder": "cinder_vol_id", "cindernative": "cindernative_vol_id"}


def about(options: Options, resource: Resource, name: str) -> dict[str, Any]:
    """The keys of a result that identify the source."""
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
    """The result of a dry run."""
    level = {"level": 0, "reason": _FULL, "parent_backup_id": None, "consistency": consistency}
    return {**about(options, resource, name), **level}


def described(manifest: CloudManifest) -> dict[str, Any]:
    """The keys of a result that identify an image."""
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
    """The outcome of a backup in one storage."""
    failure = run.fan_out.failures.get(one.storage)
    outcome = {"outcome": "success"} if failure is None else {"outcome": "failed", "message": str(failure)}
    return {**results.place(one, manifest), **outcome}


def done(options: Options, stored: StoredImage, run: Run[ImageSet], problems: Sequence[str]) -> dict[str, Any]:
    """The result of a backup."""
    manifest = stored.manifest
    made = results.made_in(
        options,
        manifest,
        run.fan_out,
        outcome="success",
        path=manifest.source,
        source_bytes=manifest.stored_bytes,
        consistency=manifest.consistency,
        hold=manifest.hold,
    )
    own = {
        **own_record(manifest.medium, manifest.resource_id, manifest.resource_name),
        "folder": f"{manifest.resource_id}/{manifest.folder}",
        "disks": disks(manifest),
        "manifest_sha256": stored.manifest_sha256,
    }
    return {
        **described(manifest),
        **made.result(),
        "reason": _FULL,
        "parent_backup_id": None,
        "storages": [_stored_in(one, manifest, run) for one in run.sets],
        "disks": disks(manifest),
        "problems": list(problems),
        "metadata": made.record(options, own),
    }


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


def own_record(medium: str, resource_id: str, resource_name: str) -> dict[str, Any]:
    """The keys of a record that every backup of a server or a volume has."""
    return {
        "backup_media": medium,
        ID_KEYS[medium]: resource_id,
        "resource_id": resource_id,
        "resource_name": resource_name,
    }


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
