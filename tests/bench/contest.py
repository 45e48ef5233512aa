# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Two commands that do the same work, run in turns: ours and its peer."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import measure


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Side:
    """One competitor. `prepare` is not measured; `stored` says what a run left in the storage, in bytes."""

    argv: Sequence[str]
    prepare: Callable[[], None] = _nothing
    stored: Callable[[], int] | None = None
    environment: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Contest:
    """What is compared. `before` happens once and makes what both sides need; `check` says that both did their work."""

    name: str
    title: str
    peer_title: str
    ours: Side
    peer: Side
    goal: str = ""
    before: Callable[[], None] = _nothing
    check: Callable[[], None] = _nothing


@dataclass(frozen=True)
class Result:
    """One run of one side."""

    run: measure.Run
    stored_bytes: int | None


@dataclass
class Outcome:
    """The runs of both sides in the order in which they were made."""

    contest: Contest
    ours: list[Result] = field(default_factory=list)
    peer: list[Result] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """How much faster ours was, pair by pair; below 1 it was slower."""
        return [p.run.wall_seconds / o.run.wall_seconds for o, p in zip(self.ours, self.peer, strict=True)]

    @property
    def cpu_ratios(self) -> list[float]:
        """The processor time of ours by that of the peer, pair by pair; below 1 ours took less."""
        return [o.run.cpu_seconds / p.run.cpu_seconds for o, p in zip(self.ours, self.peer, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of the pairs' ratios."""
        return statistics.median(self.ratios)


def _measured(side: Side) -> Result:
    side.prepare()
    run = measure.run(side.argv, side.environment)
    return Result(run, None if side.stored is None else side.stored())


def hold(contest: Contest, pairs: int) -> Outcome:
    """Let both sides run `pairs` times, in turns. Raises measure.CommandFailed, or whatever the check raises."""
    outcome = Outcome(contest)
    contest.before()
    for _pair in range(pairs):
        outcome.ours.append(_measured(contest.ours))
        outcome.peer.append(_measured(contest.peer))
    contest.check()
    return outcome
