# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The verb backup: one copy of what an action names, in each of its storages."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from ..action.options import parse_options
from ..progress import Progress
from ..repository.segments import FanOut
from ..storage.errors import StorageError
from .conduct import with_run_options
from .media.base import Run
from .media.by_name import medium_of
from .verb import readable_errors


@readable_errors("backup")
@with_run_options("backup")
def backup(action: Mapping[str, Any], progress: Progress | None = None, dry_run: bool = False) -> dict[str, Any]:
    """Back up what an action names, to all its storages.

    The result has ``changed``, ``outcome`` (success or partial), ``level`` and ``reason``, ``backup_id``, ``storages``
    with the location in each, sizes in bytes, the paths that could not be read, and ``metadata``, the body of a POST to
    /backups. With `dry_run` it is the plan. Raises FreezerError if no storage has the backup.
    """
    options = parse_options(action)
    options.refuse_for("backup")
    medium = medium_of(options)
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
    if dry_run or options.dry_run:
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
        return medium.store(Run(sets, working, fan_out, containers, started, progress or Progress()), source)
