# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The choice of a backup among several storages: the newest one wins, and storages that lack it may hold a newer one."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Callable, TypeVar

from ..action.options import Options
from ..errors import FreezerError, NoBackup
from ..repository.errors import ArchiveError, DamagedArchive, DamagedBackup
from ..storage.errors import StorageError
from .media.base import Copy, Medium

_NONE = -1.0
_Read = TypeVar("_Read")


@dataclass(frozen=True)
class _Without:
    """A storage that cannot provide the chosen backup, and the reason."""

    problem: FreezerError
    #: The timestamp of the newest backup that it may hold; infinite if unknown.
    newest: float


@dataclass
class Chosen:
    """The copies of one backup, and the storages that cannot provide it."""

    copies: list[Copy[Any]]
    #: That of the backup.
    manifest: Any
    _without: list[_Without] = field(default_factory=list)

    def remarks(self) -> list[str]:
        """One sentence for each storage that may hold backups and does not provide this one."""
        return [str(one.problem) for one in self._without if one.newest > _NONE]

    def refuse_older(self, options: Options) -> None:
        """Raise ArchiveError if a storage may hold a newer backup, unless ``backup_id`` chose this one."""
        if options.backup_id:
            return
        for one in self._without:
            if one.newest > self.manifest.timestamp:
                raise ArchiveError(
                    f"{one.problem} There may be a newer backup than {self._called()}, so nothing was restored. Repair that storage, "
                    f"or choose the older backup with backup_id {self.manifest.backup_id}."
                )

    def need_everywhere(self) -> None:
        """Raise DamagedArchive if a storage of the action lacks this backup."""
        if self._without:
            raise DamagedArchive(
                f"Not every storage has the backup {self._called()}: "
                + " ".join(str(one.problem) for one in self._without)
            )

    def _called(self) -> str:
        return f"{self.manifest.backup_id} of {_said(self.manifest)}"


def _said(manifest: Any) -> str:
    return f"{datetime.fromtimestamp(manifest.began).astimezone():%Y-%m-%dT%H:%M:%S}"


def choose(medium: Medium[Any, Any]) -> Chosen:
    """The backup that an action asks for, in each storage that has it; the newest one of all storages wins.

    If no storage has one, raises the StorageError or ArchiveError of the one that may hold the newest.
    """
    found: list[Copy[Any]] = []
    without: list[_Without] = []
    for one in medium.sets(any_name=True):
        try:
            found.append(medium.find(one))
        except StorageError as problem:
            without.append(_Without(problem, math.inf))
        except DamagedBackup as problem:
            without.append(_Without(problem, problem.timestamp))
        except ArchiveError as problem:
            without.append(_Without(problem, math.inf if isinstance(problem, DamagedArchive) else _NONE))
    if not found:
        # That a storage has none says less than what is wrong with another one.
        raise max(without, key=lambda one: (one.newest, not isinstance(one.problem, NoBackup))).problem
    newest = max((copy.manifest for copy in found), key=lambda manifest: manifest.timestamp)
    copies = []
    for copy in found:
        manifest = copy.manifest
        if manifest.backup_id == newest.backup_id:
            copies.append(copy)
        else:
            older = f"In {copy.backup_set.storage.describe()} the newest matching backup is {manifest.backup_id} of {_said(manifest)}."
            without.append(_Without(ArchiveError(older), manifest.timestamp))
    return Chosen(copies, newest, without)


def first_whole(chosen: Chosen, read: Callable[[Copy[Any]], _Read]) -> tuple[Copy[Any], _Read, list[str]]:
    """The first copy that can be read, what `read` gives of it, and a sentence for each storage that was passed over.

    Raises what the last one raises.
    """
    remarks = list(chosen.remarks())
    for copy in chosen.copies[:-1]:
        try:
            return copy, read(copy), remarks
        except (DamagedArchive, StorageError) as problem:
            remarks.append(f"{problem} The next storage was taken.")
    last = chosen.copies[-1]
    return last, read(last), remarks


def described(medium: Medium[Any, Any], copy: Copy[Any]) -> dict[str, Any]:
    """The backup that is read, its location, and its chain, the full backup first."""
    place = medium.place(copy.backup_set, copy.manifest)
    chain = [
        {"backup_id": one.manifest.backup_id, "level": one.manifest.level, "timestamp": one.manifest.began}
        for one in copy.chain
    ]
    return {
        **medium.describe(copy.stored),
        **medium.describe_author(copy),
        "chain": chain,
        "storage": place["storage"],
        "container": place["container"],
    }
