# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Extracts what a restore plan names: each level by a tar of its own, into a private folder of its own, joined afterwards.

GNU tar protects itself against links that lead out of its folder, within one run. No path is extracted twice, all parents of a
path are folders in the plan, and no run sees what another one has written.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Callable

from ..repository.errors import DamagedArchive
from ..system import process
from . import tar
from .block_restore import needs_blocks, put_blocks
from .external_sort import ExternalSort
from .extract import Extracted, outcome
from .feed import END, feed
from .joining import join
from .known_maps import KnownMaps
from .plan import Catalogue, HardLinks, Planned
from .records import FIELDS, FOLDER, Member, encode
from .streams import Stream
from .target_folder import open_below

#: The digits of the place of a member, which items are sorted by.
_PLACE = 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PLANNED, _FOR_LINKS = b"0", b"1"


@dataclass(frozen=True)
class StoredLevel:
    """One level of a chain, as far as a restore reads it."""

    catalogue: Catalogue
    stream: Stream
    #: The stream of blocks of large files, for a level that has any.
    blocks: Stream | None = None


class Extraction:
    """The members of a plan, sorted for each level by where they are in its stream. A context, with files in `scratch`."""

    def __init__(self, levels: Sequence[StoredLevel], scratch: str, maps: KnownMaps | None = None) -> None:
        """`maps` are those of the chain, if it has any."""
        self._levels, self._scratch, self._maps = levels, scratch, maps
        self._stack = ExitStack()
        self._sorts: dict[int, ExternalSort] = {}
        self._links = HardLinks([level.catalogue for level in levels], scratch)

    def __enter__(self) -> Extraction:
        self._stack.enter_context(self._links)
        return self

    def __exit__(self, *_problem: object) -> None:
        self._stack.close()

    def take(self, plan: Iterable[Planned]) -> None:
        """Read a plan. Raises DamagedCatalogue, DamagedArchive, StorageError or OSError."""
        for one in self._links.watch(plan):
            self._add(one, _PLANNED)
        for one in self._links.targets():
            self._add(one, _FOR_LINKS)

    def _add(self, planned: Planned, why: bytes) -> None:
        member, level = planned.member, planned.level
        if level not in self._sorts:
            self._sorts[level] = self._stack.enter_context(ExternalSort(self._scratch))
        self._sorts[level].add(b"%020d%b%b" % (member.begin, why, encode(member)))

    def into(self, folder: str, beside: str, advance: Callable[[int], None] = lambda _content_bytes: None) -> Extracted:
        """Extract it into an empty folder; the other levels are in `beside` until they are joined to it.

        Both are on one file system, and only this user can enter them. `advance` is told of bytes of content. Raises
        DamagedArchive, StorageError, OSError, or ArchiveError if tar failed; the folder is then of no use.
        """
        tar.require()
        met = Extracted()
        numbers = sorted(self._sorts)
        for number in numbers:
            into = folder if number == numbers[-1] else os.path.join(beside, f"level-{number}")
            if into != folder:
                os.mkdir(into, 0o700)
            self._extract(number, into, met, advance)
        for number in numbers[:-1]:
            join(os.path.join(beside, f"level-{number}"), folder)
        return met

    def _extract(self, number: int, folder: str, met: Extracted, advance: Callable[[int], None]) -> None:
        level, for_links = self._levels[number], _ForLinks()
        where = level.catalogue.where
        with tar.start(tar.extract_argv(folder, increment=False), stdin=process.PIPE, stdout=process.DISCARD) as reader:
            errors = tar.TarErrors(reader.stderr)
            try:
                feed(level.stream, for_links.watch(self._sorts[number].sorted()), reader.stdin, where, advance)
                reader.stdin.close()
            except BrokenPipeError:
                pass  # tar has ended: its status and its messages give the reason
            status = reader.wait()
            errors.join()
        told = outcome(where, folder, status, errors.messages, lambda names: self._again(number, names))
        met.not_restored += told.not_restored
        met.warnings += told.warnings
        self._fill(number, folder, for_links.with_maps, advance)
        for_links.remove(folder)

    @contextmanager
    def _again(self, number: int, names: Sequence[bytes]) -> Iterator[Iterator[bytes]]:
        """An archive with some members of a level, which have been compared with the catalogue before."""
        wanted = {name.removeprefix(b"./") for name in names}
        members = [member for _why, member in _members(self._sorts[number].sorted()) if member.name in wanted]
        with self._levels[number].stream.read([(member.begin, member.end) for member in members]) as blocks:
            yield chain(blocks, (END,))

    def _fill(self, number: int, folder: str, members: Sequence[Member], advance: Callable[[int], None]) -> None:
        """Put the content of large files into the holes that tar has made of them."""
        if not members or self._maps is None:
            return
        descriptor = os.open(folder, _FOLDER)
        try:
            for member in members:
                entries = self._maps.entries(number, int(member.map), member.size_bytes)
                if needs_blocks(iter(entries), number):
                    put_blocks(descriptor, member, number, entries, self._stream, self._scratch, advance)
        finally:
            os.close(descriptor)

    def _stream(self, number: int, in_blocks: bool) -> Stream:
        level = self._levels[number]
        if not in_blocks:
            return level.stream
        if level.blocks is None:
            raise DamagedArchive(f"{level.catalogue.where} has no blocks of large files, and a map refers to them.")
        return level.blocks


def _members(items: Iterable[bytes]) -> Iterator[tuple[bytes, Member]]:
    """The members of sorted items, each once, and why they are extracted."""
    last: Member | None = None
    for item in items:
        member = Member(*item[_PLACE + 1 :].split(b"\0", FIELDS)[:FIELDS])
        if member != last:  # else the plan has it as well, and that item comes first
            yield item[_PLACE : _PLACE + 1], member
        last = member


class _ForLinks:
    """Files that were extracted only because hard links of the plan lead to them."""

    def __init__(self) -> None:
        self._names: list[bytes] = []
        self._folders: set[bytes] = set()
        #: Members with a map.
        self.with_maps: list[Member] = []

    def watch(self, items: Iterable[bytes]) -> Iterator[Member]:
        """The members of sorted items, each once."""
        for why, member in _members(items):
            if member.map:
                self.with_maps.append(member)
            if why == _FOR_LINKS:
                self._names.append(member.name)
            elif member.kind == FOLDER:
                self._folders.add(member.name)
            yield member

    def remove(self, folder: str) -> None:
        """Remove them, and the folders that tar has made for them and that are in no plan. Raises OSError."""
        if not self._names:
            return
        top = os.open(folder, _FOLDER)
        try:
            for name in self._names:
                above = os.path.dirname(name)
                with open_below(top, above) as descriptor:
                    os.unlink(os.path.basename(name), dir_fd=descriptor)
                while above and above not in self._folders:
                    name, above = above, os.path.dirname(above)
                    with open_below(top, above) as descriptor:
                        try:
                            os.rmdir(os.path.basename(name), dir_fd=descriptor)
                        except OSError:
                            break  # it has other files
        finally:
            os.close(top)
