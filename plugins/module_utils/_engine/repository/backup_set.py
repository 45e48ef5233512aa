# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A backup set: the backups of one host and one name in one storage, and their chains."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Callable

from ..storage.base import Storage
from ..storage.errors import ObjectMissing, OddObject, StorageError
from ..system.file_names import shown
from .details import Details
from .errors import ArchiveError, DamagedArchive, ForeignBackup
from .manifest import MOST_LEVEL, Manifest, digest, parse_manifest, version_in
from .names import check_name
from .public_manifest import FORMAT_VERSION as SECOND
from .public_manifest import PublicManifest, parse_public
from .shape import LATEST_SECONDS
from .stored_set import MANIFEST_NAME, StoredSet, read_manifest
from .survey import Survey

_FOLDER = re.compile(r"([0-9]{1,15})_([0-9]{1,9})")
#: The most hosts that a message names.
_NAMED_AT_MOST = 5


def set_folder(hostname: str, backup_name: str) -> str:
    """The folder of a set in its container. Raises OptionError if a name cannot be part of a path."""
    check_name("hostname", hostname)
    check_name("backup_name", backup_name)
    return f"{hostname}_{backup_name}"


@dataclass(frozen=True)
class StoredBackup:
    """A manifest, its folder, and the SHA-256 of its stored form.

    `details` are there if they are known already: those of version 1 are in the manifest itself.
    """

    manifest: Manifest | PublicManifest
    folder: str
    manifest_sha256: str
    details: Manifest | Details | None = None

    @property
    def first(self) -> Manifest:
        """The manifest of a backup of version 1."""
        if not isinstance(self.manifest, Manifest):
            raise TypeError(f"{self.folder} is not of version 1")
        return self.manifest

    @property
    def known(self) -> Manifest | Details:
        """The details, which have been read before."""
        if self.details is None:
            raise ValueError(f"the details of {self.folder} were not read")
        return self.details


