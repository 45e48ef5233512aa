# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What all sets of backups in a storage have in common, of files as of images: one folder, in it one folder for each
backup, named by its time, with a manifest that is written last."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Generic, TypeVar

from ..storage.base import Storage
from ..storage.errors import ObjectMissing, OddObject, StorageError
from .errors import ArchiveError, DamagedArchive, DamagedBackup, ForeignBackup, NoSuchBackup
from .ids import is_beginning, only_one
from .manifest import AHEAD_SECONDS, MOST_MANIFEST_BYTES
from .shape import LATEST_SECONDS
from .survey import Kept, Survey

MANIFEST_NAME = "manifest.json"
#: Written before it.
SIGNATURE_NAME = "manifest.json.sig"
#: A backup that is begun again takes the next name: so many at most.
NAMES_OF_A_BACKUP = 40


Stored = TypeVar("Stored", bound=Kept)


def read_manifest(storage: Storage, name: str) -> bytes:
    """The bytes of an object that should be a manifest. Raises ObjectMissing, StorageError or DamagedArchive."""
    try:
        return storage.read(name, MOST_MANIFEST_BYTES)
    except OddObject as problem:
        raise DamagedArchive(str(problem)) from problem


def time_in(name: str) -> int:
    """The seconds since 1970 in the name of the folder of a backup."""
    return int(name.partition("_")[0])


class StoredSet(ABC, Generic[Stored]):
    """The backups in one folder of a storage."""

    storage: Storage
    #: Below the container.
    folder: str
    #: Whether a backup may continue an earlier one, so that one that cannot be read puts others in doubt.
    has_levels = True

    @abstractmethod
    def names(self) -> list[str]:
        """The folders of backups, newest first, with or without a manifest. Raises StorageError."""

    @abstractmethod
    def load(self, name: str) -> Stored:
        """The backup in one folder. Raises ObjectMissing, StorageError, ForeignBackup or DamagedArchive."""

    @abstractmethod
    def describe(self) -> str:
        """Whose backups these are, as a part of a sentence."""

    def is_meant(self, backup: Stored) -> bool:
        """Whether a backup of this folder is one of those that the set is about."""
        del backup
        return True

    def alternatives(self) -> str:
        """A sentence about what is there where nothing was found, with a space before it, or nothing."""
        return ""

    def check_owner(self) -> None:
        """Raise ForeignBackup if the folder belongs to another set, and StorageError if it cannot be read."""
        self.names()

    def is_empty(self) -> bool:
        """Whether nothing at all is there. Raises StorageError."""
        return not self.names()

    def lock(self) -> AbstractContextManager[None]:
        """Be the only writer of this set. Raises SetBusy at once if there is another."""
        return self.storage.lock(self.folder)

    def invalidate(self, backup: Stored) -> None:
        """Invalidate a backup. Raises StorageError."""
        self.storage.delete(f"{self.folder}/{backup.manifest.folder}/{MANIFEST_NAME}")

    def remove_incomplete(self, folder: str) -> None:
        """Remove an incomplete backup. Raises StorageError."""
        self.storage.delete_folder(folder)

    def size_of(self, folder: str) -> int:
        """The bytes of all that lies in a folder. Raises StorageError."""
        return self.storage.size_of(folder)

    def times(self) -> set[int]:
        """The times of all folders, whole backups or not. Raises StorageError."""
        return {time_in(name) for name in self.names()}

    def newest_number(self, now: int) -> int:
        """The time in the newest name of a backup, whatever its state; 0 if there is none. Raises StorageError.

        A folder without a manifest counts up to now only: any number can be in its name.
        """
        return next((time_in(name) for name in self.names() if time_in(name) <= now or self._has_manifest(name)), 0)

    def _has_manifest(self, name: str) -> bool:
        try:
            self.load(name)
        except ObjectMissing:
            return False
        except (ArchiveError, StorageError):
            pass
        return True

    def newest_first(self) -> Iterator[Stored]:
        """Every whole backup. Raises DamagedArchive where a manifest cannot be read."""
        for name in self.names():
            try:
                yield self.load(name)
            except ObjectMissing:
                continue  # a run that failed, or one that is being written: not a backup

    def survey(self, strict: bool = False) -> Survey[Stored]:
        """Everything that is there, newest first, whatever its state.

        If `strict`, raises StorageError where a manifest cannot be fetched, and ForeignBackup where all are another set's.
        """
        survey: Survey[Stored] = Survey()
        foreign: ForeignBackup | None = None
        for name in self.names():
            try:
                found = self.load(name)
            except ObjectMissing:
                survey.incomplete.append(f"{self.folder}/{name}")
            except (DamagedArchive, ForeignBackup, StorageError) as problem:
                if strict and isinstance(problem, StorageError):
                    raise
                if isinstance(problem, ForeignBackup):
                    foreign = foreign or problem
                survey.damaged.append(str(problem))
                if self.has_levels:
                    survey.damaged_folders.append(f"{self.folder}/{name}")
            else:
                if self.is_meant(found):
                    survey.backups.append(found)
        if strict and foreign is not None and not survey.backups:
            raise foreign
        return survey

    def find(self, backup_id: str | None = None, not_after: float | None = None) -> Stored:
        """The backup with an id, or with the only one that begins so, else the newest one that began at or before a
        time (seconds since 1970), else the newest.

        Raises NoSuchBackup if there is none, DamagedArchive or StorageError where what cannot be read may be the one
        that is meant, and OptionError for an id of too few digits.
        """
        damage: ArchiveError | StorageError | None = None
        younger: DamagedBackup | StorageError | None = None
        alike: list[Stored] = []
        for name in self.names():
            late = not_after is not None and time_in(name) > not_after
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
            if not self.is_meant(backup) or (not_after is not None and backup.manifest.began > not_after):
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
        raise NoSuchBackup(
            f"There is no backup {wanted}of {self.describe()} in {self.storage.describe()}.{self.alternatives()}"
        )


