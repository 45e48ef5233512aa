# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""All backups of one name of one host in one storage: which there are, which belong together."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Callable

from ..errors import OptionError
from ..storage.base import Storage
from ..storage.errors import ObjectMissing, OddObject, StorageError
from ..system.file_names import shown
from .errors import ArchiveError, DamagedArchive, DamagedBackup, ForeignBackup
from .ids import is_beginning, only_one
from .manifest import AHEAD_SECONDS, MOST_LEVEL, MOST_MANIFEST_BYTES, Manifest, digest, parse_manifest
from .retention import Survey
from .shape import LATEST_SECONDS

MANIFEST_NAME = "manifest.json"
_FOLDER = re.compile(r"([0-9]{1,15})_([0-9]{1,9})")
_NAME = re.compile(r"[^/\0\n.][^/\0\n]*")
#: A backup that is begun again takes the next name: so many at most.
NAMES_OF_A_BACKUP = 40
#: So many hosts a message names.
_NAMED_AT_MOST = 5


def set_folder(hostname: str, backup_name: str) -> str:
    """The folder of a set in its container. Raises OptionError if a name cannot be part of a path."""
    for what, name in (("hostname", hostname), ("backup_name", backup_name)):
        if not _NAME.fullmatch(name) or len(name.encode("utf-8", "surrogateescape")) > 120:
            raise OptionError(
                f"The {what} {name!r} cannot name a folder: it has to have 1 to 120 bytes, "
                "without a slash or a line break, and must not begin with a dot."
            )
    return f"{hostname}_{backup_name}"


def read_manifest(storage: Storage, name: str) -> bytes:
    """The bytes of an object that should be a manifest. Raises ObjectMissing, StorageError or DamagedArchive."""
    try:
        return storage.read(name, MOST_MANIFEST_BYTES)
    except OddObject as problem:
        raise DamagedArchive(str(problem)) from problem


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
        return _folders_among(self.storage.children(self.folder))

    def times(self) -> set[int]:
        """The times of all folders, whole backups or not."""
        return {int(name.partition("_")[0]) for name in self._folders()}

    def newest_number(self, now: int) -> int:
        """The time in the newest name of a backup, whatever its state; 0 if there is none.

        A folder without a manifest counts up to now only: any number can be in its name.
        """
        for name in self._folders():
            number = int(name.partition("_")[0])
            if number <= now or self._has_manifest(name):
                return number
        return 0

    def _has_manifest(self, name: str) -> bool:
        try:
            self.load(name)
        except ObjectMissing:
            return False
        except (ArchiveError, StorageError):
            pass
        return True

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

        What cannot be read says nothing about that, and one manifest that does not belong there does not take it
        away.
        """
        foreign: ForeignBackup | None = None
        for name in self._folders():
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

        If `strict`, raises StorageError where a manifest cannot be fetched, and ForeignBackup where all are another set's.
        """
        survey: Survey[StoredBackup] = Survey()
        foreign: ForeignBackup | None = None
        for name in self._folders():
            try:
                survey.backups.append(self.load(name))
            except ObjectMissing:
                survey.incomplete.append(f"{self.folder}/{name}")
            except (DamagedArchive, ForeignBackup, StorageError) as problem:
                if strict and isinstance(problem, StorageError):
                    raise
                if isinstance(problem, ForeignBackup):
                    foreign = foreign or problem
                survey.damaged.append(str(problem))
                survey.damaged_folders.append(f"{self.folder}/{name}")
        if strict and foreign is not None and not survey.backups:
            raise foreign
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
        """The backup with an id, or with the only one that begins so, else the newest one that began at or before a
        time (seconds since 1970), else the newest. Raises ArchiveError if there is none, and OptionError for an id of
        too few digits."""
        damage: ArchiveError | StorageError | None = None
        younger: DamagedBackup | StorageError | None = None
        alike: list[StoredBackup] = []
        for name in self._folders():
            late = not_after is not None and int(name.partition("_")[0]) > not_after
            try:
                backup = self.load(name)
            except (ObjectMissing, ForeignBackup):
                continue
            except (DamagedArchive, StorageError) as problem:
                # An older backup in place of a damaged one would be a silent surprise; another one by id is not.
                if backup_id is None and not late:
                    raise _or_another(problem, name) from problem
                if late:
                    younger = younger or _or_another(problem, name)
                else:
                    damage = damage or problem
                continue
            if not_after is not None and backup.manifest.began > not_after:
                continue
            if late and younger is not None and backup_id is None:
                # Names are ahead of the clock here, so that of the damaged one does not say that it is younger.
                raise younger
            if backup_id in (None, backup.manifest.backup_id):
                return backup
            if backup_id is not None and is_beginning(backup_id, backup.manifest.backup_id):
                alike.append(backup)
        found = only_one(backup_id, alike) if backup_id is not None else None
        if found is not None:
            return found
        if damage is not None:
            raise damage
        wanted = f"with the id {backup_id!r} " if backup_id else "that is old enough " if not_after else ""
        raise ArchiveError(
            f"There is no backup {wanted}of {self.backup_name!r} of host {self.hostname!r} in {self.storage.describe()}."
            + self._what_there_is()
        )

    def _what_there_is(self) -> str:
        """A sentence about the oldest backup of this set, or about hosts that have one of this name."""
        for name in reversed(self._folders()):
            try:
                began = datetime.fromtimestamp(self.load(name).manifest.began).astimezone()
            except (ArchiveError, StorageError):
                continue
            return f" The oldest is of {began:%Y-%m-%dT%H:%M:%S}."
        ending = f"_{self.backup_name}"
        hosts = sorted(name[: -len(ending)] for name in self.storage.children("") if name.endswith(ending))
        hosts = [shown(name) for name in hosts if name != self.hostname][:_NAMED_AT_MOST]
        return f" There is one of {', '.join(hosts)}; name the host with hostname." if hosts else ""

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
            if found.manifest.level != links[0].manifest.level - 1:
                raise DamagedArchive(
                    f"{links[0].folder} is of level {links[0].manifest.level} and continues {found.folder}, which is not of the "
                    "level below."
                )
            links.insert(0, found)
        if links[0].manifest.level != 0:
            raise DamagedArchive(f"{links[0].folder} is of level {links[0].manifest.level} and continues nothing.")
        return links


