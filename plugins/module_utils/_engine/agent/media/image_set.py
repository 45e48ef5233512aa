# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The images of one server or volume in one container of Swift.

``<id>/<timestamp>`` is the large object with the bytes, ``<id>/<timestamp>/disk1`` is the next disk of the same server,
``<id>/<timestamp>/manifest.json`` is written last.
"""

from __future__ import annotations

import re
from contextlib import AbstractContextManager

from ...repository.backup_set import MANIFEST_NAME, read_manifest
from ...repository.errors import ArchiveError, DamagedArchive, DamagedBackup
from ...repository.ids import is_beginning, only_one
from ...repository.retention import Survey
from ...repository.shape import LATEST_SECONDS
from ...storage.errors import ObjectMissing, StorageError
from ...storage.swift import SwiftStorage
from .manifest import CloudManifest, StoredImage, stored_image

_TIMESTAMP = re.compile(r"[0-9]{1,15}")


class ImageSet:
    """`backup_name` None means the images of every name."""

    def __init__(self, storage: SwiftStorage, resource_id: str, backup_name: str | None) -> None:
        self.storage = storage
        self.folder = resource_id
        self.backup_name = backup_name

    def is_empty(self) -> bool:
        """Whether nothing at all is there. Raises StorageError."""
        return not self._timestamps()

    def hold(self) -> AbstractContextManager[None]:
        """Be the only writer of images of this resource here. Raises SetBusy at once if there is another."""
        return self.storage.hold(self.folder)

    def _timestamps(self) -> list[int]:
        names = self.storage.children(self.folder)
        found = {int(name) for name in names if _TIMESTAMP.fullmatch(name)}
        # A name of the end of time would leave no room for the next one.
        return sorted((one for one in found if one < LATEST_SECONDS), reverse=True)

    def times(self) -> set[int]:
        """The times in the names of all images, whole or not. Raises StorageError."""
        return set(self._timestamps())

    def newest_number(self, now: int) -> int:
        """The time in the newest name of an image, whatever its state; 0 if there is none. Raises StorageError.

        What has no manifest counts up to now only: any number can be in its name.
        """
        return next((one for one in self._timestamps() if one <= now or self._is_image(one)), 0)

    def _is_image(self, timestamp: int) -> bool:
        """Whether there is a manifest, whatever its state. Raises StorageError."""
        try:
            self.load(timestamp)
        except ObjectMissing:
            return False
        except DamagedArchive:
            pass
        return True

    def load(self, timestamp: int) -> StoredImage:
        """The image of a moment. Raises ObjectMissing, StorageError or DamagedArchive."""
        name = f"{self.folder}/{timestamp}/{MANIFEST_NAME}"
        where = f"{name} of {self.storage.describe()}"
        found = stored_image(read_manifest(self.storage, name), self.folder, where)
        if (found.manifest.resource_id, found.manifest.timestamp) != (self.folder, timestamp):
            raise DamagedArchive(f"{where} says that it is of {found.manifest.resource_id}/{found.manifest.timestamp}.")
        return found

    def survey(self, strict: bool = False) -> Survey[StoredImage]:
        """All that is there, newest first. If `strict`, raises StorageError where a manifest cannot be fetched."""
        survey: Survey[StoredImage] = Survey()
        for timestamp in self._timestamps():
            try:
                found = self.load(timestamp)
            except ObjectMissing:
                survey.incomplete.append(f"{self.folder}/{timestamp}")
            except (DamagedArchive, StorageError) as problem:
                if strict and not isinstance(problem, DamagedArchive):
                    raise
                survey.damaged.append(str(problem))
            else:
                if self._is_wanted(found.manifest):
                    survey.backups.append(found)
        return survey

    def _is_wanted(self, manifest: CloudManifest) -> bool:
        return self.backup_name in (None, manifest.backup_name)

    def newest(self) -> StoredImage | None:
        """The newest whole image of the name. Raises StorageError."""
        return next(iter(self.survey().backups), None)

    def find(self, backup_id: str | None, not_after: float | None) -> StoredImage:
        """The image with an id, or with the only one that begins so, else the newest one that began at or before a
        moment, else the newest.

        Raises ArchiveError if there is none, DamagedArchive rather than giving an older one in place of a damaged one.
        """
        alike: list[StoredImage] = []
        younger: DamagedBackup | None = None
        for timestamp in self._timestamps():
            late = not_after is not None and timestamp > not_after
            try:
                found = self.load(timestamp)
            except ObjectMissing:
                continue
            except DamagedArchive as problem:
                damage = DamagedBackup(str(problem), timestamp)
                if backup_id is None and not late:
                    raise damage from problem
                younger = younger or damage
                continue
            if not_after is not None and found.manifest.began > not_after:
                continue
            if late and younger is not None and backup_id is None:
                raise younger  # names are ahead of the clock here, and do not say that it is younger
            if self._is_wanted(found.manifest):
                if backup_id in (None, found.manifest.backup_id):
                    return found
                if backup_id is not None and is_beginning(backup_id, found.manifest.backup_id):
                    alike.append(found)
        meant = only_one(backup_id, alike) if backup_id is not None else None
        if meant is not None:
            return meant
        wanted = f"with the id {backup_id!r} " if backup_id else "that is old enough " if not_after else ""
        named = f" named {self.backup_name!r}" if self.backup_name else ""
        raise ArchiveError(f"There is no backup {wanted}of {self.folder}{named} in {self.storage.describe()}.")

    def forget(self, image: StoredImage) -> None:
        """Let an image be none any more. Raises StorageError."""
        self.storage.delete(f"{self.folder}/{image.manifest.folder}/{MANIFEST_NAME}")

    def remove_half(self, folder: str) -> None:
        """Take away the bytes of what has no manifest. Raises StorageError."""
        self.storage.delete(folder)
        self.storage.delete_folder(folder)

    def size_of(self, folder: str) -> int:
        """The bytes of what has no manifest. Raises StorageError."""
        return self.storage.size_of(folder)


def image_sets(storage: SwiftStorage) -> list[ImageSet]:
    """One for each server or volume of which a container has an image. Raises StorageError."""
    found = []
    for folder in storage.children(""):
        if "_" in folder:
            continue  # files of a host; ids of clouds have no underscore
        one = ImageSet(storage, folder, None)
        if not one.is_empty():
            found.append(one)
    return found
