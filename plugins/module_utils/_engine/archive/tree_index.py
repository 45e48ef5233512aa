# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The last state of a chain as a tree to look names up in, however many there are: it lies in files of a scratch folder.

Each path has a number, in the order of a catalogue, so a folder is followed by all that is below it. Behind them come files that are
in no folder any more, because only hard links of an older level lead to them.
"""

from __future__ import annotations

import os
import struct
import tempfile
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import groupby
from typing import NamedTuple

from .external_sort import ExternalSort
from .plan import Catalogue, HardLinks, Planned, final_state
from .records import FIELDS, FOLDER, HARD_LINK, Member, encode, order_key

#: Where a record begins, and what it says of the tree (`Found.other`).
_PLACE = struct.Struct("=QQ")
_OTHER = struct.Struct("=Q")
_OTHER_AT = 8
_LEVEL = struct.Struct("=H")
#: A link by the level and the key of its file; the number of the link is at the end.
_LINK_LEVEL, _NUMBER = struct.Struct(">H"), struct.Struct(">Q")
_NUMBER_BYTES = struct.calcsize(">Q")
_REMEMBERED = 1024
#: The folder around a single file that was backed up.
_TOP = Member(
    FOLDER, b"0700", b"%d" % os.geteuid(), b"%d" % os.getegid(), b"", b"", b"0", b"0", b"0", b"0", b"", b"", b""
)


class Found(NamedTuple):
    """One path."""

    number: int
    level: int
    member: Member
    #: Of a folder the number behind all that is below it, of a hard link the number of its file, else the number of its links.
    other: int

    @property
    def behind(self) -> int:
        """The number of what comes next in the same folder, if anything does."""
        return self.other if self.member.kind == FOLDER else self.number + 1


class TreeIndex:
    """The tree. A context, with its files; `scratch` is a folder that only this user may look into."""

    def __init__(self, chain: Sequence[Catalogue], scratch: str) -> None:
        self._chain, self._scratch = chain, scratch
        self._stack = ExitStack()
        #: The paths of the tree.
        self.count = 0
        self._written = 0
        self._bytes = 0
        #: Numbers by keys, of what was found last.
        self._known: OrderedDict[bytes, int] = OrderedDict()
        self._likely: tuple[int, ...] = ()

    def __enter__(self) -> TreeIndex:
        """Read the catalogues. Raises DamagedCatalogue, DamagedArchive, StorageError or OSError."""
        with self._stack as stack:
            self._records = stack.enter_context(tempfile.TemporaryFile(dir=self._scratch))
            self._places = stack.enter_context(tempfile.TemporaryFile(dir=self._scratch))
            with HardLinks(self._chain, self._scratch) as links, ExternalSort(self._scratch) as sorted_links:
                self._read(links.watch(final_state(self._chain)), sorted_links)
                self._join(links.targets(), sorted_links)
            self._places.write(_PLACE.pack(self._bytes, 0))
            self._flush()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_problem: object) -> None:
        self._stack.close()

    def _read(self, plan: Iterable[Planned], sorted_links: ExternalSort) -> None:
        """Write all paths, each folder's end when it is known, and remember the hard links."""
        above: list[tuple[int, bytes]] = []
        for member, level, _wanted in plan:
            key = order_key(member.name)
            if not above and key:
                above.append((self._add(_TOP, level), b""))  # a single file was backed up, without its folder
            while above and not key.startswith(above[-1][1]):
                self._set(above.pop()[0], self._written)
            number = self._add(member, level)
            if member.kind == FOLDER:
                above.append((number, key + b"\0" if key else b""))
            elif member.kind == HARD_LINK:
                item = _LINK_LEVEL.pack(level) + order_key(member.link) + b"\0\0" + _NUMBER.pack(number)
                sorted_links.add(item)
        if not above:
            above.append((self._add(_TOP, 0), b""))
        for number, _prefix in above:
            self._set(number, self._written)
        self.count = self._written

    def _join(self, targets: Iterable[Planned], sorted_links: ExternalSort) -> None:
        """Say of each hard link which file it is, and of each such file how many links it has."""
        self._flush()
        grouped = groupby(sorted_links.sorted(), key=lambda item: item[:-_NUMBER_BYTES])
        for target, (_key, items) in zip(targets, grouped):
            found = self.find(target.member.name)
            links = 0
            if found is not None and (found.level, found.member) == (target.level, target.member):
                number, links = found.number, 1
            else:
                number = self._add(target.member, target.level)
            for item in items:
                self._set(_NUMBER.unpack(item[-_NUMBER_BYTES:])[0], number)
                links += 1
            self._set(number, links)

    def _add(self, member: Member, level: int) -> int:
        record = _LEVEL.pack(level) + encode(member)
        self._places.write(_PLACE.pack(self._bytes, 1))
        self._records.write(record)
        self._bytes += len(record)
        self._written += 1
        return self._written - 1

    def _set(self, number: int, other: int) -> None:
        self._places.flush()
        os.pwrite(self._places.fileno(), _OTHER.pack(other), number * _PLACE.size + _OTHER_AT)

    def _flush(self) -> None:
        self._places.flush()
        self._records.flush()

    def entry(self, number: int) -> Found:
        """What has a number. Raises OSError."""
        places = os.pread(self._places.fileno(), 2 * _PLACE.size, number * _PLACE.size)
        begin, other = _PLACE.unpack_from(places)
        end = _PLACE.unpack_from(places, _PLACE.size)[0] if len(places) == 2 * _PLACE.size else self._bytes
        record = os.pread(self._records.fileno(), end - begin, begin)
        member = Member._make(record[_LEVEL.size :].split(b"\0", FIELDS)[:FIELDS])
        return Found(number, _LEVEL.unpack_from(record)[0], member, other)

    def find(self, name: bytes) -> Found | None:
        """What has a name, relative as in a catalogue; None if nothing has. Raises OSError."""
        key = order_key(name)
        number = self._known.get(key)
        found = self._among(key) if number is None else self.entry(number)
        if found is not None:
            self._known[key] = found.number
            self._known.move_to_end(key)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
            # Names are asked for in the order of a listing, as a rule.
            self._likely = (found.behind, found.number + 1)
        return found

    def _among(self, key: bytes) -> Found | None:
        for number in self._likely:
            if number < self.count:
                found = self.entry(number)
                if order_key(found.member.name) == key:
                    return found
        low, high = 0, self.count
        while low < high:
            middle = (low + high) // 2
            found = self.entry(middle)
            here = order_key(found.member.name)
            if here == key:
                return found
            if here < key:
                low = middle + 1
            else:
                high = middle
        return None

    def below(self, folder: Found, first: int = 0) -> Iterator[Found]:
        """What is directly in a folder, in the order of names; with `first` from that number on, which is one of them."""
        number = max(first, folder.number + 1)
        while number < folder.other:
            found = self.entry(number)
            yield found
            number = found.behind

    def file_of(self, found: Found) -> Found:
        """The file that a hard link is; everything else is what it is itself."""
        return self.entry(found.other) if found.member.kind == HARD_LINK else found
