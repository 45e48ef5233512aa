# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The images of one server or volume in one container of Swift.

``<id>/<timestamp>`` is the large object with the bytes, ``<id>/<timestamp>/disk1`` is the next disk of the same server,
``<id>/<timestamp>/manifest.json`` is written last.
"""

from __future__ import annotations

import re

from ...repository.errors import DamagedArchive
from ...repository.shape import LATEST_SECONDS
from ...repository.stored_set import MANIFEST_NAME, StoredSet, read_manifest
from ...storage.swift import SwiftStorage
from .manifest import StoredImage, stored_image

_TIMESTAMP = re.compile(r"[0-9]{1,15}")


class ImageSet(StoredSet[StoredImage]):
    """`backup_name` None means the images of every name."""

    storage: SwiftStorage
    has_levels = False

    def __init__(self, storage: SwiftStorage, resource_id: str, backup_name: str | None) -> None:
        self.storage = storage
        self.folder = resource_id
        self.backup_name = backup_name

    def names(self) -> list[str]:
        """The folders of images, newest first, with or without a manifest. Raises StorageError."""
        names = self.storage.children(self.folder)
        found = {int(name) for name in names if _TIMESTAMP.fullmatch(name)}
        # A timestamp at the end of the range would leave no room for the next one.
        return [str(one) for one in sorted(found, reverse=True) if one < LATEST_SECONDS]

    def load(self, name: str) -> StoredImage:
        """The image in a folder. Raises ObjectMissing, StorageError or DamagedArchive."""
        manifest_name = f"{self.folder}/{name}/{MANIFEST_NAME}"
        where = f"{manifest_name} of {self.storage.describe()}"
        found = stored_image(read_manifest(self.storage, manifest_name), self.folder, where)
        if (found.manifest.resource_id, found.manifest.folder) != (self.folder, name):
            raise DamagedArchive(f"{where} says that it is of {found.manifest.resource_id}/{found.manifest.folder}.")
        return found

    def describe(self) -> str:
        """A name for messages."""
        return f"{self.folder} named {self.backup_name!r}" if self.backup_name else self.folder

    def is_meant(self, backup: StoredImage) -> bool:
        """Whether an image has the backup name of this set."""
        return self.backup_name in (None, backup.manifest.backup_name)

    def chain(self, backup: StoredImage) -> list[StoredImage]:
        """The image alone: images are always full."""
        return [backup]

    def newest(self) -> StoredImage | None:
        """The newest whole image of the name. Raises StorageError."""
        return next(iter(self.survey().backups), None)

    def remove_incomplete(self, folder: str) -> None:
        """Remove an incomplete image: its first disk is the object with the name of the folder. Raises StorageError."""
        self.storage.delete(folder)
        self.storage.delete_folder(folder)


def image_sets(storage: SwiftStorage, backup_name: str | None) -> list[ImageSet]:
    """One set for each server or volume that has an image in a container. Raises StorageError."""
    found = []
    for folder in storage.children(""):
        if "_" in folder:
            continue  # a backup set of files; ids of servers and volumes have no underscore
        one = ImageSet(storage, folder, backup_name)
        if not one.is_empty():
            found.append(one)
    return found
