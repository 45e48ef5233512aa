# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""All backups of one name of one host in one storage: which there are, which belong together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from ..retention import Survey
from ..storage.base import Storage
from ..storage.errors import ObjectMissing, StorageError
from .errors import ArchiveError, DamagedArchive, ForeignBackup
from .manifest import Manifest, digest, parse_manifest

MANIFEST_NAME = "manifest.json"
_FOLDER = re.compile(r"([0-9]{1,15})_([0-9]{1,9})")
_NAME = re.compile(r"[^/\0\n.][^/\0\n]*")


def set_folder(hostname: str, backup_name: str) -> str:
    """The folder of a set in its container. Raises ArchiveError if a name cannot be part of a path."""
    for what, name in (("hostname", hostname), ("backup_name", backup_name)):
        if not _NAME.fullmatch(name) or len(name.encode("utf-8", "surrogateescape")) > 120:
            raise ArchiveError(
                f"The {what} {name!r} cannot name a folder: it has to have 1 to 120 bytes, "
                "without a slash or a line break, and must not begin with a dot."
            )
    return f"{hostname}_{backup_name}"


@dataclass(frozen=True)
class StoredBackup:
    """A manifest together with where it was found and the SHA-256 of its stored form."""

    manifest: Manifest
    folder: str
    manifest_sha256: str


class BackupSet:
    """The backups of `hostname` and `backup_name` in a storage."""

    def __init__(self, storage: Storage, hostname: str, backup_name: str) -> None:
        self.storage = storage
        self.hostname = hostname
        self.backup_name = backup_name
        self.folder = set_folder(hostname, backup_name)

    def _folders(self) -> list[str]:
        """Folders of backups, newest first, with or without a manifest."""
        found = []
        for name in self.storage.children(self.folder):
            match = _FOLDER.fullmatch(name)
            if match:
                found.append((int(match.group(1)), int(match.group(2)), name))
        return [name for _time, _level, name in sorted(found, reverse=True)]

    def newest_timestamp(self) -> int:
        """The time of the newest folder, whole backup or not; 0 if there is none."""
        folders = self._folders()
        return int(folders[0].partition("_")[0]) if folders else 0

    def load(self, name: str) -> StoredBackup:
        """The backup in one folder of the set. Raises ObjectMissing, StorageError or DamagedArchive."""
        folder = f"{self.folder}/{name}"
        where = f"{folder}/{MANIFEST_NAME} of {self.storage.describe()}"
        stored = _read(self.storage, f"{folder}/{MANIFEST_NAME}")
        manifest = parse_manifest(stored, where)
        if (manifest.hostname, manifest.backup_name) != (self.hostname, self.backup_name):
            raise ForeignBackup(
                f"{where} belongs to {manifest.backup_name!r} of host {manifest.hostname!r}, "
                f"not to {self.backup_name!r} of {self.hostname!r}; choose another backup_name or container."
            )
        if manifest.folder != name:
            raise DamagedArchive(f"{where} says that it belongs in the folder {manifest.folder}.")
        return StoredBackup(manifest, folder, digest(stored))

    def check_owner(self) -> None:
        """Raise ForeignBackup if the folder belongs to another set: ``a_b`` and ``c`` name the same as ``a`` and ``b_c``."""
        for name in self._folders():
            try:
                self.load(name)
            except (ObjectMissing, DamagedArchive):
                continue
            return

    def is_empty(self) -> bool:
        """Whether nothing at all is there. Raises StorageError."""
        return not self.storage.children(self.folder)

    def hold(self) -> AbstractContextManager[None]:
        """Be the only writer of this set. Raises SetBusy at once if there is another."""
        return self.storage.hold(self.folder)

    def forget(self, backup: StoredBackup) -> None:
        """Let a backup be none any more. Raises StorageError."""
        self.storage.delete(f"{backup.folder}/{MANIFEST_NAME}")

    def remove_half(self, folder: str) -> None:
        """Take away a folder without a manifest. Raises StorageError."""
        self.storage.delete_folder(folder)

    def size_of(self, folder: str) -> int:
        """The bytes of all that lies in a folder. Raises StorageError."""
        return self.storage.size_of(folder)

    def newest_first(self) -> Iterator[StoredBackup]:
        """Every whole backup. Raises DamagedArchive where a manifest cannot be read."""
        for name in self._folders():
            try:
                yield self.load(name)
            except ObjectMissing:
                continue  # a run that failed, or one that is being written: not a backup

    def survey(self, strict: bool = False) -> Survey[StoredBackup]:
        """Everything that is there, newest first, whatever its state.

        If `strict`, raises StorageError where a manifest cannot be fetched, and ForeignBackup for one of another set.
        """
        survey: Survey[StoredBackup] = Survey()
        for name in self._folders():
            try:
                survey.backups.append(self.load(name))
            except ObjectMissing:
                survey.incomplete.append(f"{self.folder}/{name}")
            except (DamagedArchive, ForeignBackup, StorageError) as problem:
                if strict and not isinstance(problem, DamagedArchive):
                    raise
                survey.damaged.append(str(problem))
                survey.damaged_folders.append(f"{self.folder}/{name}")
        return survey

    def generation(self) -> list[StoredBackup]:
        """The newest level 0 and all that came after it, oldest first; empty if there is no backup."""
        found: list[StoredBackup] = []
        for backup in self.newest_first():
            found.append(backup)
            if backup.manifest.level == 0:
                break
        return found[::-1]

    def find(self, backup_id: str | None = None, not_after: float | None = None) -> StoredBackup:
        """The backup with an id, else the newest one that began at or before a time (seconds since 1970), else the
        newest. Raises ArchiveError if there is none."""
        damage: DamagedArchive | None = None
        for name in self._folders():
            if not_after is not None and int(name.partition("_")[0]) > not_after:
                continue
            try:
                backup = self.load(name)
            except (ObjectMissing, ForeignBackup):
                continue
            except DamagedArchive as problem:
                # An older backup in place of a damaged one would be a silent surprise; another one by id is not.
                if backup_id is None:
                    raise
                damage = problem
                continue
            if backup_id in (None, backup.manifest.backup_id):
                return backup
        if damage is not None:
            raise damage
        wanted = f"with the id {backup_id!r} " if backup_id else "that is old enough " if not_after else ""
        raise ArchiveError(
            f"There is no backup {wanted}of {self.backup_name!r} of host {self.hostname!r} in {self.storage.describe()}."
        )

    def chain(self, backup: StoredBackup) -> list[StoredBackup]:
        """The backups that a restore replays, from level 0 to the given one.

        Raises DamagedArchive if a link is missing or is not the one that was built on.
        """
        links = [backup]
        while links[0].manifest.parent is not None:
            parent = links[0].manifest.parent
            try:
                found = self.load(parent.folder)
            except ObjectMissing:
                raise DamagedArchive(
                    f"{links[0].folder} continues {parent.folder}, which {self.storage.describe()} no longer has."
                ) from None
            if found.manifest_sha256 != parent.manifest_sha256:
                raise DamagedArchive(f"The manifest of {found.folder} is not the one that {links[0].folder} continues.")
            links.insert(0, found)
        if links[0].manifest.level != 0:
            raise DamagedArchive(f"{links[0].folder} is of level {links[0].manifest.level} and continues nothing.")
        return links


