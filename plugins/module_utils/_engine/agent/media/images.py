# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The media nova and cinder: images of servers and volumes in containers of Swift."""

from __future__ import annotations

import functools
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
from ...repository.segments import FannedObject
from ...repository.stored_set import MANIFEST_NAME, next_timestamp
from ...storage.containers import Containers
from ...storage.errors import StorageError
from ...system.undo import on_failure
from .. import results as shared_results
from . import proving, restoring, results
from .base import Copy, Medium
from .cinder import VolumeSource
from .copied import Run
from .image_set import ImageSet, image_sets
from .locations import backup_name, resource_id, storages_of, swift_storages, workplace
from .manifest import CloudManifest, Disk, StoredImage, stored_image
from .nova import ServerSource
from .source import Copy as DiskCopy
from .source import Source, Taken, Workplace

_SOURCES: dict[str, type[ServerSource] | type[VolumeSource]] = {"nova": ServerSource, "cinder": VolumeSource}
#: Prefixes of the image properties that a restored server may need; Glance, or the creator of the image, sets the others.
_KEPT_PROPERTIES = ("hw_", "os_", "img_config_drive", "architecture")
_OF_GLANCE = ("os_hash_algo", "os_hash_value", "os_hidden")


class Images(Medium[ImageSet, Source]):
    """The media ``nova`` and ``cinder``."""

    def __init__(self, options: Options) -> None:
        super().__init__(options, Containers(options.init))

    @functools.cached_property
    def _work(self) -> Workplace:
        return workplace(self.options)

    def source(self) -> Source:
        """Raises CloudError if there is no such server or volume."""
        source_class = _SOURCES[self.options.backup_media]
        resource = source_class.resource_of(self._work)
        return source_class(self._work.named(f"{self._work.temporary}-{resource['id']}"), resource)

    def sets(self, source: Source | None = None, any_name: bool = False) -> list[ImageSet]:
        """Raises OptionError for a storage that is not in Swift."""
        options = self.options
        wanted = source.resource["id"] if source else resource_id(options, lambda: self._work)
        name = options.backup_name if any_name else backup_name(options, wanted)
        if source is not None:
            set_folder(options.host, backup_name(options, wanted))  # refuses the names that backups of files refuse
        return [ImageSet(storage, wanted, name) for storage in storages_of(options)]

    def newest(self, one: ImageSet) -> StoredImage | None:
        """The newest whole image; None also if the container does not exist yet."""
        try:
            return one.newest()
        except StorageError:
            return None

    def plan(self, source: Source, sets: Sequence[ImageSet], now: float) -> dict[str, Any]:
        """With the consistency that a snapshot would have now."""
        del sets, now
        name = backup_name(self.options, source.resource["id"])
        return results.planned(self.options, source.resource, name, source.consistency())

    def store(self, run: Run[ImageSet], source: Source) -> dict[str, Any]:
        """Take a snapshot, copy it, and remove it from the cloud."""
        timestamp, ahead = next_timestamp(run.working, run.started, room=1)
        source.clear()
        name = backup_name(self.options, source.resource["id"])
        making = _Making(self._work, source, run, name, uuid.uuid4().hex, timestamp)
        with ExitStack() as temporary:
            taken = source.take(temporary)
            stored = _store(making, taken)
        return results.done(self.options, stored, run, [*ahead, *self._work.problems, *run.containers.problems])

    def restore(self, copy: Copy[ImageSet], progress: Progress, dry_run: bool) -> dict[str, Any]:
        """A new server or volume; a second restore finds it and changes nothing."""
        return restoring.restore(self._work, copy.backup_set, copy.manifest, progress, dry_run)

    def prove(self, copy: Copy[ImageSet], check: str, compare_to: str | None, progress: Progress) -> list[str]:
        """Check sizes, or read all bytes, or with ``restore`` let the cloud make an image and a volume of them."""
        return proving.prove(self._work, copy.backup_set, copy.manifest, check, compare_to, progress)

    def prove_twin(self, copy: Copy[ImageSet], check: str, progress: Progress) -> None:
        """The bytes only: the cloud has shown that they restore."""
        proving.prove_stored(copy.backup_set, copy.manifest, check != "segments", progress)

    def describe(self, stored: StoredImage) -> dict[str, Any]:
        """Host, name, resource, id and time."""
        return results.described(stored.manifest)

    def describe_proof(self, copy: Copy[ImageSet]) -> dict[str, Any]:
        """Size and disks."""
        return {"stored_bytes": copy.manifest.stored_bytes, "disks": results.disks(copy.manifest)}

    def place(self, one: ImageSet, manifest: Any) -> dict[str, Any]:
        """In the folder of its resource."""
        return shared_results.place(one, manifest)

    def list(self) -> dict[str, list[Any]]:
        """The images of the server or volume that the action names, else of all."""
        if self.options.backup_media == "fs":
            found = [
                one for storage in swift_storages(self.options) for one in image_sets(storage, self.options.backup_name)
            ]
        else:
            found = self.sets(any_name=True)
        return _surveyed(found)

    def cloud_problems(self) -> dict[str, Any]:
        """Sentences about leftovers in the cloud."""
        return {"problems": self._work.problems}


