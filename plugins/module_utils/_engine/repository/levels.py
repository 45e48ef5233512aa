# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The level of the next backup: full, incremental on the last one, or differential on a fixed level.

The options are Freezer's. ``max_level``: the number of increments before the next full backup. ``always_level``: once this
level is reached, every backup has it, each on the newest backup of the level below. ``restart_always_level``: the days
after which a chain ends, counted from its level 0 (upstream counts from the newest increment, so that a chain never ends).
With none of the three every backup is full.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

SECONDS_PER_DAY = 86400


@dataclass(frozen=True)
class LevelPolicy:
    """The options that decide about levels; None is "not given"."""

    max_level: int | None = None
    always_level: int | None = None
    restart_always_days: float | None = None
    no_incremental: bool = False

    @property
    def incremental(self) -> bool:
        """Whether a level above 0 is possible."""
        given = (self.max_level, self.always_level, self.restart_always_days)
        return not self.no_incremental and any(value is not None for value in given)


class Leveled(Protocol):
    """The fields of a manifest that decide about levels; its time is in seconds since 1970."""

    @property
    def began(self) -> int: ...
    @property
    def level(self) -> int: ...


Earlier = TypeVar("Earlier", bound=Leveled)


@dataclass(frozen=True)
class LevelPlan(Generic[Earlier]):
    """The level of the next backup, its parent, and the reason, for logs and results."""

    level: int
    parent: Earlier | None
    reason: str


def plan_level(policy: LevelPolicy, chain: Sequence[Earlier], now: float) -> LevelPlan[Earlier]:
    """The next level after a chain, which goes from its level 0 to its newest backup, or is empty."""
    if policy.no_incremental:
        return LevelPlan(0, None, "no_incremental is set")
    if not policy.incremental:
        return LevelPlan(
            0, None, "every backup is a full one: neither max_level, always_level nor restart_always_level is given"
        )
    if not chain:
        return LevelPlan(0, None, "there is no earlier backup to continue")
    newest = chain[-1]
    days = policy.restart_always_days
    if days is not None and now - chain[0].began >= days * SECONDS_PER_DAY:
        return LevelPlan(0, None, f"the last full backup is {days:g} days old or older")
    if policy.max_level is not None and newest.level >= policy.max_level:
        return LevelPlan(0, None, f"max_level {policy.max_level} is reached")
    if policy.always_level is not None and newest.level >= policy.always_level:
        if policy.always_level == 0:
            return LevelPlan(0, None, "always_level is 0")
        below = [backup for backup in chain if backup.level == policy.always_level - 1]
        if not below:
            return LevelPlan(0, None, f"no backup of level {policy.always_level - 1} is left to build on")
        return LevelPlan(policy.always_level, below[-1], f"always_level {policy.always_level} is reached")
    return LevelPlan(newest.level + 1, newest, f"it continues level {newest.level}")
