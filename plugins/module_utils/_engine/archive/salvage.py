# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Saves what is whole of a damaged chain.

A level whose details or catalogue cannot be read counts as if it had changed nothing, so older states stand in. A path whose bytes
are damaged is left out. Every path that is left out, and every level, is told.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial

from ..progress import Progress
from ..repository.backup_set import StoredBackup
from ..repository.errors import ArchiveError, DamagedArchive
from ..repository.verified import BackupObjects
from ..storage.base import Storage
from ..storage.errors import StorageError
from ..system.file_names import shown
from ..system.scratch import scratch_folder
from .block_maps import IN_BLOCKS, IN_DATA, Entry, size_of_block
from .codec import codec_for
from .errors import DamagedCatalogue
from .extract import Extracted
from .extraction import Extraction, StoredLevel
from .frames import FRAME_BYTES, FrameTable
from .known_maps import KnownMaps
from .open_backup import open_backup
from .plan import Catalogue, HardLinks, Planned, Refused, final_state
from .records import FOLDER, HARD_LINK, Member, Readable
from .sealed import Sealing
from .selection import Selection
from .streams import Stream

_LOST = "It is damaged in {where}, and was not restored; an older backup may have it whole."


def _nothing() -> AbstractContextManager[Readable]:
    return nullcontext(io.BytesIO())


