# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What an operator does with a store, whichever it is: look at it, make it, bring it up to date, tidy it, remove it.

Every verb comes in two halves. The first looks, changes nothing and returns a ``Todo``: what would be done, what has to
be agreed to first. The second does it, and returns sentences about what was done.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

#: Is told what is being done, how much of it is done, of how much.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Todo:
    """What would be done, as sentences; none if all is as it should be, which ``nothing`` says then.

    ``question`` is what has to be agreed to first, if anything, and ``refusal`` what is said if it is not.
    """

    steps: tuple[str, ...]
    nothing: str = ""
    question: str | None = None
    refusal: str = "nothing was changed"
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Choice:
    """What a verb is about. ``kinds`` are kinds of documents, None for all.

    ``erases``: what cannot be kept when a store is brought up to date may be lost.
    """

    kinds: Sequence[str] | None = None
    erases: bool = False


class Administration(abc.ABC):
    """A store from an operator's side. Every method may raise StoreError."""

    name: str

    @abc.abstractmethod
    def exists(self) -> bool:
        """Whether there is such a store."""

    @abc.abstractmethod
    def show(self, choice: Choice) -> list[str]:
        """Lines about what it is like."""

    @abc.abstractmethod
    def to_sync(self, choice: Choice) -> Todo:
        """What is missing until it is as this program needs it; making it is the first step of that."""

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
        """Let it have the settings of the configuration."""
        return []

    def to_prune(self, choice: Choice) -> Todo:
        """What of it is kept although something else has taken its place."""
        return Todo((), f"{self.name} keeps nothing that another version has replaced")

    def prune(self, choice: Choice) -> list[str]:
        """Remove what something else has taken the place of."""
        return []

    def to_roll_back(self, choice: Choice) -> Todo:
        """What was begun and not finished."""
        return Todo((), f"nothing was left unfinished in {self.name}")

    def roll_back(self, choice: Choice) -> list[str]:
        """Take back what was begun and not finished."""
        return []


def counted(counts: Mapping[str, int]) -> str:
    """Numbers of documents in words: ``1 client, 12 jobs``."""
    known = [(kind, counts[kind]) for kind in ("client", "action", "job", "session", "backup") if counts.get(kind)]
    return ", ".join(f"{count:,} {kind}{'s' if count > 1 else ''}" for kind, count in known) or "no documents"
