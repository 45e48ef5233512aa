# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The maps of a chain: those that a new level compares with, and those that a restore puts files together with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from .block_maps import Entry, PlainMaps
from .catalogue_writer import relative
from .open_backup import OpenBackup
from .plan import final_state


class _At(NamedTuple):
    level: int
    map_begin: int
    size: int


class KnownMaps:
    """The maps of the levels of a chain, each unpacked when it is asked for. A context, with its files in `scratch`.

    `levels` opens each level, the lowest first. Methods raise DamagedArchive, StorageError or OSError.
    """

    def __init__(self, levels: Sequence[Callable[[], OpenBackup]], scratch: str) -> None:
        self._levels, self._scratch = levels, scratch
        self._stack = ExitStack()
        self._opened: dict[int, OpenBackup] = {}
        self._maps: dict[int, PlainMaps] = {}
        self._files: dict[bytes, _At] | None = None

    def __enter__(self) -> KnownMaps:
        return self

    def __exit__(self, *_problem: object) -> None:
        self._stack.close()

    def of_file(self, name: bytes) -> Sequence[Entry] | None:
        """The last map of a file by its name as tar has it, or None. Catalogues are read the first time only."""
        if not self._levels:
            return None
        if self._files is None:
            catalogues = [self.level(number).catalogue for number in range(len(self._levels))]
            self._files = {
                one.member.name: _At(one.level, int(one.member.map), one.member.size_bytes)
                for one in final_state(catalogues)
                if one.member.map
            }
        at = self._files.get(relative(name))
        return None if at is None else self.entries(*at)

    def entries(self, level: int, map_begin: int, size: int) -> Sequence[Entry]:
        """The entries of the map of a file of so many bytes, which begins there."""
        if level not in self._maps:
            opened = self.level(level)
            with opened.plain("maps") as source:
                maps = PlainMaps(source, opened.stored_bytes("maps"), self._scratch, opened.folder, level)
            self._maps[level] = self._stack.enter_context(maps)
        return self._maps[level].entries(map_begin, size)

    def level(self, number: int) -> OpenBackup:
        """One level, opened."""
        if number not in self._opened:
            self._opened[number] = self._stack.enter_context(self._levels[number]())
        return self._opened[number]