def _or_another(problem: DamagedArchive | StorageError, name: str) -> DamagedBackup | StorageError:
    if not isinstance(problem, DamagedArchive):
        return problem
    return DamagedBackup(
        f"{problem} Another backup is chosen with backup_id, or an older one with restore_from_date.", time_in(name)
    )


def next_timestamp(
    sets: Sequence[StoredSet[Stored]], now: float, room: int = NAMES_OF_A_BACKUP
) -> tuple[int, list[str]]:
    """The time in seconds since 1970 that names a new backup in all of these sets, and what is odd about it, as sentences.

    It is now, or right after the newest backup, and no folder bears it, nor one of the next ones, so many as `room`.
    Behind a backup of the end of time it is now.
    """
    wanted = int(now)
    taken: set[int] = set()
    newest = 0
    for one in sets:
        taken |= one.times()
        newest = max(newest, one.newest_number(wanted))
    number = _free_number(taken, max(wanted, newest + 1), room)
    if number + NAMES_OF_A_BACKUP > LATEST_SECONDS:
        number = _free_number(taken, wanted, room)
    if newest - wanted <= AHEAD_SECONDS:
        return number, []
    named = datetime.fromtimestamp(newest).astimezone()
    odd = (
        f"The newest backup of {sets[0].folder} is named after {named:%Y-%m-%dT%H:%M:%S}, which is ahead of this host's clock: "
        "a clock was wrong, then or now. What is removed, and which backup a date means, goes by when each backup began."
    )
    return number, [odd]


def _free_number(taken: Collection[int], first: int, room: int) -> int:
    """The first number, from `first` on, that is free together with those after it, as many as `room`."""
    while True:
        obstacles = [one for one in range(first, first + room) if one in taken]
        if not obstacles:
            return first
        first = obstacles[-1] + 1
