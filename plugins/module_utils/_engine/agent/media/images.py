# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Images of servers and volumes into containers of Swift."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

from ...action.options import Options
from ...openstack.images import download
from ...openstack.resources import Resource
from ...progress import Progress
from ...repository.backup_set import set_folder
from ...repository.segments import FannedObject, FanOut
from ...repository.stored_set import MANIFEST_NAME, next_timestamp
from ...storage.containers import Containers
from ...storage.errors import StorageError
from . import results
from .cinder import VolumeSource
from .image_set import ImageSet
from .locations import backup_name, storages_of, workplace
from .manifest import CloudManifest, Disk, StoredImage, stored_image
from .nova import ServerSource
from .source import Copy, Source, Taken, Workplace

_SOURCES: dict[str, type[ServerSource] | type[VolumeSource]] = {"nova": ServerSource, "cinder": VolumeSource}
#: Properties of an image that a server made of it may need; the others are of Glance, or of who made it.
_KEPT_PROPERTIES = ("hw_", "os_", "img_config_drive", "architecture")
_OF_GLANCE = ("os_hash_algo", "os_hash_value", "os_hidden")


@dataclass
class _Run:
    """One backup while it is made."""

    work: Workplace
    source: Source
    fan_out: FanOut
    sets: Sequence[ImageSet]
    name: str
    backup_id: str
    timestamp: int
    progress: Progress


def backup(options: Options, progress: Progress, dry_run: bool) -> dict[str, Any]:
    """Copy a server or a volume to all storages of an action. Raises FreezerError if none has it then."""
    work = workplace(options)
    source: Source = _SOURCES[options.backup_media](work)
    resource = source.resource
    work.temporary = f"{work.temporary}-{resource['id']}"
    name = backup_name(options, resource["id"])
    set_folder(options.host, name)  # the same names as for files
    sets = [ImageSet(storage, resource["id"], name) for storage in storages_of(options)]
    started = time.time()
    containers = Containers(options.init)
    lost = containers.lost(one.storage for one in sets)
    if options.min_age is not None:
        found = [_newest(one) for one in sets if one.storage not in lost]
        young = [one for one in found if one and abs(started - one.manifest.began) < options.min_age]
        if len(young) == len(sets):
            return results.unchanged(options, young[0], sets)
    if dry_run:
        return results.planned(options, resource, name, source.consistency())
    with ExitStack() as stack:
        fan_out = FanOut([one.storage for one in sets])
        for one in sets:
            try:
                if one.storage in lost:
                    raise lost[one.storage]
                containers.prepare(one.storage)
                stack.enter_context(one.hold())
                one.check_owner()
            except StorageError as problem:
                fan_out.failed(one.storage, problem)
        working = [one for one in sets if one.storage in fan_out.working()]
        timestamp, ahead = next_timestamp(working, started, room=1)
        source.clear()
        run = _Run(work, source, fan_out, sets, name, uuid.uuid4().hex, timestamp, progress)
        with ExitStack() as temporary:
            taken = source.take(temporary)
            stored = _store(run, taken, started)
    return results.done(options, stored, sets, fan_out, [*ahead, *work.problems, *containers.problems])


def _newest(one: ImageSet) -> StoredImage | None:
    try:
        return one.newest()
    except StorageError:
        return None  # the container is still to be made


def _store(run: _Run, taken: Taken, started: float) -> StoredImage:
    resource = run.source.resource
    try:
        disks = []
        with closing(run.source.copies()) as copies:  # type: ignore[type-var]
            for number, copy in enumerate(copies):
                disks.append(_store_disk(run, copy, number, taken))
        manifest = CloudManifest(
            medium=run.source.medium,
            backup_id=run.backup_id,
            hostname=run.work.options.host,
            backup_name=run.name,
            resource_id=resource["id"],
            resource_name=resource.get("name") or "",
            timestamp=run.timestamp,
            time_started=started,
            time_ended=time.time(),
            consistency=taken.consistency,
            hold=taken.hold,
            server=taken.server,
            disks=disks,
        )
        content = manifest.to_bytes()
        name = f"{resource['id']}/{manifest.folder}/{MANIFEST_NAME}"
        run.fan_out.each(lambda storage: storage.put(name, content))
    except BaseException:
        _remove_half(run)
        raise
    return stored_image(content, resource["id"], name)


def _store_disk(run: _Run, copy: Copy, number: int, taken: Taken) -> Disk:
    resource, image = run.source.resource, copy.image
    name = f"{run.timestamp}/disk{number}" if number else str(run.timestamp)
    run.progress.begin("backup", int(image["size"]))
    stored = FannedObject(run.fan_out, resource["id"], name)

    def take(block: bytes) -> None:
        stored.write(block)
        run.progress.advance(done_bytes=len(block))

    try:
        download(run.work.cloud, image, take)
        stored.describe(_headers(run, copy, stored.sha256, taken))
        written = stored.commit()
    finally:
        stored.discard()
        run.progress.end()
    return Disk(
        name=name,
        bytes=written.bytes,
        sha256=written.sha256,
        disk_format=image["disk_format"],
        container_format=image["container_format"],
        min_disk_gib=int(image.get("min_disk") or 0),
        min_ram_mib=int(image.get("min_ram") or 0),
        properties=_properties(image),
        boot_index=copy.boot_index,
        device_name=copy.device_name,
        volume=copy.volume,
    )


def _headers(run: _Run, copy: Copy, sha256: str, taken: Taken) -> dict[str, str]:
    """What the large object says of itself, for whoever lists the container with other tools."""
    resource = run.source.resource
    return {
        "Backup-Id": run.backup_id,
        "Backup-Name": run.name,
        "Backup-Media": run.source.medium,
        "Timestamp": str(run.timestamp),
        "Resource-Id": resource["id"],
        "Resource-Name": resource.get("name") or "",
        "Disk-Format": copy.image["disk_format"],
        "Container-Format": copy.image["container_format"],
        "Consistency": taken.consistency,
        "Sha256": sha256,
    }


def _properties(image: Resource) -> dict[str, str]:
    return {
        key: str(value)
        for key, value in image.items()
        if key.startswith(_KEPT_PROPERTIES) and key not in _OF_GLANCE and value is not None
    }


def _remove_half(run: _Run) -> None:
    """What a run that failed has written goes at once; prune finds the rest."""
    folder = f"{run.source.resource['id']}/{run.timestamp}"
    for one in run.sets:
        try:
            one.remove_half(folder)
        except StorageError:
            continue  # the problem that led here is the one to tell
