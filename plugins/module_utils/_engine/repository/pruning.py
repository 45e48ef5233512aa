# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The removal of backups from a set: even if it is interrupted, every remaining backup restores.

A backup is removed in two steps: it is invalidated by deleting its manifest, then its folder is deleted. Increments are
removed before their parents.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..progress import Progress
from .retention import Decision, Rules, decide
from .survey import Survey


class Place(Protocol):
    """The location of a set."""

    kind: str
    container: str


class PrunableSet(Protocol):
    """The backups of one name: of files, or of a server or a volume."""

    @property
    def storage(self) -> Place: ...
    @property
    def folder(self) -> str: ...
    @property
    def backup_name(self) -> Any: ...

    def is_empty(self) -> bool:
        """Whether the set has neither backups nor leftovers. Raises StorageError."""

    def lock(self) -> AbstractContextManager[None]:
        """Lock the set. Raises SetBusy at once if another writer has locked it."""

    def survey(self, strict: bool = False) -> Survey[Any]:
        """Backups and leftovers, newest first."""

    def invalidate(self, backup: Any) -> None:
        """Invalidate a backup."""

    def remove_incomplete(self, folder: str) -> None:
        """Remove the folder of an incomplete or invalidated backup."""

    def size_of(self, folder: str) -> int:
        """The size of an incomplete backup in bytes."""


@dataclass(frozen=True)
class IncompleteBackup:
    """A folder without a manifest and without a writer: its name below the container, its size in bytes."""

    folder: str
    bytes: int


@dataclass
class PrunePlan:
    """What is kept and what is removed of one set. Backups are newest first."""

    kept: list[Decision[Any]] = field(default_factory=list)
    removed: list[Decision[Any]] = field(default_factory=list)
    incomplete: list[IncompleteBackup] = field(default_factory=list)
    #: Sentences about folders that were kept because their manifests cannot be read.
    damaged: list[str] = field(default_factory=list)

    @property
    def freed_bytes(self) -> int:
        """The bytes that become free: the segments of removed backups, and incomplete backups."""
        removed: int = sum(decision.backup.manifest.stored_bytes for decision in self.removed)
        return removed + sum(one.bytes for one in self.incomplete)


def fill_plan(
    plan: PrunePlan, backup_set: PrunableSet, rules: Rules, min_age: float, now: float, remembered: str | None = None
) -> None:
    """Fill the plan for one set, which the caller has locked; `remembered` is the folder of the newest backup that this host has written.

    Incomplete backups are removed if they are at least `min_age` seconds old. Raises StorageError, also if a single
    manifest cannot be fetched, and ForeignBackup if the folder belongs to another set.
    """
    survey = backup_set.survey(strict=True)
    decisions = decide(survey.backups, survey.damaged_folders, rules, now, remembered)
    plan.damaged = survey.damaged
    plan.kept = [decision for decision in decisions if decision.reasons]
    plan.removed = [decision for decision in decisions if not decision.reasons]
    for folder in survey.incomplete:
        began = int(folder.rpartition("/")[2].partition("_")[0])
        # Several backups of one second are named after the seconds that follow.
        if max(0.0, now - began) >= min_age:
            plan.incomplete.append(IncompleteBackup(folder, backup_set.size_of(folder)))


def carry_out(backup_set: PrunableSet, plan: PrunePlan, progress: Progress) -> None:
    """Remove what the plan removes. After a StorageError the plan has what was removed; every other backup is whole."""
    removed, incomplete = _increments_first(plan.removed), plan.incomplete
    plan.removed, plan.incomplete = [], []
    for decision in removed:
        backup_set.invalidate(decision.backup)
        plan.removed.append(decision)
        backup_set.remove_incomplete(f"{backup_set.folder}/{decision.backup.manifest.folder}")
        progress.advance(done_bytes=decision.backup.manifest.stored_bytes)
    for one in incomplete:
        backup_set.remove_incomplete(one.folder)
        plan.incomplete.append(one)
        progress.advance(done_bytes=one.bytes)


def _increments_first(removed: Sequence[Decision[Any]]) -> list[Decision[Any]]:
    # An increment is younger than its parent.
    return sorted(removed, key=lambda decision: decision.backup.manifest.timestamp, reverse=True)
