# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A restore over files that are there already: what of a plan differs from them, and what of them the plan does not have."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Callable

from ..system.file_names import shown
from .disk_state import state_of_folder
from .plan import Planned
from .records import FILE, FOLDER, HARD_LINK, order_key
from .state_comparison import fields_that_differ
from .written import LISTED_AT_MOST

_READ_BYTES = 1 << 16
#: Folders that are not passed on so far: wanted and as in the backup; or only above what is wanted.
_EQUAL, _THERE, _MISSING = "equal", "there", "missing"


@dataclass(frozen=True)
class InPlace:
    """How files that are there already are treated."""

    #: Whether files with the size, time, mode, owner and kind of the backup are left as they are.
    only_changed: bool = False
    #: Whether a path may be removed if the backup does not have it; None: nothing is removed.
    removable: Callable[[bytes], bool] | None = None


@dataclass
class Differences:
    """What a restore changes, as the catalogues tell it."""

    created: int = 0
    replaced: int = 0
    #: Paths that are as in the backup, and those of them that the restore does not even look at.
    equal: int = 0
    skipped: int = 0
    removed: int = 0
    created_paths: list[str] = field(default_factory=list)
    replaced_paths: list[str] = field(default_factory=list)
    removed_paths: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    content_bytes: int = 0


_COUNTED = {FILE: "files", FOLDER: "directories", b"l": "symbolic_links", HARD_LINK: "hard_links", b"p": "fifos"}


class Narrowing:
    """Compares a plan with an open folder. A context: it keeps the names to be removed in a scratch file."""

    def __init__(self, top: int, how: InPlace, hidden: Sequence[str]) -> None:
        """`hidden` are relative names in the folder that are no part of it, such as the staging folder."""
        self._top, self._how = top, how
        self._hidden = frozenset(map(os.fsencode, hidden))
        self._owner = os.geteuid() == 0
        self._stack = ExitStack()
        self._names = self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - as long as this context
        #: Folders of the plan above the current path that were not passed on, each with the beginning of what is below it.
        self._above: list[tuple[bytes, Planned, str]] = []
        #: The last file with several links.
        self._linked_there: bytes | None = None
        #: The beginning of all that is below the last new folder.
        self._new: bytes | None = None
        self.found = Differences()

    def __enter__(self) -> Narrowing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def of(self, plan: Iterable[Planned], linked: Collection[tuple[int, bytes]]) -> Iterator[Planned]:
        """What of a plan has to be extracted, with the folders above it. `linked` are levels and names that hard links lead to.

        Raises OSError if the folder cannot be listed.
        """
        disk = state_of_folder(
            self._top, lambda _name, _problem: None, excluded=self._hidden.__contains__, linked=self._see_linked
        )
        there = next(disk, None)
        for one in plan:
            key = order_key(one.member.name)
            while there is not None and order_key(there.member.name) < key:
                yield from self._only_there(there)
                there = next(disk, None)
            same = there is not None and order_key(there.member.name) == key
            yield from self._planned(one, there if same else None, linked)
            if same:
                there = next(disk, None)
        while there is not None:
            yield from self._only_there(there)
            there = next(disk, None)
        self._leave(b"", everything=True)

    def removed(self) -> Iterator[tuple[bytes, bool]]:
        """The names to be removed, folders before what is in them; and whether each was a folder."""
        self._names.seek(0)
        rest = b""
        while block := self._names.read(_READ_BYTES):
            *names, rest = (rest + block).split(b"\0")
            for name in names:
                yield name[1:], name[:1] == FOLDER

    def _see_linked(self, name: bytes) -> None:
        self._linked_there = name

    def _planned(self, one: Planned, there: Planned | None, linked: Collection[tuple[int, bytes]]) -> Iterator[Planned]:
        name, kind = one.member.name, one.member.kind
        self._leave(name)
        if there is None:
            if one.wanted:
                yield from self._flush()
                self._create(one)
                yield one
            else:
                self._above.append((_prefix(name), one, _MISSING))
            return
        if not one.wanted:
            self._above.append((_prefix(name), one, _THERE))
            return
        is_linked = kind == HARD_LINK or (one.level, name) in linked
        differs = is_linked != (name == self._linked_there) or bool(fields_that_differ(one, there, self._owner))
        if differs:
            self.found.replaced += 1
            self._count(one)
            if len(self.found.replaced_paths) < LISTED_AT_MOST:
                self.found.replaced_paths.append(shown(os.fsdecode(name)) or ".")
        else:
            self.found.equal += 1
        if differs or is_linked or not name or not self._how.only_changed:
            yield from self._flush()
            yield one
        elif kind == FOLDER:
            self._above.append((_prefix(name), one, _EQUAL))
        else:
            self.found.skipped += 1

    def _only_there(self, there: Planned) -> Iterator[Planned]:
        """A path that the plan does not have. The folders above it get their attributes of the backup again if it is removed."""
        name = there.member.name
        removable = self._how.removable
        if removable is None or not removable(name):
            return
        self._leave(name)
        yield from self._flush()
        self.found.removed += 1
        if len(self.found.removed_paths) < LISTED_AT_MOST:
            self.found.removed_paths.append(shown(os.fsdecode(name)))
        self._names.write(there.member.kind + name + b"\0")

    def _leave(self, name: bytes, everything: bool = False) -> None:
        """Forget the folders that are not above a name."""
        while self._above and (everything or not name.startswith(self._above[-1][0])):
            _prefix_of_it, _folder, state = self._above.pop()
            self.found.skipped += state == _EQUAL

    def _flush(self) -> Iterator[Planned]:
        """The folders above the current path that were not passed on so far."""
        for _prefix_of_it, folder, state in self._above:
            if state == _MISSING:
                self._create(folder)
            yield folder
        self._above.clear()

    def _create(self, one: Planned) -> None:
        self._count(one)
        name = one.member.name
        if self._new is not None and name.startswith(self._new):
            return  # a new folder counts once
        self._new = _prefix(name) if one.member.kind == FOLDER else None
        self.found.created += 1
        if len(self.found.created_paths) < LISTED_AT_MOST:
            self.found.created_paths.append(shown(os.fsdecode(name)))

    def _count(self, one: Planned) -> None:
        counts, kind = self.found.counts, _COUNTED.get(one.member.kind, "devices")
        counts[kind] = counts.get(kind, 0) + 1
        self.found.content_bytes += one.member.size_bytes if one.member.kind == FILE else 0


def _prefix(name: bytes) -> bytes:
    return name + b"/" if name else b""