def next_timestamp(sets: Sequence[BackupSet], now: float) -> tuple[int, list[str]]:
    """The time in seconds since 1970 that names a new backup in all of these sets, and what is odd about it, as sentences.

    It is now, or right after the newest backup, and no folder bears it. Behind a backup of the end of time it is now.
    """
    wanted = int(now)
    taken: set[int] = set()
    newest = 0
    for backup_set in sets:
        taken |= backup_set.times()
        newest = max(newest, backup_set.newest_number(wanted))
    number = free_number(taken, max(wanted, newest + 1))
    if number + NAMES_OF_A_BACKUP > LATEST_SECONDS:
        number = free_number(taken, wanted)
    if newest - wanted <= AHEAD_SECONDS:
        return number, []
    named = datetime.fromtimestamp(newest).astimezone()
    odd = (
        f"The newest backup of {sets[0].folder} is named after {named:%Y-%m-%dT%H:%M:%S}, which is ahead of this host's clock: "
        "a clock was wrong, then or now. What is removed, and which backup a date means, goes by when each backup began."
    )
    return number, [odd]


def free_number(taken: Collection[int], first: int, room: int = NAMES_OF_A_BACKUP) -> int:
    """The first number, from `first` on, that is free together with those after it, as many as `room`."""
    while True:
        obstacles = [one for one in range(first, first + room) if one in taken]
        if not obstacles:
            return first
        first = obstacles[-1] + 1


def _folders_among(names: Iterable[str]) -> list[str]:
    """Those that name backups, newest first. What is beyond every date and level was named by no writer."""
    found = []
    for name in names:
        match = _FOLDER.fullmatch(name)
        if match and int(match.group(1)) <= LATEST_SECONDS and int(match.group(2)) <= MOST_LEVEL:
            found.append((int(match.group(1)), int(match.group(2)), name))
    return [name for _time, _level, name in sorted(found, reverse=True)]


def _load(storage: Storage, set_name: str, name: str) -> StoredBackup:
    """What lies in a folder of a set, of whichever names. Raises ObjectMissing, StorageError or DamagedArchive."""
    folder = f"{set_name}/{name}"
    where = f"{folder}/{MANIFEST_NAME} of {storage.describe()}"
    stored = read_manifest(storage, f"{folder}/{MANIFEST_NAME}")
    manifest = parse_manifest(stored, where)
    if f"{manifest.hostname}_{manifest.backup_name}/{manifest.folder}" != folder:
        raise DamagedArchive(
            f"{where} says that it belongs in the folder {manifest.hostname}_{manifest.backup_name}/{manifest.folder}."
        )
    return StoredBackup(manifest, folder, digest(stored))


def _or_another(problem: DamagedArchive | StorageError, name: str) -> DamagedBackup | StorageError:
    if not isinstance(problem, DamagedArchive):
        return problem
    return DamagedBackup(
        f"{problem} Another backup is chosen with backup_id, or an older one with restore_from_date.",
        int(name.partition("_")[0]),
    )


@dataclass
class Contents:
    """What a container holds: of each set what is there, and of folders of sets in which no manifest says whose they are.

    Sets are keyed by hostname and backup_name, the others by the names of their folders.
    """

    sets: dict[tuple[str, str], Survey[StoredBackup]] = field(default_factory=dict)
    orphans: dict[str, Survey[StoredBackup]] = field(default_factory=dict)


def contents(storage: Storage, wanted: Callable[[str], bool] = lambda _folder: True) -> Contents:
    """All sets of a container, by their manifests, since the name of a folder can be split in more ways than one.

    Only folders of sets that are `wanted` are looked into. Raises StorageError if the container cannot be read; what
    cannot be read in it is none of ours, and a manifest that is damaged hides no other one.
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
