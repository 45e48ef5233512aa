# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The choice of a backup among several storages: the newest one wins, and storages that lack it may hold a newer one."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Callable, Generic, Protocol, TypeVar

from ..action.options import Options
from ..errors import FreezerError, NoBackup
from ..repository.errors import ArchiveError, DamagedArchive, DamagedBackup
from ..storage.base import Storage
from ..storage.errors import StorageError


class _Manifest(Protocol):
    @property
    def backup_id(self) -> str: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def began(self) -> int: ...


class _Set(Protocol):
    @property
    def storage(self) -> Storage: ...


Found = TypeVar("Found")
Where = TypeVar("Where", bound=_Set)

_NONE = -1.0


@dataclass(frozen=True)
class _Without:
    """A storage that cannot provide the chosen backup, and the reason."""

    problem: FreezerError
    #: The timestamp of the newest backup that it may hold; infinite if unknown.
    newest: float


@dataclass
class Chosen(Generic[Found]):
    """The copies of one backup, and the storages that cannot provide it."""

    copies: list[Found]
    manifest: _Manifest
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


def _said(manifest: _Manifest) -> str:
    return f"{datetime.fromtimestamp(manifest.began).astimezone():%Y-%m-%dT%H:%M:%S}"


def choose(
    sets: Iterable[Where], look: Callable[[Where], Found], manifest_of: Callable[[Found], _Manifest]
) -> Chosen[Found]:
    """The newest backup among those that `look` finds in each set, with all its copies.

    If no set has a backup, raises the StorageError or ArchiveError of the set that may hold the newest one.
    """
    found: list[tuple[Where, Found]] = []
    without: list[_Without] = []
    for one in sets:
        try:
            found.append((one, look(one)))
        except StorageError as problem:
            without.append(_Without(problem, math.inf))
        except DamagedBackup as problem:
            without.append(_Without(problem, problem.timestamp))
        except ArchiveError as problem:
            without.append(_Without(problem, math.inf if isinstance(problem, DamagedArchive) else _NONE))
    if not found:
        # That a storage has none says less than what is wrong with another one.
        raise max(without, key=lambda one: (one.newest, not isinstance(one.problem, NoBackup))).problem
    newest = max((manifest_of(copy) for _where, copy in found), key=lambda manifest: manifest.timestamp)
    copies = []
    for where, copy in found:
        manifest = manifest_of(copy)
        if manifest.backup_id == newest.backup_id:
            copies.append(copy)
        else:
            older = f"In {where.storage.describe()} the newest matching backup is {manifest.backup_id} of {_said(manifest)}."
            without.append(_Without(ArchiveError(older), manifest.timestamp))
    return Chosen(copies, newest, without)
