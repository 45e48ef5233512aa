# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The content of one file of a chain, written to a descriptor such as a pipe."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import Callable

from ..repository.backup_set import StoredBackup
from ..repository.errors import ArchiveError
from ..storage.base import Storage
from ..system import process
from ..system.file_names import shown
from ..system.scratch import need_room, scratch_folder
from . import tar
from .block_restore import needs_blocks
from .extraction import Extraction, StoredLevel
from .feed import feed
from .known_maps import KnownMaps
from .open_backup import OpenBackup, open_backup
from .plan import HardLinks, Planned, final_state
from .records import FILE, FOLDER, HARD_LINK, Member
from .sealed import Sealing
from .selection import Selection

_COPIED_BYTES = 1 << 20


class OneFile:
    """The only file that a selection has in the last state of a chain. A context: it keeps the chain open."""

    def __init__(self, storage: Storage, chain: Sequence[StoredBackup], sealing: Sealing, selection: Selection) -> None:
        self._where = chain[-1].folder
        self._storage, self._chain, self._sealing, self._selection = storage, chain, sealing, selection
        self._stack = ExitStack()
        self._levels: list[OpenBackup] = []

    def __enter__(self) -> OneFile:
        """Find it. Raises ArchiveError if the selection is not one file, DamagedArchive or StorageError."""
        with ExitStack() as stack:
            self._levels = [stack.enter_context(open_backup(self._storage, one, self._sealing)) for one in self._chain]
            self._scratch = stack.enter_context(scratch_folder())
            planned = self._only()
            #: Where the content is: of a hard link the file that it leads to.
            self._planned = self._behind(planned, self._scratch) if planned.member.kind == HARD_LINK else planned
            self.name = shown(os.fsdecode(planned.member.name))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_problem: object) -> None:
        self._stack.close()

    @property
    def size(self) -> int:
        """Bytes of its content."""
        return self._planned.member.size_bytes

    def _only(self) -> Planned:
        found: list[Planned] = []
        plan = final_state([level.catalogue for level in self._levels])
        for one in self._selection.of(plan):
            if one.wanted:
                found.append(one)
                if len(found) > 1:
                    break
        if not found:
            raise ArchiveError(f"include selects nothing in {self._where}; nothing was written.")
        names = " and ".join(shown(os.fsdecode(one.member.name)) or "." for one in found)
        if len(found) > 1:
            raise ArchiveError(
                f"include selects more than one file in {self._where}, {names} among them; name one, from the top on: ./etc/hosts. "
                "Nothing was written."
            )
        if found[0].member.kind not in (FILE, HARD_LINK):
            what = "folder" if found[0].member.kind == FOLDER else "link or a special file"
            raise ArchiveError(f"{names} is a {what}, which has no content that could be written. Nothing was written.")
        return found[0]

    def _behind(self, link: Planned, scratch: str) -> Planned:
        with HardLinks([level.catalogue for level in self._levels], scratch) as links:
            for _one in links.watch([link]):
                pass
            return next(links.targets())

    def write(self, descriptor: int, advance: Callable[[int], None]) -> None:
        """Write the content. Raises DamagedArchive, StorageError, OSError, or ArchiveError if tar failed; a part may be written then."""
        tar.require()
        member, level = self._planned.member, self._levels[self._planned.level]
        maps = self._stack.enter_context(
            KnownMaps([partial(open_backup, self._storage, one, self._sealing) for one in self._chain], self._scratch)
        )
        if member.map:
            entries = maps.entries(self._planned.level, int(member.map), member.size_bytes)
            if needs_blocks(iter(entries), self._planned.level):
                self._put_together(maps, descriptor, advance)
                return
        self._through_tar(level, member, descriptor, advance)

    def _through_tar(self, level: OpenBackup, member: Member, descriptor: int, advance: Callable[[int], None]) -> None:
        argv = ["tar", "--extract", "--to-stdout", "--file=-", "--quoting-style=c", "--warning=no-timestamp"]
        with tar.start(argv, stdin=process.PIPE, stdout=descriptor) as reader:
            errors = tar.TarErrors(reader.stderr)
            try:
                feed(level.data, [member], reader.stdin, level.folder, advance)
                reader.stdin.close()
            except BrokenPipeError:
                pass  # tar has ended: its status and its messages give the reason
            status = reader.wait()
            errors.join()
        if status != 0:
            said = "; ".join(errors.messages.unknown[:3]) or f"status {status}"
            raise ArchiveError(f"tar could not write {self.name} of {level.folder}: {said}.")

    def _put_together(self, maps: KnownMaps, descriptor: int, advance: Callable[[int], None]) -> None:
        """A large file whose blocks are in several levels is put together in the temporary folder first."""
        member = self._planned.member
        need_room(member.size_bytes, f"{self.name}, which is put together there")
        stored = [
            StoredLevel(level.catalogue, level.data, level.blocks if level.manifest.segments("blocks") else None)
            for level in self._levels
        ]
        tree, beside = (os.path.join(self._scratch, part) for part in ("tree", "beside"))
        for folder in (tree, beside):
            os.mkdir(folder, 0o700)
        with Extraction(stored, self._scratch, maps) as extraction:
            extraction.take([self._planned])
            extraction.into(tree, beside, advance)
        with open(os.path.join(os.fsencode(tree), member.name), "rb") as file:
            while block := file.read(_COPIED_BYTES):
                rest = memoryview(block)
                try:
                    while rest:
                        rest = rest[os.write(descriptor, rest) :]
                except OSError as problem:
                    raise OSError(problem.errno, problem.strerror, self.name) from problem
