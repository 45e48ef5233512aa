# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The interface of a medium. A medium knows its source, its backup sets and how to store, restore and prove a backup; a
verb knows locks, ages, several storages, dry runs and results."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from ...action.options import Options
from ...progress import Progress
from ...repository.errors import ArchiveError, DamagedBackup
from ...repository.pruning import PrunableSet
from ...repository.segments import FanOut
from ...storage.base import Storage
from ...storage.errors import StorageError


class Set(PrunableSet, Protocol):
    """The backups of one name in one storage."""

    @property
    def storage(self) -> Any: ...

    def check_owner(self) -> None:
        """Raise ForeignBackup if the folder belongs to another set, and StorageError if it cannot be read."""

    def find(self, backup_id: str | None = None, not_after: float | None = None) -> Any:
        """The backup with this id, else the newest one, of a time if given. Raises ArchiveError or StorageError."""

    def chain(self, backup: Any) -> Sequence[Any]:
        """The chain of a backup, the full backup first. Raises DamagedArchive."""


class HostContainers(Protocol):
    """What this host remembers of the containers that it uses."""

    made: list[Storage]
    problems: list[str]

    def check(self, storage: Any) -> None:
        """Raise StorageError if a container is gone, or is another one."""

    def lost(self, storages: Iterable[Any]) -> dict[Any, StorageError]:
        """The storages that a backup cannot be written to, with the reasons. Raises StorageError if these are all."""

    def prepare(self, storage: Any) -> None:
        """Prepare a container for a backup. Raises StorageError."""


OneSet = TypeVar("OneSet", bound=Set)
Source = TypeVar("Source")


@dataclass(frozen=True)
class Copy(Generic[OneSet]):
    """One backup in one storage with its chain: the full backup first, the backup itself last."""

    backup_set: OneSet
    chain: Sequence[Any]

    @property
    def stored(self) -> Any:
        """The backup itself."""
        return self.chain[-1]

    @property
    def manifest(self) -> Any:
        """The manifest of the backup."""
        return self.stored.manifest


@dataclass(frozen=True)
class Run(Generic[OneSet]):
    """One backup while it is made. `working` are the sets that are locked; `started` is in seconds since 1970."""

    sets: Sequence[OneSet]
    working: Sequence[OneSet]
    fan_out: FanOut
    containers: HostContainers
    started: float
    progress: Progress


class Medium(ABC, Generic[OneSet, Source]):
    """What an action copies: files, images of servers and volumes, or backups that Cinder keeps.

    All methods raise FreezerError.
    """

    def __init__(self, options: Options, containers: HostContainers) -> None:
        self.options = options
        self.containers = containers

    @property
    def wanted_id(self) -> str | None:
        """The id of the backup that the action names, if any."""
        return self.options.backup_id

    @abstractmethod
    def source(self) -> Source:
        """The source to copy, which exists and can be read."""

    @abstractmethod
    def sets(self, source: Source | None = None, any_name: bool = False) -> Sequence[OneSet]:
        """The set in each storage of the action. With `any_name` an action without a name means all names."""

    @abstractmethod
    def newest(self, one: OneSet) -> Any | None:
        """The newest backup of a set; None if the set is empty or cannot be read."""

    @abstractmethod
    def plan(self, source: Source, sets: Sequence[OneSet], now: float) -> dict[str, Any]:
        """The result of a dry run."""

    @abstractmethod
    def store(self, run: Run[OneSet], source: Source) -> dict[str, Any]:
        """Make a backup in all storages of a run, and return its result."""

    def find(self, one: OneSet) -> Copy[OneSet]:
        """The backup that the action asks for, in one set. Raises StorageError or ArchiveError."""
        self.containers.check(one.storage)
        wanted = one.find(self.wanted_id, self.options.restore_from_date)
        try:
            return Copy(one, one.chain(wanted))
        except ArchiveError as problem:
            raise DamagedBackup(str(problem), wanted.manifest.timestamp) from problem

    def asks_cloud(self) -> bool:
        """Whether the work needs requests to a cloud. Raises OptionError if the storages cannot be told."""
        return True

    def sync(self) -> list[str]:
        """Write the buffers of the source's file systems to disk; one sentence if that has no effect."""
        return ["sync writes out the file systems of this host; it does nothing for a server or a volume of a cloud."]

    def lists_containers(self) -> bool:
        """Whether a list is one of containers, because the action names neither backups nor a container."""
        return False

    def check_target(self) -> None:
        """Refuse an impossible restore target before the backup is looked up."""
        return

    @abstractmethod
    def restore(self, copy: Copy[OneSet], progress: Progress, dry_run: bool) -> dict[str, Any]:
        """Restore one copy, or with `dry_run` return what would be done. If it fails, the target is unchanged."""

    @abstractmethod
    def prove(self, copy: Copy[OneSet], check: str, compare_to: str | None, progress: Progress) -> list[str]:
        """Prove that a copy restores; the differences from `compare_to`. Raises DamagedArchive."""

    @abstractmethod
    def prove_twin(self, copy: Copy[OneSet], check: str, progress: Progress) -> None:
        """Prove another copy of a backup that `prove` has proved. Raises DamagedArchive."""

    @abstractmethod
    def describe(self, stored: Any) -> dict[str, Any]:
        """The keys of a result that identify a backup."""

    @abstractmethod
    def describe_proof(self, copy: Copy[OneSet]) -> dict[str, Any]:
        """The keys of a result about a proof: ``stored_bytes`` and the medium's own."""

    @abstractmethod
    def place(self, one: OneSet, manifest: Any) -> dict[str, Any]:
        """The location of a backup and its folder there: ``storage``, ``container`` and ``folder``."""

    @abstractmethod
    def list(self) -> dict[str, list[Any]]:
        """The ``backups``, and what is ``incomplete`` or ``damaged``."""

    def cloud_problems(self) -> dict[str, Any]:
        """For media of clouds ``problems``, sentences about leftovers in the cloud."""
        return {}


class NoContainers:
    """For backups that do not lie in containers of this host's storages: nothing to check, nothing to prepare."""

    def __init__(self) -> None:
        self.made: list[Storage] = []
        self.problems: list[str] = []

    def check(self, storage: Any) -> None:
        """Do nothing."""

    def lost(self, storages: Iterable[Any]) -> dict[Any, StorageError]:
        """No storage is lost."""
        del storages
        return {}

    def prepare(self, storage: Any) -> None:
        """Do nothing."""
