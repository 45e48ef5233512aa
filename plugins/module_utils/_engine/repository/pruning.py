# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What goes from a set of backups, and how: whatever moment it is interrupted in, every backup that is left restores.

A backup is taken away in two steps: first its manifest, and it is none any more; then its folder. Increments go before
what they continue.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..progress import Progress
from .retention import Decision, Rules, Survey, decide


class Place(Protocol):
    """Where a set is."""

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
        """Whether nothing at all is there. Raises StorageError."""

    def hold(self) -> AbstractContextManager[None]:
        """Be the only writer. Raises SetBusy at once if there is another."""

    def survey(self, strict: bool = False) -> Survey[Any]:
        """All that is there, newest first."""

    def forget(self, backup: Any) -> None:
        """Let a backup be none any more."""

    def remove_half(self, folder: str) -> None:
        """Take away what is no backup, or none any more."""

    def size_of(self, folder: str) -> int:
        """The bytes of what has no manifest."""


@dataclass(frozen=True)
class HalfBackup:
    """A folder without a manifest, which nobody writes any more: its name below the container, its size in bytes."""

    folder: str
    bytes: int


@dataclass
class PrunePlan:
    """What stays and what goes of one set. Backups are newest first."""

    kept: list[Decision[Any]] = field(default_factory=list)
    removed: list[Decision[Any]] = field(default_factory=list)
    half: list[HalfBackup] = field(default_factory=list)
    #: Why folders were left alone whose manifests cannot be read.
    damaged: list[str] = field(default_factory=list)

    @property
    def freed_bytes(self) -> int:
        """What becomes free in the storage: segments of backups, and all that lies in halves of them."""
        removed: int = sum(decision.backup.manifest.stored_bytes for decision in self.removed)
        return removed + sum(half.bytes for half in self.half)


def fill_plan(plan: PrunePlan, backup_set: PrunableSet, rules: Rules, min_age: float, now: float) -> None:
    """Plan for one set, which the caller holds. Raises StorageError, also where only one manifest cannot be fetched,
    and ForeignBackup where the folder is another set's.

    Halves of backups go when they are at least `min_age` seconds old.
    """
    survey = backup_set.survey(strict=True)
    decisions = decide(survey.backups, survey.damaged_folders, rules, now)
    plan.damaged = survey.damaged
    plan.kept = [decision for decision in decisions if decision.reasons]
    plan.removed = [decision for decision in decisions if not decision.reasons]
    for folder in survey.incomplete:
        began = int(folder.rpartition("/")[2].partition("_")[0])
        # Of several backups in one second the later ones have names of the seconds after it.
        if max(0.0, now - began) >= min_age:
            plan.half.append(HalfBackup(folder, backup_set.size_of(folder)))


def carry_out(backup_set: PrunableSet, plan: PrunePlan, progress: Progress) -> None:
    """Remove what is to go. Raises StorageError; the plan then says what is gone, and all that is not is whole."""
    removed, half = _increments_first(plan.removed), plan.half
    plan.removed, plan.half = [], []
    for decision in removed:
        backup_set.forget(decision.backup)
        plan.removed.append(decision)
        backup_set.remove_half(f"{backup_set.folder}/{decision.backup.manifest.folder}")
        progress.advance(done_bytes=decision.backup.manifest.stored_bytes)
    for one in half:
        backup_set.remove_half(one.folder)
        plan.half.append(one)
        progress.advance(done_bytes=one.bytes)


def _increments_first(removed: Sequence[Decision[Any]]) -> list[Decision[Any]]:
    # An increment is younger than what it continues.
    return sorted(removed, key=lambda decision: decision.backup.manifest.timestamp, reverse=True)
