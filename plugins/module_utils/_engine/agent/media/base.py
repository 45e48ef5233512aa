# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The interface of a medium. A medium knows its source, its backup sets and how to store, restore and prove a backup; a
verb knows locks, ages, several storages, dry runs and results."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from ...progress import Progress
from ...repository.errors import ArchiveError, DamagedBackup
from ...repository.pruning import PrunableSet
from .copied import Copied, Source, TargetSet


class Set(TargetSet, PrunableSet, Protocol):
    """The backups of one name in one storage."""

    def find(self, backup_id: str | None = None, not_after: float | None = None) -> Any:
        """The backup with this id, else the newest one, of a time if given. Raises ArchiveError or StorageError."""

    def chain(self, backup: Any) -> Sequence[Any]:
        """The chain of a backup, the full backup first. Raises DamagedArchive."""


OneSet = TypeVar("OneSet", bound=Set)


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


class Medium(Copied[OneSet, Source]):
    """What an action copies: files, images of servers and volumes, or backups that Cinder keeps.

    All methods raise FreezerError.
    """

    @property
    def wanted_id(self) -> str | None:
        """The id of the backup that the action names, if any."""
        return self.options.backup_id

    def find(self, one: OneSet) -> Copy[OneSet]:
        """The backup that the action asks for, in one set. Raises StorageError or ArchiveError."""
        self.containers.check(one.storage)
        wanted = one.find(self.wanted_id, self.options.restore_from_date)
        try:
            return Copy(one, one.chain(wanted))
        except ArchiveError as problem:
            raise DamagedBackup(str(problem), wanted.manifest.timestamp) from problem

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
    def describe_proof(self, copy: Copy[OneSet]) -> dict[str, Any]:
        """The keys of a result about a proof: ``stored_bytes`` and the medium's own."""

    def describe_author(self, copy: Copy[OneSet]) -> dict[str, Any]:
        """The keys of a result that say who has signed a copy, for media that have signatures."""
        del copy
        return {}

    @abstractmethod
    def list(self) -> dict[str, list[Any]]:
        """The ``backups``, and what is ``incomplete`` or ``damaged``."""

    def newest_remembered(self, one: OneSet) -> str | None:
        """The folder in its set of the newest backup that this host remembers to have written, for media that are remembered."""
        del one
        return None

    def left_alone(self) -> str:
        """A sentence about other backups of this name, which prune never removes, with a blank before it; or nothing."""
        return ""

    def cloud_problems(self) -> dict[str, Any]:
        """For media of clouds ``problems``, sentences about leftovers in the cloud."""
        return {}
