# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The restore plan: which level of a chain has the last state of each path, from the catalogues of the chain.

All catalogues have one order, so they are merged as they stream by. What is in memory is a block of each catalogue, and the
folders above the current path.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import Callable, NamedTuple

from ..repository.errors import DamagedArchive
from ..system.file_names import shown
from .errors import INSTEAD, DamagedCatalogue
from .external_sort import ExternalSort
from .records import FOLDER, GONE, HARD_LINK, Batch, Member, Readable, order_key, read_records

#: The bytes that are read of all catalogues of a chain at a time, and the least of one.
_READ_BYTES = 1 << 19
_MOST_READ_BYTES = 1 << 16
_LEAST_READ_BYTES = 1 << 12
_END = b"\0\0"
#: The digits of where a link begins.
_PLACE = 20
#: Is told of what is damaged, in place of an end of the work.
Refused = Callable[[DamagedArchive], None]
_NO_LINK: tuple[bytes | None, bytes] = (None, b"")


@dataclass(frozen=True)
class Catalogue:
    """The catalogue of one level of a chain.

    `where` is the name of its backup in messages. Two with the same one are the same catalogue.
    """

    where: str
    #: A context with the plain catalogue from its beginning; it may be entered more than once.
    open: Callable[[], AbstractContextManager[Readable]] = field(compare=False)


class Planned(NamedTuple):
    """The last state of one path, and the level whose member it is.

    What is not `wanted` comes with something that is: a folder above it, or what gives a hard link its content.
    """

    member: Member
    level: int
    wanted: bool = True


class _Cursor:
    """Where the merge is in the catalogue of one level."""

    def __init__(self, level: int, batches: Iterator[Batch], refused: Refused | None) -> None:
        self.level, self._batches, self._refused = level, batches, refused
        self.keys: Sequence[bytes] = ()
        self.members: Sequence[Member] = ()
        self.position = 0

    def advance(self, position: int) -> bool:
        """Go on to a place in the current batch; False at the end."""
        if position < len(self.keys):
            self.position = position
            return True
        try:
            batch = next(self._batches, None)
        except DamagedArchive as problem:
            if self._refused is None:
                raise
            self._refused(problem)
            batch = None
        if batch is None:
            return False
        self.keys, self.members = batch
        self.position = 0
        return True


