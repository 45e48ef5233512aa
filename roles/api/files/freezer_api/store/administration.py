# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The interface for the administration of a store: show it, make it, bring it up to date, prune it, remove it.

Every verb has two methods. The first changes nothing and returns a ``Todo``: the steps, and the question to ask before.
The second does them, and returns sentences about what was done.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

#: Gets what is being done, how much of it is done, and of how much.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Todo:
    """The steps that would be done, as sentences; if there are none, ``nothing`` says why.

    ``question`` has to be agreed to first, if there is one, and ``refusal`` is the message if it is not.
    """

    steps: tuple[str, ...]
    nothing: str = ""
    question: str | None = None
    refusal: str = "nothing was changed"
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Choice:
    """The options of a verb. ``kinds`` are kinds of documents, None for all.

    ``erases``: documents that do not fit a new mapping may be lost.
    """

    kinds: Sequence[str] | None = None
    erases: bool = False


class Administration(abc.ABC):
    """The administration of a store. Every method may raise StoreError."""

    name: str

    @abc.abstractmethod
    def exists(self) -> bool:
        """Whether there is such a store."""

    @abc.abstractmethod
    def show(self, choice: Choice) -> list[str]:
        """Lines about its state."""

    @abc.abstractmethod
    def to_sync(self, choice: Choice) -> Todo:
        """The steps that make it, or bring it up to date."""

    @abc.abstractmethod
    def sync(self, choice: Choice, progress: Progress) -> list[str]:
        """Make it, or bring it up to date."""

    @abc.abstractmethod
    def to_remove(self, choice: Choice) -> Todo:
        """What would be removed."""

    @abc.abstractmethod
    def remove(self, choice: Choice) -> list[str]:
        """Remove it with all documents."""

    def to_update_settings(self, choice: Choice) -> Todo:
        """Which settings of it differ from the configuration."""
        return Todo((), f"{self.name} has no settings of its own")

    def update_settings(self, choice: Choice) -> list[str]:
        """Apply the settings of the configuration."""
        return []

    def to_prune(self, choice: Choice) -> Todo:
        """The indices that newer ones have replaced."""
        return Todo((), f"{self.name} has nothing to prune")

    def prune(self, choice: Choice) -> list[str]:
        """Remove the indices that newer ones have replaced."""
        return []

    def to_roll_back(self, choice: Choice) -> Todo:
        """The copies that have not finished."""
        return Todo((), f"no copy was left unfinished in {self.name}")

    def roll_back(self, choice: Choice) -> list[str]:
        """Undo the copies that have not finished."""
        return []


def counted(counts: Mapping[str, int]) -> str:
    """Numbers of documents in words: ``1 client, 12 jobs``."""
    known = [(kind, counts[kind]) for kind in ("client", "action", "job", "session", "backup") if counts.get(kind)]
    return ", ".join(f"{count:,} {kind}{'s' if count > 1 else ''}" for kind, count in known) or "no documents"
