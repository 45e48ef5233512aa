# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The verb prune: remove the backups that no rule keeps, and the leftovers of killed runs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from ..action.options import parse_options
from ..consistency import source as consistent
from ..errors import FreezerError, NoBackup
from ..progress import Progress
from ..repository.pruning import PrunableSet, PrunePlan, carry_out, fill_plan
from ..repository.retention import RULES_OF_ACTIONS, Rules
from ..system.leftovers import leftovers, remove_leftover, size_of
from . import prune_results
from .conduct import readable_errors, run_verb
from .media.base import Medium
from .media.by_name import medium_of


@readable_errors("removal of old backups")
def prune(action: Mapping[str, Any], progress: Progress | None = None, dry_run: bool = False) -> dict[str, Any]:
    """Remove the backups of one name that no rule of an action keeps, and the leftovers of killed runs.

    Every remaining backup restores, even if this is interrupted: a backup is removed after those that continue it, and the
    newest one is always kept. The result lists the backups that were removed (with `dry_run`: would be), those that were
    kept with the reasons, and sizes in bytes. Raises FreezerError if no storage could be read; if some fail, the outcome
    is ``partial``.
    """
    return run_verb("admin", _prune, medium_of(parse_options(action)), progress, dry_run)


def _prune(medium: Medium[Any, Any], progress: Progress, dry_run: bool) -> dict[str, Any]:
    options = medium.options
    options.refuse_for("admin")
    rules = Rules(remove_before=options.remove_before_date, **{key: getattr(options, key) for key in RULES_OF_ACTIONS})
    min_age = options.min_age or 0.0
    now = time.time()
    pruned: list[tuple[PrunableSet, PrunePlan]] = []
    failures: list[tuple[PrunableSet, FreezerError]] = []
    anything = False
    for backup_set in medium.sets():
        plan = PrunePlan()
        try:
            medium.containers.check(backup_set.storage)
            remembered = medium.newest_remembered(backup_set)
            anything |= _prune_set(backup_set, plan, rules, min_age, now, remembered, progress, dry_run)
        except FreezerError as problem:
            failures.append((backup_set, problem))
        pruned.append((backup_set, plan))
    if len(failures) == len(pruned) and not any(plan.removed or plan.incomplete for _set, plan in pruned):
        raise failures[0][1]
    found = [(path, size_of(path)) for path in leftovers(min_age, now)]
    scratch = [(path, size) for path, size in found if dry_run or remove_leftover(path)]
    scratch += consistent.leftover_snapshots(dry_run)
    if not (anything or failures):
        looked_in = ", ".join(backup_set.storage.container for backup_set, _plan in pruned)
        raise NoBackup(
            f"There is no backup of {pruned[0][0].folder} in {looked_in}, so nothing was removed.{medium.left_alone()}"
        )
    return {
        **prune_results.pruned(options, pruned, failures, scratch),
        "outcome": "partial" if failures else "planned" if dry_run else "success",
        "duration_seconds": round(time.time() - now, 3),
    }


def _prune_set(
    backup_set: PrunableSet,
    plan: PrunePlan,
    rules: Rules,
    min_age: float,
    now: float,
    remembered: str | None,
    progress: Progress,
    dry_run: bool,
) -> bool:
    """Prune one set; False if it is empty.

    The plan then says what was removed and kept, also if an error is raised.
    """
    if backup_set.is_empty():
        return False
    # The lock excludes other writers, so a folder without a manifest is not being written.
    with nullcontext() if dry_run else backup_set.lock():
        fill_plan(plan, backup_set, rules, min_age, now, remembered)
        if not dry_run:
            progress.begin("prune", plan.freed_bytes)
            try:
                carry_out(backup_set, plan, progress)
            finally:
                progress.end()
    return True