class _Frames:
    """Which frames of a stream are whole; each is read once."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._whole: dict[int, bool] = {}

    def are_whole(self, begin: int, end: int) -> bool:
        """Whether all bytes from `begin` to `end` can be read."""
        if not 0 <= begin <= end <= self._stream.size:
            return False
        return all(self._is_whole(number) for number in range(begin // FRAME_BYTES, -(-end // FRAME_BYTES)))

    def _is_whole(self, number: int) -> bool:
        if number not in self._whole:
            begin = number * FRAME_BYTES
            try:
                with self._stream.read([(begin, min(begin + FRAME_BYTES, self._stream.size))]) as blocks:
                    for _block in blocks:
                        pass
                self._whole[number] = True
            except (DamagedArchive, StorageError):
                self._whole[number] = False
        return self._whole[number]


class Salvage:
    """A chain, as far as it can be read. A context. `lost` has what is left out: ``path`` and ``message``."""

    def __init__(self, storage: Storage, chain: Sequence[StoredBackup], sealing: Sealing) -> None:
        self._storage, self._chain, self._sealing = storage, chain, sealing
        self.lost: list[dict[str, str]] = []
        self._stack = ExitStack()
        self._levels: list[StoredLevel] = []
        self._frames: dict[tuple[int, bool], _Frames] = {}
        #: Folders whose members are damaged; the catalogue has their attributes.
        self._folders: list[Member] = []

    def __enter__(self) -> Salvage:
        for number, one in enumerate(self._chain):
            opened = self._stack.enter_context(open_backup(self._storage, one, self._sealing))
            try:
                data, blocks = opened.data, opened.blocks if opened.manifest.segments("blocks") else None
                with opened.plain("catalogue") as source:
                    source.read(1)
            except (DamagedArchive, StorageError) as problem:
                self._lose("", f"Nothing of {opened.folder} was restored, and older states stand in: {problem}")
                empty = Stream(
                    BackupObjects(self._storage, one.folder, ()),
                    (),
                    FrameTable((), 0),
                    codec_for("none"),
                    self._sealing,
                )
                self._levels.append(StoredLevel(Catalogue(opened.folder, _nothing), empty))
                continue
            self._levels.append(StoredLevel(opened.catalogue, data, blocks))
            self._frames[number, False] = _Frames(data)
            if blocks is not None:
                self._frames[number, True] = _Frames(blocks)
        self._scratch = self._stack.enter_context(scratch_folder())
        opens = [partial(open_backup, self._storage, one, self._sealing) for one in self._chain]
        self._maps = self._stack.enter_context(KnownMaps(opens, self._scratch))
        return self

    def __exit__(self, *_problem: object) -> None:
        self._stack.close()

    def _lose(self, path: str, message: str) -> None:
        self.lost.append({"path": path, "message": message})

    def _catalogues(self) -> list[Catalogue]:
        return [level.catalogue for level in self._levels]

    def extract(self, folder: str, beside: str, selection: Selection | None, progress: Progress) -> Extracted:
        """Bring what is whole of the last state into an empty folder. Raises ArchiveError if that is nothing, or tar failed."""
        damaged_links = self._damaged_links(selection)
        count = 0

        def plan() -> Iterator[Planned]:
            nonlocal count
            for one in self._plan(selection, self._refused):
                if self._is_whole(one, damaged_links):
                    count += one.member.kind != FOLDER
                    yield one

        with Extraction(self._levels, self._scratch, self._maps) as extraction:
            extraction.take(plan())
            if not count:
                said = self.lost[0]["message"] if self.lost else "it has no files that are wanted"
                raise ArchiveError(f"Nothing of {self._chain[-1].folder} could be saved: {said}")
            met = extraction.into(folder, beside, lambda content_bytes: progress.advance(done_bytes=content_bytes))
        self._set_attributes(folder)
        met.not_restored += self.lost
        return met

    def _refused(self, problem: DamagedArchive) -> None:
        path = problem.path if isinstance(problem, DamagedCatalogue) else None
        self._lose(shown(path or ""), f"{problem} Older states stand in for what could not be read.")

    def _plan(self, selection: Selection | None, refused: Refused) -> Iterable[Planned]:
        plan = final_state(self._catalogues(), refused)
        return plan if selection is None else selection.of(plan)

    def _damaged_links(self, selection: Selection | None) -> set[tuple[int, bytes]]:
        """The levels and names that hard links lead to and that are damaged."""
        damaged: set[tuple[int, bytes]] = set()
        with HardLinks(self._catalogues(), self._scratch) as links:
            wanted: set[tuple[int, bytes]] = set()
            for one in links.watch(self._plan(selection, _ignore)):
                if one.member.kind == HARD_LINK:
                    wanted.add((one.level, one.member.link))
            try:
                for target in links.targets():
                    if not self._bytes_are_whole(target):
                        damaged.add((target.level, target.member.name))
            except DamagedArchive:
                return wanted  # a catalogue is damaged: what the links lead to is not known
        return damaged

    def _is_whole(self, one: Planned, damaged_links: set[tuple[int, bytes]]) -> bool:
        member = one.member
        whole = self._bytes_are_whole(one)
        if whole and member.kind == HARD_LINK:
            whole = (one.level, member.link) not in damaged_links
        if not whole and member.kind == FOLDER:
            self._folders.append(member)
        elif not whole:
            self._lose(shown(os.fsdecode(member.name)), _LOST.format(where=self._levels[one.level].catalogue.where))
        return whole

    def _bytes_are_whole(self, one: Planned) -> bool:
        member, frames = one.member, self._frames.get((one.level, False))
        if frames is None or not frames.are_whole(member.begin, member.end):
            return False
        if not member.map:
            return True
        try:
            entries = self._maps.entries(one.level, int(member.map), member.size_bytes)
            return all(self._block_is_whole(entry, number, member) for number, entry in enumerate(entries))
        except (DamagedArchive, StorageError):
            return False

    def _block_is_whole(self, entry: Entry, number: int, member: Member) -> bool:
        if entry.place not in (IN_DATA, IN_BLOCKS):
            return True
        stream = self._frames.get((entry.level, entry.place == IN_BLOCKS))
        end = entry.offset + size_of_block(number, member.size_bytes)
        return stream is not None and stream.are_whole(entry.offset, end)

    def _set_attributes(self, folder: str) -> None:
        """Give folders whose members are damaged what the catalogue says; the deepest ones first."""
        for member in reversed(self._folders):
            path = os.path.join(os.fsencode(folder), member.name)
            try:
                os.makedirs(path, 0o700, exist_ok=True)
                if os.geteuid() == 0:
                    os.chown(path, int(member.uid), int(member.gid), follow_symlinks=False)
                os.chmod(path, member.permissions)
                os.utime(path, ns=(member.mtime_ns, member.mtime_ns))
            except OSError as problem:
                self._lose(
                    shown(os.fsdecode(member.name)), f"Its attributes could not be restored: {problem.strerror}."
                )


def _ignore(_problem: DamagedArchive) -> None:
    """What is refused is told when the plan is made for the second time."""
