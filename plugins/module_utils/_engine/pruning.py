# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What goes from a set of backups, and how: whatever moment it is interrupted in, every backup that is left restores.

A backup is taken away in two steps: first its manifest, and it is none any more; then its folder. Increments go before
what they continue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .archive.backup_set import MANIFEST_NAME, BackupSet
from .progress import Progress
from .retention import Decision, Rules, decide


@dataclass(frozen=True)
class HalfBackup:
    """A folder without a manifest, which nobody writes any more: its name below the container, its size in bytes."""

    folder: str
    bytes: int


@dataclass
class PrunePlan:
    """What stays and what goes of one set. Backups are newest first."""

    kept: list[Decision] = field(default_factory=list)
    removed: list[Decision] = field(default_factory=list)
    half: list[HalfBackup] = field(default_factory=list)
    #: Why folders were left alone whose manifests cannot be read.
    damaged: list[str] = field(default_factory=list)

    @property
    def freed_bytes(self) -> int:
        """What becomes free in the storage: segments of backups, and all that lies in halves of them."""
        removed = sum(decision.backup.manifest.stored_bytes for decision in self.removed)
        return removed + sum(half.bytes for half in self.half)


def fill_plan(plan: PrunePlan, backup_set: BackupSet, rules: Rules, min_age: float, now: float) -> None:
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
            plan.half.append(HalfBackup(folder, backup_set.storage.size_of(folder)))


def carry_out(backup_set: BackupSet, plan: PrunePlan, progress: Progress) -> None:
    """Remove what is to go. Raises StorageError; the plan then says what is gone, and all that is not is whole."""
    storage = backup_set.storage
    removed, half = _increments_first(plan.removed), plan.half
    plan.removed, plan.half = [], []
    for decision in removed:
        folder = f"{backup_set.folder}/{decision.backup.manifest.folder}"
        storage.delete(f"{folder}/{MANIFEST_NAME}")
        plan.removed.append(decision)
        storage.delete_folder(folder)
        progress.advance(done_bytes=decision.backup.manifest.stored_bytes)
    for one in half:
        storage.delete_folder(one.folder)
        plan.half.append(one)
        progress.advance(done_bytes=one.bytes)


def _increments_first(removed: Sequence[Decision]) -> list[Decision]:
    # An increment is younger than what it continues.
    return sorted(removed, key=lambda decision: decision.backup.manifest.timestamp, reverse=True)