@dataclass
class Contents:
    """What a container holds: sets, and by their names the folders in which no manifest says whose backups they are."""

    sets: list[BackupSet] = field(default_factory=list)
    orphans: dict[str, Survey[StoredBackup]] = field(default_factory=dict)


def contents(storage: Storage) -> Contents:
    """All sets of a container, by their manifests, since the name of a folder can be split in more ways than one.

    Raises StorageError if the container cannot be read; what cannot be read in it is none of ours.
    """
    found = Contents()
    for folder in storage.children(""):
        try:
            names = [name for name in storage.children(folder) if _FOLDER.fullmatch(name)]
        except StorageError:
            continue
        without_manifest: Survey[StoredBackup] = Survey()
        for name in names:
            try:
                manifest = parse_manifest(_read(storage, f"{folder}/{name}/{MANIFEST_NAME}"), f"{folder}/{name}")
            except ObjectMissing:
                without_manifest.incomplete.append(f"{folder}/{name}")
            except (StorageError, DamagedArchive) as problem:
                without_manifest.damaged.append(str(problem))
            else:
                found.sets.append(BackupSet(storage, manifest.hostname, manifest.backup_name))
                break
        else:
            if names and "_" in folder:
                found.orphans[folder] = without_manifest
    return found


def _read(storage: Storage, name: str) -> bytes:
    with storage.open(name) as stream:
        try:
            return stream.read()
        except OSError as problem:
            raise StorageError(f"Reading {name} of {storage.describe()} failed: {problem.strerror}.") from problem
