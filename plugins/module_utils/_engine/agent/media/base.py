# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What can be copied, as every verb sees it: a medium knows its source, its sets of backups and what to do with one; the
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
        """Raise ForeignBackup if the place belongs to another set, and StorageError if it cannot be read."""

    def find(self, backup_id: str | None = None, not_after: float | None = None) -> Any:
        """The backup that is meant. Raises ArchiveError or StorageError."""

    def chain(self, backup: Any) -> Sequence[Any]:
        """The backup and what it is built on, the full one first. Raises DamagedArchive."""


class Places(Protocol):
    """What a host knows of the containers of its storages."""

    made: list[Storage]
    problems: list[str]

    def check(self, storage: Any) -> None:
        """Raise StorageError if a container is gone, or is another one."""

    def lost(self, storages: Iterable[Any]) -> dict[Any, StorageError]:
        """Those that a backup cannot go to. Raises StorageError if that is all of them."""

    def prepare(self, storage: Any) -> None:
        """Have a container ready for a backup. Raises StorageError."""


OneSet = TypeVar("OneSet", bound=Set)
Source = TypeVar("Source")


@dataclass(frozen=True)
class Copy(Generic[OneSet]):
    """One backup in one storage, with what it is built on: the full one first, the backup itself last."""

    backup_set: OneSet
    chain: Sequence[Any]

    @property
    def stored(self) -> Any:
        """The backup that is meant."""
        return self.chain[-1]

    @property
    def manifest(self) -> Any:
        """What it says of itself."""
        return self.stored.manifest


@dataclass(frozen=True)
class Run(Generic[OneSet]):
    """One backup while it is made. `working` are the sets that are locked; `started` is in seconds since 1970."""

    sets: Sequence[OneSet]
    working: Sequence[OneSet]
    fan_out: FanOut
    containers: Places
    started: float
    progress: Progress


class Medium(ABC, Generic[OneSet, Source]):
    """Files, images of servers and volumes, or backups that Cinder keeps, as the options of one action mean them.

    What these methods raise is a FreezerError.
    """

    def __init__(self, options: Options, containers: Places) -> None:
        self.options = options
        self.containers = containers

    @property
    def wanted_id(self) -> str | None:
        """The id of the backup that is meant, if one is."""
        return self.options.backup_id

    @abstractmethod
    def source(self) -> Source:
        """What is to be copied. It is there, and can be read."""

    @abstractmethod
    def sets(self, source: Source | None = None, any_name: bool = False) -> Sequence[OneSet]:
        """The set in each storage of the action. With `any_name` an action without a name means all names."""

    @abstractmethod
    def newest(self, one: OneSet) -> Any | None:
        """The newest backup of a set, None if there is none or it cannot be read."""

    @abstractmethod
    def plan(self, source: Source, sets: Sequence[OneSet], now: float) -> dict[str, Any]:
        """What a backup would be, without making one."""

    @abstractmethod
    def store(self, run: Run[OneSet], source: Source) -> dict[str, Any]:
        """Make a backup in all storages of a run, and say what became of it."""

    def find(self, one: OneSet) -> Copy[OneSet]:
        """The backup that the action means, in one set. Raises StorageError or ArchiveError."""
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
        """Write the buffers of the source's file systems to disk; sentences about what that does not do."""
        return ["sync writes out the file systems of this host; it does nothing for a server or a volume of a cloud."]

    def lists_containers(self) -> bool:
        """Whether a list is one of containers, because the action names neither backups nor a container."""
        return False

    def check_target(self) -> None:
        """Refuse a target of a restore that can be none, before anything is looked for."""
        return

    @abstractmethod
    def restore(self, copy: Copy[OneSet], progress: Progress, dry_run: bool) -> dict[str, Any]:
        """Restore one copy, or say what that would do. The target is as before if it fails."""

    @abstractmethod
    def prove(self, copy: Copy[OneSet], check: str, compare_to: str | None, progress: Progress) -> list[str]:
        """Prove that a copy restores; the differences from what it is compared with. Raises DamagedArchive."""

    @abstractmethod
    def prove_twin(self, copy: Copy[OneSet], check: str, progress: Progress) -> None:
        """Prove a copy in another storage of what `prove` has proved. Raises DamagedArchive."""

    @abstractmethod
    def describe(self, stored: Any) -> dict[str, Any]:
        """Whose backup it is, and which."""

    @abstractmethod
    def describe_proof(self, copy: Copy[OneSet]) -> dict[str, Any]:
        """What was proved: ``stored_bytes`` and what else the medium knows."""

    @abstractmethod
    def place(self, one: OneSet, manifest: Any) -> dict[str, Any]:
        """Where a backup lies: ``storage``, ``container`` and ``folder``."""

    @abstractmethod
    def list(self) -> dict[str, list[Any]]:
        """The ``backups`` that there are, and what is ``incomplete`` or ``damaged``."""

    def beside(self) -> dict[str, Any]:
        """What there is to say beside every result of the cloud: ``problems``."""
        return {}


class KeptElsewhere:
    """Of places that are no containers of this host's storages there is nothing to check."""

    def __init__(self) -> None:
        self.made: list[Storage] = []
        self.problems: list[str] = []

    def check(self, storage: Any) -> None:
        """There is nothing to check."""

    def lost(self, storages: Iterable[Any]) -> dict[Any, StorageError]:
        """None is lost."""
        del storages
        return {}

    def prepare(self, storage: Any) -> None:
        """There is nothing to prepare."""
