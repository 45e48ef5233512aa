# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The slots of runs: how many agents run at once, and how many of them use one kind of storage."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Sequence

from .runs import Run
from .surroundings import Limits


class Slots:
    """Runs that have a slot, by their ids, and those that wait for one."""

    def __init__(self) -> None:
        self.occupied: dict[str, Run] = {}
        self._waiting: list[tuple[float, int, str]] = []
        self._count = 0

    def enqueue(self, run: Run) -> None:
        """Put a run into the queue, in the order of due times."""
        self._count += 1
        heapq.heappush(self._waiting, (run.due, self._count, run.run_id))

    def take(
        self, limits: Limits, ready: Callable[[str], Run | None], storages_of: Callable[[Run], Sequence[str]]
    ) -> list[Run]:
        """The runs that get a slot now. ``ready`` finds a run by its id, None if it does not wait any more."""
        if len(self.occupied) >= limits.concurrent_jobs or not self._waiting:
            return []
        limited = limits.per_storage
        in_use = Counter(one for run in self.occupied.values() for one in storages_of(run)) if limited else Counter()
        found, put_back = [], []
        while self._waiting and len(self.occupied) < limits.concurrent_jobs:
            element = heapq.heappop(self._waiting)
            run = ready(element[2])
            if run is None or run.run_id in self.occupied:
                continue
            storages = storages_of(run) if limited else ()
            if any(one in limited and in_use[one] >= limited[one] for one in storages):
                put_back.append(element)
                continue
            in_use.update(storages)
            self.occupied[run.run_id] = run
            found.append(run)
        for element in put_back:
            heapq.heappush(self._waiting, element)
        return found