def final_state(chain: Sequence[Catalogue], refused: Refused | None = None) -> Iterator[Planned]:
    """The last state of each path, in the order of a catalogue; the chain has its lowest level first.

    Raises DamagedCatalogue for what no writer makes: a parent that is no folder, an odd record, another order; and DamagedArchive. With
    `refused` (to save what can be saved) it is called with these errors instead: a member that is refused is left out, and of a
    catalogue that is damaged what comes behind the damage, so that older states of these names stand in.
    """
    with ExitStack() as stack:
        each = max(_LEAST_READ_BYTES, min(_MOST_READ_BYTES, _READ_BYTES // max(1, len(chain))))
        heap: list[tuple[bytes, int, _Cursor]] = []
        for level, one in enumerate(chain):
            cursor = _Cursor(level, _batches(stack, one, each), refused)
            if cursor.advance(0):
                # The newest one of a name comes first.
                heap.append((cursor.keys[0], -level, cursor))
        heapq.heapify(heap)
        way = _Way([one.where for one in chain], refused)
        while heap:
            key, _level, cursor = heap[0]
            begin = cursor.position
            following = min(heap[1:3])[0] if len(heap) > 1 else None
            if following is None:
                end = len(cursor.keys)
            elif following == key:
                end = begin + 1
            else:
                end = bisect_left(cursor.keys, following, begin)
            if following != key:
                yield from way.only(cursor, begin, end)
                _forward(heap, cursor, end)
                continue
            newest, level = cursor.members[begin], cursor.level
            floor = level if newest.kind != FOLDER else -1
            _forward(heap, cursor, end)
            while heap and heap[0][0] == key:
                cursor = heap[0][2]
                if cursor.members[cursor.position].kind != FOLDER:
                    floor = max(floor, cursor.level)
                _forward(heap, cursor, cursor.position + 1)
            if way.leads_to(key, newest, level, floor):
                yield Planned(newest, level)


def _batches(stack: ExitStack, catalogue: Catalogue, read_bytes: int) -> Iterator[Batch]:
    yield from read_records(stack.enter_context(catalogue.open()), catalogue.where, read_bytes)


def _forward(heap: list[tuple[bytes, int, _Cursor]], cursor: _Cursor, position: int) -> None:
    """Move the first cursor of the heap on."""
    if cursor.advance(position):
        heapq.heapreplace(heap, (cursor.keys[cursor.position], -cursor.level, cursor))
    else:
        heapq.heappop(heap)


class _Way:
    """The folders above the current path, and what hides members of lower levels.

    Of each folder and each name that is gone or no folder there is a *floor*: the newest level in which it was no folder. What
    lower levels have below it does not count.
    """

    def __init__(self, wheres: Sequence[str], refused: Refused | None) -> None:
        self._wheres, self._refused = wheres, refused
        #: Key, the beginning of all keys below it, and floor, of the folder that the last member is or lies in, and of those above.
        self._above: list[tuple[bytes, bytes, int]] = [(b"", b"", -1)]
        self._current, self._floor = b"", -1
        #: The beginning of all keys below the last member if it is no folder, and its floor.
        self._hidden, self._hidden_floor = b"", -1

    def only(self, cursor: _Cursor, begin: int, end: int) -> Iterator[Planned]:
        """The members of a part of one catalogue whose names no other one has."""
        level = cursor.level
        for place in range(begin, end):
            key, member = cursor.keys[place], cursor.members[place]
            kind = member.kind
            if kind != FOLDER and key.rpartition(b"\0")[0] == self._current and self._floor < level and key:
                # As `leads_to`, for most members.
                self._hidden, self._hidden_floor = key + b"\0", level
                if kind != GONE:
                    yield Planned(member, level)
            elif self.leads_to(key, member, level, -1 if kind == FOLDER else level):
                yield Planned(member, level)

    def leads_to(self, key: bytes, member: Member, level: int, floor: int) -> bool:
        """Go on to the next path; True if `member` is there in the final state.

        `member` is the newest one of its name, and `floor` the newest level in which the name was no folder. Raises
        DamagedCatalogue if a parent is no folder.
        """
        if not key and (floor >= 0 or member.kind != FOLDER):
            return self._refuse(key, key, max(level, floor))
        if self._hidden and key.startswith(self._hidden):
            if level < self._hidden_floor:
                return False
            return self._refuse(key, self._hidden[:-1], level)
        self._hidden = b""
        parent = key.rpartition(b"\0")[0]
        if parent != self._current:
            while len(self._above) > 1 and parent != self._current and not parent.startswith(self._above[-1][1]):
                self._above.pop()
                self._current, _prefix, self._floor = self._above[-1]
        if level < self._floor:
            return False
        if parent != self._current or level == self._floor:
            missing = parent if parent == self._current else _below(self._current, parent)
            return self._refuse(key, missing, level)
        if member.kind == FOLDER:
            if key:
                self._current, self._floor = key, max(self._floor, floor)
                self._above.append((key, key + b"\0", self._floor))
            return True
        self._hidden, self._hidden_floor = key + b"\0", level
        return member.kind != GONE

    def _refuse(self, key: bytes, above: bytes, level: int) -> bool:
        """Refuse a member because of what is above it: False, or DamagedCatalogue is raised."""
        path, folder = (
            shown(one.replace(b"\0", b"/").decode("utf-8", "surrogateescape")) or "." for one in (key, above)
        )
        problem = DamagedCatalogue(
            f"Level {level} ({self._wheres[level]}) is refused: it has {path[:200]}, and {folder[:200]} is no folder then. "
            f"To extract it could change files elsewhere. {INSTEAD}",
            path,
        )
        if self._refused is None:
            raise problem
        self._refused(problem)
        return False


def _below(current: bytes, parent: bytes) -> bytes:
    """The highest path above a member, below the folder `current`, that is no folder."""
    end = parent.find(b"\0", len(current) + 1 if current else 0)
    return parent if end < 0 else parent[:end]


class HardLinks:
    """Finds what the hard links of a plan lead to. A context, in which its scratch files exist.

    `scratch` is a folder that only this user may look into.
    """

    def __init__(self, chain: Sequence[Catalogue], scratch: str) -> None:
        self._chain, self._scratch = chain, scratch
        self._levels: dict[int, ExternalSort] = {}
        self._stack = ExitStack()

    def __enter__(self) -> HardLinks:
        return self

    def __exit__(self, *_problem: object) -> None:
        self._stack.close()

    def watch(self, plan: Iterable[Planned]) -> Iterator[Planned]:
        """The same plan; the hard links in it are remembered. Raises OSError."""
        for one in plan:
            if one.member.kind == HARD_LINK:
                self._add(one.member, one.level)
            yield one

    def _add(self, member: Member, level: int) -> None:
        if level not in self._levels:
            self._levels[level] = self._stack.enter_context(ExternalSort(self._scratch))
        self._levels[level].add(b"%b\0\0%020d%b" % (order_key(member.link), member.begin, member.name))

    def targets(self) -> Iterator[Planned]:
        """The members that these links lead to, each once, level by level, not `wanted`; some may be in the plan as well.

        Raises DamagedCatalogue if a link leads to nothing before it in its level, and OSError.
        """
        for level in sorted(self._levels):
            yield from self._targets(level)

    def _targets(self, level: int) -> Iterator[Planned]:
        one = self._chain[level]
        wanted = _firsts(self._levels[level].sorted())
        key, link = next(wanted, _NO_LINK)
        with one.open() as source:
            for batch in read_records(source, one.where):
                # What is wanted of this batch, found in it by halves.
                while key is not None and key <= batch.keys[-1]:
                    place = bisect_left(batch.keys, key)
                    member = batch.members[place]
                    if (
                        batch.keys[place] != key
                        or member.kind in (GONE, FOLDER, HARD_LINK)
                        or member.begin >= int(link[:_PLACE])
                    ):
                        raise self._missing(level, key, link)
                    yield Planned(member, level, wanted=False)
                    key, link = next(wanted, _NO_LINK)
                if key is None:
                    return
        if key is not None:
            raise self._missing(level, key, link)

    def _missing(self, level: int, key: bytes, link: bytes) -> DamagedCatalogue:
        path, target = (
            shown(name.decode("utf-8", "surrogateescape")) for name in (link[_PLACE:], key.replace(b"\0", b"/"))
        )
        return DamagedCatalogue(
            f"Level {level} ({self._chain[level].where}) is refused: it has {path[:200]} as a link to {target[:200]}, and no "
            f"such file before it. {INSTEAD}",
            path,
        )


def _firsts(items: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """The key of each target, and the place and the name of the first link to it."""
    last: bytes | None = None
    for item in items:
        key, _end, link = item.partition(_END)
        if key != last:
            yield key, link
        last = key
