# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Backup, restore, verify, prune and info of servers and volumes: which of them an action asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...action.options import Options
from ...progress import Progress
from ...repository.pruning import PrunableSet
from ...storage.errors import StorageError
from ...storage.swift import SwiftStorage
from . import images, native, proving, restoring, results
from .image_set import ImageSet, image_sets
from .locations import backup_name, image_sets_of, resource_id


def _is_native(options: Options) -> bool:
    return options.backup_media == "cindernative"


def backup(options: Options, progress: Progress, dry_run: bool) -> dict[str, Any]:
    """Back up the server or the volume that an action names. Raises FreezerError."""
    work = native.backup if _is_native(options) else images.backup
    return work(options, progress, dry_run)


def restore(options: Options, progress: Progress, dry_run: bool) -> dict[str, Any]:
    """A new server or volume of the backup that an action means. Raises FreezerError."""
    work = native.restore if _is_native(options) else restoring.restore
    return work(options, progress, dry_run)


def verify(options: Options, progress: Progress) -> dict[str, Any]:
    """Prove that the backup that an action means restores. Raises FreezerError if it does not."""
    work = native.verify if _is_native(options) else proving.verify
    return work(options, progress)


def prunable(options: Options) -> Sequence[PrunableSet]:
    """The backups of one name that an action admin is about, in each place. Raises FreezerError."""
    options.backup_name = backup_name(options, resource_id(options))
    if _is_native(options):
        return [native.native_set(options, options.backup_name)]
    return image_sets_of(options, options.backup_name)


def listed(options: Options) -> dict[str, Any]:
    """The backups of one server or volume. Raises FreezerError."""
    if _is_native(options):
        kept = native.native_set(options, options.backup_name)
        return {"backups": [native.listed(one) for one in kept.whole()], "incomplete": [], "damaged": []}
    return _surveyed(image_sets_of(options, options.backup_name))


def listed_in(storage: SwiftStorage, name: str | None) -> dict[str, Any]:
    """All images that a container has. Raises StorageError."""
    found = image_sets(storage)
    for one in found:
        one.backup_name = name
    return _surveyed(found)


def _surveyed(sets: Sequence[ImageSet]) -> dict[str, Any]:
    backups: list[dict[str, Any]] = []
    incomplete: list[str] = []
    damaged: list[str] = []
    problems: list[StorageError] = []
    for one in sets:
        try:
            survey = one.survey()
        except StorageError as problem:
            problems.append(problem)
            continue
        backups += [results.listed(one, image) for image in survey.backups]
        incomplete += survey.incomplete
        damaged += survey.damaged
    if problems and len(problems) == len(sets):
        raise problems[0]
    return {"backups": backups, "incomplete": incomplete, "damaged": damaged}
