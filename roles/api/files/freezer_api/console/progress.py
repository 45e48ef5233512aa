# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Progress reporting: a bar on a terminal, a line every few seconds in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[str, int, int], None]

INTERVAL_SECONDS = 5.0


@contextmanager
def progress() -> Iterator[Progress]:
    """A function that shows progress on standard error; it gets what is done, how much of it, and of how much."""
    if sys.stderr.isatty():
        with _bar() as tell:
            yield tell
    else:
        yield _lines(time.monotonic)


def _lines(clock: Callable[[], float]) -> Progress:
    last = clock()
    started: dict[str, float] = {}

    def tell(what: str, done: int, total: int) -> None:
        nonlocal last
        now = clock()
        began = started.setdefault(what, now)
        if now - last < INTERVAL_SECONDS:
            return
        last = now
        speed = done / (now - began) if now > began else 0.0
        left = f", about {(total - done) / speed:.0f} s left" if speed and total > done else ""
        percent = f" ({100 * done // total} %)" if total else ""
        print(f"{what}: {done:,} of {total:,}{percent}{left}", file=sys.stderr, flush=True)

    return tell


@contextmanager
def _bar() -> Iterator[Progress]:
    # Imported here: it takes a tenth of a second, and most commands show no bar.
    from rich import progress as rich_progress
    from rich.console import Console

    columns = (
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TimeRemainingColumn(),
    )
    with rich_progress.Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        tasks: dict[str, rich_progress.TaskID] = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                for task in tasks.values():
                    shown.update(task, visible=False)
                tasks[what] = shown.add_task(what, total=total)
            shown.update(tasks[what], completed=done, total=total)

        yield tell
