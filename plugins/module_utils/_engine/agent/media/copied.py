# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The interface of a medium for the verb backup; `base` has the rest, for restore, verify, prune and info."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from ...action.options import Options
from ...progress import Progress
from ...repository.segments import FanOut
from ...storage.base import Storage
from ...storage.errors import StorageError


class TargetSet(Protocol):
    """The backups of one name in one storage, to which another one is added."""

    @property
    def storage(self) -> Any: ...

    def lock(self) -> AbstractContextManager[None]:
        """Be its only writer. Raises SetBusy, StorageError."""

    def check_owner(self) -> None:
        """Raise ForeignBackup if the folder belongs to another set, and StorageError if it cannot be read."""


class HostContainers(Protocol):
    """What this host remembers of the containers that it uses."""

    made: list[Storage]
    problems: list[str]

    def check(self, storage: Any) -> None:
        """Raise StorageError if a container is gone, or is another one."""

    def id_of(self, storage: Any) -> str | None:
        """The id of a container that was used from here; None for another one. Raises StorageError."""

    def lost(self, storages: Iterable[Any]) -> dict[Any, StorageError]:
        """The storages that a backup cannot be written to, with the reasons. Raises StorageError if these are all."""

    def prepare(self, storage: Any) -> None:
        """Prepare a container for a backup. Raises StorageError."""


Target = TypeVar("Target", bound=TargetSet)
Source = TypeVar("Source")


@dataclass(frozen=True)
class Run(Generic[Target]):
    """One backup while it is made. `working` are the sets that are locked; `started` is in seconds since 1970."""

    sets: Sequence[Target]
    working: Sequence[Target]
    fan_out: FanOut
    containers: HostContainers
    started: float
    progress: Progress


class Copied(ABC, Generic[Target, Source]):
    """The part of a medium that a backup needs: its source, its backup sets, and how a backup is stored.

    All methods raise FreezerError.
    """

    def __init__(self, options: Options, containers: HostContainers) -> None:
        self.options = options
        self.containers = containers

    @abstractmethod
    def source(self) -> Source:
        """The source to copy, which exists and can be read."""

    @abstractmethod
    def sets(self, source: Source | None = None, any_name: bool = False) -> Sequence[Target]:
        """The set in each storage of the action. With `any_name` an action without a name means all names."""

    @abstractmethod
    def newest(self, one: Target) -> Any | None:
        """The newest backup of a set; None if the set is empty or cannot be read."""

    @abstractmethod
    def plan(self, source: Source, sets: Sequence[Target], now: float) -> dict[str, Any]:
        """The result of a dry run."""

    @abstractmethod
    def store(self, run: Run[Target], source: Source) -> dict[str, Any]:
        """Make a backup in all storages of a run, and return its result."""

    def asks_cloud(self) -> bool:
        """Whether the work needs requests to a cloud. Raises OptionError if the storages cannot be told."""
        return True

    def sync(self) -> list[str]:
        """Write the buffers of the source's file systems to disk; one sentence if that has no effect."""
        return ["sync writes out the file systems of this host; it does nothing for a server or a volume of a cloud."]

    @abstractmethod
    def describe(self, stored: Any) -> dict[str, Any]:
        """The keys of a result that identify a backup."""

    @abstractmethod
    def place(self, one: Target, manifest: Any) -> dict[str, Any]:
        """The location of a backup and its folder there: ``storage``, ``container`` and ``folder``."""