class BackupSet(StoredSet[StoredBackup]):
    """The backups of one host and one name in a storage."""

    def __init__(self, storage: Storage, hostname: str, backup_name: str) -> None:
        self.storage = storage
        self.hostname = hostname
        self.backup_name = backup_name
        self.folder = set_folder(hostname, backup_name)

    def names(self) -> list[str]:
        """The folders of backups, newest first, with or without a manifest. Raises StorageError."""
        return _folders_among(self.storage.children(self.folder))

    def describe(self) -> str:
        """A name for messages."""
        return f"{self.backup_name!r} of host {self.hostname!r}"

    def load(self, name: str) -> StoredBackup:
        """The backup in one folder of the set. Raises ObjectMissing, StorageError, ForeignBackup or DamagedArchive."""
        folder = f"{self.folder}/{name}"
        where = f"{folder}/{MANIFEST_NAME} of {self.storage.describe()}"
        found = _load(self.storage, self.folder, name)
        manifest = found.manifest
        if (manifest.hostname, manifest.backup_name) != (self.hostname, self.backup_name):
            raise ForeignBackup(
                f"{where} belongs to {manifest.backup_name!r} of host {manifest.hostname!r}, "
                f"not to {self.backup_name!r} of {self.hostname!r}; choose another backup_name or container."
            )
        return found

    def check_owner(self) -> None:
        """Raise ForeignBackup if the folder belongs to another set: ``a_b`` and ``c`` name the same as ``a`` and ``b_c``.

        Manifests that cannot be read, or that lie in the wrong folder, are ignored.
        """
        foreign: ForeignBackup | None = None
        for name in self.names():
            try:
                self.load(name)
            except ForeignBackup as problem:
                foreign = foreign or problem
            except (DamagedArchive, StorageError):
                continue
            else:
                return
        if foreign is not None:
            raise foreign

    def is_empty(self) -> bool:
        """Whether the folder of the set is empty or missing. Raises StorageError."""
        return not self.storage.children(self.folder)

    def generation(self) -> list[StoredBackup]:
        """The newest level 0 and all backups after it, oldest first; empty if there is no backup."""
        found: list[StoredBackup] = []
        for backup in self.newest_first():
            found.append(backup)
            if backup.manifest.level == 0:
                break
        return found[::-1]

    def alternatives(self) -> str:
        """A hint for a message: the oldest backup of this set, or the hosts that have a backup of this name; else empty."""
        for name in reversed(self.names()):
            try:
                began = datetime.fromtimestamp(self.load(name).manifest.began).astimezone()
            except (ArchiveError, StorageError):
                continue
            return f" The oldest backup is of {began:%Y-%m-%dT%H:%M:%S}."
        ending = f"_{self.backup_name}"
        hosts = sorted(name[: -len(ending)] for name in self.storage.children("") if name.endswith(ending))
        hosts = [shown(name) for name in hosts if name != self.hostname][:_NAMED_AT_MOST]
        return f" These hosts have one: {', '.join(hosts)}; choose one with hostname." if hosts else ""

    def chain(self, backup: StoredBackup) -> list[StoredBackup]:
        """The backups that a restore replays, from level 0 to the given one.

        Raises DamagedArchive if a parent is missing, or is not the backup that was continued.
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
            if found.manifest.level != links[0].manifest.level - 1:
                raise DamagedArchive(
                    f"{links[0].folder} is of level {links[0].manifest.level} and continues {found.folder}, which is not of the "
                    "level below."
                )
            if type(found.manifest) is not type(links[0].manifest):
                raise DamagedArchive(
                    f"{links[0].folder} continues {found.folder}, which has another version of the archive format."
                )
            links.insert(0, found)
        if links[0].manifest.level != 0:
            raise DamagedArchive(f"{links[0].folder} is of level {links[0].manifest.level} and continues nothing.")
        return links


def _folders_among(names: Iterable[str]) -> list[str]:
    """The names of folders of backups, newest first. Names beyond every date and level are ignored."""
    found = []
    for name in names:
        match = _FOLDER.fullmatch(name)
        if match and int(match.group(1)) <= LATEST_SECONDS and int(match.group(2)) <= MOST_LEVEL:
            found.append((int(match.group(1)), int(match.group(2)), name))
    return [name for _time, _level, name in sorted(found, reverse=True)]


def _load(storage: Storage, set_name: str, name: str) -> StoredBackup:
    """The backup in a folder, whatever host and name it has. Raises ObjectMissing, StorageError or DamagedArchive."""
    folder = f"{set_name}/{name}"
    where = f"{folder}/{MANIFEST_NAME} of {storage.describe()}"
    stored = read_manifest(storage, f"{folder}/{MANIFEST_NAME}")
    if version_in(stored) == SECOND:
        manifest: Manifest | PublicManifest = parse_public(stored, where)
        details = None
    else:
        manifest = details = parse_manifest(stored, where)
    if f"{manifest.hostname}_{manifest.backup_name}/{manifest.folder}" != folder:
        raise DamagedArchive(
            f"{where} says that it belongs in the folder {manifest.hostname}_{manifest.backup_name}/{manifest.folder}."
        )
    return StoredBackup(manifest, folder, digest(stored), details)


@dataclass
class Contents:
    """The contents of a container: a survey of each set, and of each folder without a readable manifest.

    Sets are keyed by host and name, `orphans` by the names of their folders.
    """

    sets: dict[tuple[str, str], Survey[StoredBackup]] = field(default_factory=dict)
    orphans: dict[str, Survey[StoredBackup]] = field(default_factory=dict)


def contents(storage: Storage, wanted: Callable[[str], bool] = lambda _folder: True) -> Contents:
    """All sets of a container, by their manifests, because the name of a folder can be split in several ways.

    Only folders that are `wanted` are read. Raises StorageError if the container cannot be read; unreadable folders in it
    are ignored, and a damaged manifest hides no other one.
    """
    found = Contents()
    for folder in storage.children(""):
        if "_" not in folder or not wanted(folder):
            continue
        try:
            names = _folders_among(storage.children(folder))
        except OddObject as problem:
            found.orphans[folder] = Survey(damaged=[str(problem)])
            continue
        except StorageError:
            continue
        rest: Survey[StoredBackup] = Survey()
        owners: list[Survey[StoredBackup]] = []
        for name in names:
            try:
                backup = _load(storage, folder, name)
            except ObjectMissing:
                rest.incomplete.append(f"{folder}/{name}")
            except (StorageError, DamagedArchive) as problem:
                rest.damaged.append(str(problem))
                rest.damaged_folders.append(f"{folder}/{name}")
            else:
                survey = found.sets.setdefault((backup.manifest.hostname, backup.manifest.backup_name), Survey())
                survey.backups.append(backup)
                if survey not in owners:
                    owners.append(survey)
        if len(owners) == 1:
            owners[0].add_rest_of(rest)
        elif names:
            found.orphans[folder] = rest
    return found
