# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A new backup of any medium: its minimal age, locks, several storages, dry runs."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

from ..progress import Progress
from ..repository.segments import FanOut
from ..storage.errors import StorageError
from .media.copied import Copied, Run


def new_backup(medium: Copied[Any, Any], progress: Progress, dry_run: bool) -> dict[str, Any]:
    """Back up the source of a medium to all its storages. Raises FreezerError if no storage has the backup."""
    options = medium.options
    options.refuse_for("backup")
    source = medium.source()
    sets = medium.sets(source)
    started = time.time()
    containers = medium.containers
    lost = containers.lost(one.storage for one in sets)
    there = [one for one in sets if one.storage not in lost]
    if options.min_age is not None:
        found = [medium.newest(one) for one in there]
        # A date in the future comes from a wrong clock; it must not delay backups until that date.
        young = [one for one in found if one and abs(started - one.manifest.began) < options.min_age]
        if len(young) == len(sets):
            return {
                **medium.describe(young[0]),
                "changed": False,
                "outcome": "unchanged",
                "reason": f"the newest backup is younger than min_age ({options.min_age:g} seconds)",
                "storages": [medium.place(one, young[0].manifest) for one in sets],
            }
    if dry_run:
        return {**medium.plan(source, there, started), "changed": True, "outcome": "planned"}
    with ExitStack() as locks:
        fan_out = FanOut([one.storage for one in sets])
        for one in sets:
            try:
                if one.storage in lost:
                    raise lost[one.storage]
                containers.prepare(one.storage)
                locks.enter_context(one.lock())
                one.check_owner()
            except StorageError as problem:
                fan_out.failed(one.storage, problem)
        working = [one for one in sets if one.storage in fan_out.working()]
        return medium.store(Run(sets, working, fan_out, containers, started, progress), source)