def _surveyed(sets: Sequence[ImageSet]) -> dict[str, list[Any]]:
    backups: list[Any] = []
    incomplete: list[Any] = []
    damaged: list[Any] = []
    problems: list[StorageError] = []
    for one in sets:
        try:
            survey = one.survey()
        except StorageError as problem:
            problems.append(problem)
            continue
        backups += [results.listed(one, image) for image in survey.backups]
        incomplete += survey.incomplete
        damaged += survey.damaged
    if problems and len(problems) == len(sets):
        raise problems[0]
    return {"backups": backups, "incomplete": incomplete, "damaged": damaged}


@dataclass(frozen=True)
class _Making:
    """One image while it is made."""

    work: Workplace
    source: Source
    run: Run[ImageSet]
    name: str
    backup_id: str
    timestamp: int


def _store(making: _Making, taken: Taken) -> StoredImage:
    resource = making.source.resource
    with on_failure(lambda: _remove_incomplete(making)):
        disks = []
        with closing(making.source.copies()) as copies:  # type: ignore[type-var]
            for number, disk in enumerate(copies):
                disks.append(_store_disk(making, disk, number, taken))
        manifest = CloudManifest(
            medium=making.source.medium,
            backup_id=making.backup_id,
            hostname=making.work.options.host,
            backup_name=making.name,
            resource_id=resource["id"],
            resource_name=resource.get("name") or "",
            timestamp=making.timestamp,
            time_started=making.run.started,
            time_ended=time.time(),
            consistency=taken.consistency,
            hold=taken.hold,
            server=taken.server,
            disks=disks,
        )
        content = manifest.to_bytes()
        name = f"{resource['id']}/{manifest.folder}/{MANIFEST_NAME}"
        making.run.fan_out.each(lambda storage: storage.put(name, content))
    return stored_image(content, resource["id"], name)


def _store_disk(making: _Making, copy: DiskCopy, number: int, taken: Taken) -> Disk:
    resource, image = making.source.resource, copy.image
    name = f"{making.timestamp}/disk{number}" if number else str(making.timestamp)
    making.run.progress.begin("backup", int(image["size"]))
    try:
        with FannedObject(making.run.fan_out, resource["id"], name) as stored:

            def take(block: bytes) -> None:
                stored.write(block)
                making.run.progress.advance(done_bytes=len(block))

            download(making.work.cloud, image, take)
            stored.describe(_headers(making, copy, stored.sha256, taken))
            written = stored.commit()
    finally:
        making.run.progress.end()
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


def _headers(making: _Making, copy: DiskCopy, sha256: str, taken: Taken) -> dict[str, str]:
    """The metadata of the large object, for other tools that list the container."""
    resource = making.source.resource
    return {
        "Backup-Id": making.backup_id,
        "Backup-Name": making.name,
        "Backup-Media": making.source.medium,
        "Timestamp": str(making.timestamp),
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


def _remove_incomplete(making: _Making) -> None:
    """Remove what a failed run has written; prune removes what cannot be removed now."""
    folder = f"{making.source.resource['id']}/{making.timestamp}"
    for one in making.run.sets:
        try:
            one.remove_incomplete(folder)
        except StorageError:
            continue  # the error that led here is reported
