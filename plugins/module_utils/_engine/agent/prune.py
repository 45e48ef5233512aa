# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The verb prune: what no rule keeps is removed, and what was left of runs that were killed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from ..action.options import parse_options
from ..consistency import source as still
from ..errors import FreezerError
from ..progress import Progress
from ..repository.pruning import PrunableSet, PrunePlan, carry_out, fill_plan
from ..repository.retention import RULES_OF_ACTIONS, Rules
from ..system.scratch import leftovers, remove_leftover, size_of
from . import results
from .conduct import as_asked
from .media.by_name import medium_of
from .verb import told


@told("removal of old backups")
@as_asked("admin")
def prune(action: Mapping[str, Any], progress: Progress | None = None, dry_run: bool = False) -> dict[str, Any]:
    """Remove the backups of one name that no rule of an action keeps, and what was left of runs that were killed.

    What is left restores, whatever moment this is interrupted in: a backup that another one continues goes after that
    one, and the newest one never. The result says what went (with `dry_run`: would go), what stays and why, and the
    bytes. Raises FreezerError if no storage could be looked through; one of several that fails makes it ``partial``.
    """
    progress = progress or Progress()
    options = parse_options(action)
    rules = Rules(remove_before=options.remove_before_date, **{key: getattr(options, key) for key in RULES_OF_ACTIONS})
    dry_run = dry_run or options.dry_run
    min_age = options.min_age or 0.0
    now = time.time()
    pruned: list[tuple[PrunableSet, PrunePlan]] = []
    failures: list[tuple[PrunableSet, FreezerError]] = []
    anything = False
    medium = medium_of(options)
    for backup_set in medium.sets():
        plan = PrunePlan()
        try:
            medium.containers.check(backup_set.storage)
            anything |= _prune_set(backup_set, plan, rules, min_age, now, progress, dry_run)
        except FreezerError as problem:
            failures.append((backup_set, problem))
        pruned.append((backup_set, plan))
    if len(failures) == len(pruned) and not any(plan.removed or plan.half for _set, plan in pruned):
        raise failures[0][1]
    found = [(path, size_of(path)) for path in leftovers(min_age, now)]
    scratch = [(path, size) for path, size in found if dry_run or remove_leftover(path)]
    scratch += still.leftover_snapshots(dry_run)
    if not (anything or failures):
        looked_in = ", ".join(backup_set.storage.container for backup_set, _plan in pruned)
        raise FreezerError(f"There is no backup of {pruned[0][0].folder} in {looked_in}, so nothing was removed there.")
    return {
        **results.pruned(options, pruned, failures, scratch),
        "outcome": "partial" if failures else "planned" if dry_run else "success",
        "duration_seconds": round(time.time() - now, 3),
    }


def _prune_set(
    backup_set: PrunableSet,
    plan: PrunePlan,
    rules: Rules,
    min_age: float,
    now: float,
    progress: Progress,
    dry_run: bool,
) -> bool:
    """Look through a set and remove what no rule keeps; whether there was anything at all.

    The plan is filled with what has become of it, also if that fails.
    """
    if backup_set.is_empty():
        return False
    # There is no other writer then, so what has no manifest is not being written.
    with nullcontext() if dry_run else backup_set.hold():
        fill_plan(plan, backup_set, rules, min_age, now)
        if not dry_run:
            progress.begin("prune", plan.freed_bytes)
            try:
                carry_out(backup_set, plan, progress)
            finally:
                progress.end()
    return True
