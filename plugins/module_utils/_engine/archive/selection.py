# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A part of a restore plan: by patterns, or all at one path; and what a part consists of."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Callable

from ..system.file_names import shown
from .patterns import matcher
from .plan import Planned
from .records import FOLDER, order_key


class Selection:
    """Which names are wanted: those that match an `include` pattern, or all without one, and no `exclude` pattern.

    A pattern without wildcards selects a path with all that is below it.
    """

    def __init__(self, include: Sequence[bytes] = (), exclude: Sequence[bytes] = ()) -> None:
        self._include: Callable[[bytes], bool] | None = matcher(include) if include else None
        self._exclude: Callable[[bytes], bool] | None = matcher(exclude) if exclude else None

        self._patterns = list(include)

    def parts(self) -> dict[str, Callable[[bytes], bool]]:
        """Each `include` pattern as text, with a function that tells whether a name matches it."""
        return {shown(os.fsdecode(one)): matcher([one]) for one in self._patterns}

    def wants(self, name: bytes) -> bool:
        """Whether a name is wanted by itself. The folder that was backed up is never excluded."""
        if self._include is not None and not self._include(name):
            return False
        return self._exclude is None or not name or not self._exclude(name)

    def of(self, plan: Iterable[Planned]) -> Iterator[Planned]:
        """What is wanted of a plan, each with the folders above it; these are not `wanted` where they do not match.

        What hard links lead to comes from HardLinks: it may not be in the selection, or not in the plan.
        """
        above: list[tuple[bytes, Planned]] = []
        for one in plan:
            name = one.member.name
            while above and not name.startswith(above[-1][0]):
                above.pop()
            if self.wants(name):
                for _prefix, folder in above:
                    yield folder
                above.clear()
                yield one
            elif one.member.kind == FOLDER:
                above.append((name + b"/" if name else b"", one._replace(wanted=False)))


class Selected:
    """What a selection has chosen of a plan: counted while the plan streams by."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._missing = selection.parts()
        self.count = 0
        #: The folders above what is wanted, which are not wanted themselves.
        self.above: set[bytes] = set()

    def of(self, plan: Iterable[Planned]) -> Iterator[Planned]:
        """The selected part of a plan, as `Selection.of` gives it."""
        for one in self._selection.of(plan):
            if one.wanted:
                self.count += 1
                if self._missing:
                    name = one.member.name
                    for found in [pattern for pattern, matches in self._missing.items() if matches(name)]:
                        del self._missing[found]
            else:
                self.above.add(one.member.name)
            yield one

    @property
    def missing(self) -> list[str]:
        """The `include` patterns that have selected nothing, after the plan has streamed by."""
        return list(self._missing)


def at(plan: Iterable[Planned], path: bytes) -> Iterator[Planned]:
    """The path itself, relative as in a catalogue, and what is below it; what comes behind is not read."""
    key = order_key(path)
    prefix = key + b"\0" if key else b""
    for one in plan:
        current = order_key(one.member.name)
        if current == key or current.startswith(prefix):
            yield one
        elif current > prefix:
            return
