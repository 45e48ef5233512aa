# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Waiting for a cloud, and asking it for what must not happen twice. Everything that waits, waits here."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, TypeVar

from ..errors import FreezerError
from ..http.errors import Conflict, Forbidden, Rejected, RestError, ServerError, Unreachable, Untrusted
from .errors import CloudError

Item = TypeVar("Item")
Found = TypeVar("Found")
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 5.0


class Clock:
    """How long a piece of work may still wait. ``timeout_seconds`` is for all of it together."""

    def __init__(self, timeout_seconds: float) -> None:
        self.timeout_seconds = timeout_seconds
        self._end = time.monotonic() + timeout_seconds

    def wait(
        self, predicate: Callable[[], Found | None], what: str, give_up: Callable[[], object] | None = None
    ) -> Found:
        """What a predicate gives that is not None, asked again and again, less often the longer it takes.

        Raises CloudError, with ``what`` in the sentence, when the time is up. What the predicate raises ends it at once;
        before a CloudError of its own goes on, ``give_up`` removes what came to nothing.
        """
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                found = predicate()
            except CloudError:
                if give_up is not None:
                    give_up()
                raise
            if found is not None:
                return found
            left = self._end - time.monotonic()
            if left <= 0:
                raise CloudError(
                    f"{what} did not happen within {self.timeout_seconds:g} seconds (the timeout). The next run continues."
                )
            time.sleep(min(pause, left))
            pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)


def once(
    do: Callable[[], object], find: Callable[[], Found | None], clock: Clock, what: str, busy: str | None = None
) -> Found:
    """Ask for something that must not be made twice, and return it.

    When no answer came, or the service failed, it is looked for before it is asked for again: the first request may have
    been accepted. A conflict is the work of another client on the same thing, which ends; ``busy`` is said when it does not.
    """
    failures = 0

    def attempt() -> Found | None:
        nonlocal failures
        try:
            do()
        except Untrusted:
            raise
        except (Unreachable, ServerError) as problem:
            failures += 1
            found = _looked_for(find)
            if found is None and failures >= 3:
                raise CloudError(f"{what} failed: {problem}") from problem
            return found
        except Conflict as problem:
            if busy is None:
                raise CloudError(f"{what} is refused: {problem}") from problem
            # Also the answer to a request that was accepted before without our hearing of it.
            return find()
        except (Forbidden, Rejected) as problem:
            raise CloudError(f"{what} is refused: {problem}{_quota_hint(problem)}") from problem
        return clock.wait(find, what)

    return clock.wait(attempt, busy or what)


def made_once(
    make: Callable[[], str], look: Callable[[], str | None], clock: Clock, what: str, busy: str | None = None
) -> str:
    """Make something `once`; its id, as ``make`` was answered or, where no answer came, as ``look`` finds it."""
    made: list[str] = []
    return once(lambda: made.append(make()), lambda: made[0] if made else look(), clock, what, busy)


def _looked_for(find: Callable[[], Found | None]) -> Found | None:
    # What was accepted can take a moment to be listed.
    for pause in (0.5, 1.0):
        found = find()
        if found is not None:
            return found
        time.sleep(pause)
    return find()


def _quota_hint(problem: RestError) -> str:
    words = f"{problem.title} {problem.description}".lower()
    if "quota" in words or "limit" in words or "exceed" in words:
        return " Delete what is no longer needed, or let the administrator raise the quota."
    return ""


def each(
    items: Iterable[Item], work: Callable[[Item], Found], concurrency: int
) -> list[tuple[Item, Found | None, FreezerError | None]]:
    """Do the same with many, so many at a time, in their order; one that fails does not keep the others from going on."""
    wanted = list(items)

    def guarded(item: Item) -> tuple[Item, Found | None, FreezerError | None]:
        try:
            return item, work(item), None
        except FreezerError as problem:
            return item, None, problem

    if len(wanted) < 2 or concurrency < 2:
        return [guarded(item) for item in wanted]
    with ThreadPoolExecutor(max_workers=min(concurrency, len(wanted)), thread_name_prefix="cloud") as pool:
        return list(pool.map(guarded, wanted))
