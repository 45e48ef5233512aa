# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Restore and prove a chain of files from one storage."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol

from ...action.options import OptionError
from ...archive import chain as chains
from ...archive import restore_target, tree_comparison
from ...archive.extract import Extracted, check_side_objects
from ...archive.sealed import Sealing
from ...archive.selection import Selection
from ...archive.written import LISTED_AT_MOST, Placed
from ...progress import Progress
from ...repository.backup_set import StoredBackup
from ...storage.base import Storage
from ...system.file_names import shown
from ...system.scratch import need_room, scratch_folder


class Levels(Protocol):
    """A chain of levels in one storage, whatever format it has. Sizes are bytes."""

    @property
    def whole_folder(self) -> bool:
        """Whether it is of a folder, its own attributes included, and not of a single file. Raises DamagedArchive or StorageError."""

    @property
    def progress_bytes(self) -> int:
        """What `extract` tells progress in all."""

    @property
    def unpacked_bytes(self) -> int:
        """What it needs at least to be unpacked."""

    def extract(self, folder: str, beside: str, progress: Progress) -> Extracted:
        """Bring the final state into an empty folder; `beside` is another one, for what is in between.

        Both are on one file system, and only this user can enter them. Raises DamagedArchive, StorageError or ArchiveError.
        """

    def check(self, check: str, progress: Progress) -> None:
        """Check what is stored (``segments``), read it as a restore does (``stream``), or what `extract` leaves out (``restore``).

        Raises DamagedArchive or StorageError.
        """

    def check_bytes(self, check: str) -> int:
        """What `check` tells progress in all."""


class OwnLevels:
    """A chain of one of the formats of this software."""

    def __init__(
        self, storage: Storage, chain: Sequence[StoredBackup], sealing: Sealing, selection: Selection | None = None
    ) -> None:
        """With a selection, a part of the chain's last state."""
        self._storage, self._chain, self._sealing, self._selection = storage, chain, sealing, selection
        with_top = selection is None or selection.wants(b"")
        self.whole_folder = with_top and chain[-1].known.single_file is None
        self.progress_bytes = sum(one.known.source_bytes for one in chain)
        # Of each level as much as is in it is unpacked; version 1 may not know how much that is.
        self.unpacked_bytes = max(one.known.stream_bytes or one.manifest.stored_bytes for one in chain)

    def extract(self, folder: str, beside: str, progress: Progress) -> Extracted:
        return chains.extract(self._storage, self._chain, self._sealing, folder, beside, progress, self._selection)

    def check(self, check: str, progress: Progress) -> None:
        if check == "segments":
            for one in self._chain:
                chains.check_stored(self._storage, one, progress)
        elif check == "restore" and chains.is_first_version(self._chain):
            for one in self._chain:
                check_side_objects(self._storage, one)
        else:
            chains.check_content(self._storage, self._chain, self._sealing, progress)

    def check_bytes(self, check: str) -> int:
        if check == "segments":
            return sum(one.manifest.stored_bytes for one in self._chain)
        return 0 if check == "restore" and chains.is_first_version(self._chain) else self.progress_bytes


def restore_into(levels: Levels, target: str, progress: Progress) -> tuple[Extracted, Placed]:
    """Restore a chain; the target becomes visible as a whole, and is unchanged if this fails."""
    whole_folder = levels.whole_folder
    progress.begin("restore", levels.progress_bytes)
    try:
        with restore_target.staging(target, with_root=whole_folder) as stage:
            met = levels.extract(stage.tree, stage.beside, progress)
            return met, stage.place(with_root=whole_folder, above=met.above)
    finally:
        progress.end()


def prove(levels: Levels, check: str, compare_to: str | None, progress: Progress) -> list[str]:
    """Read a chain as `check` says; the differences from the folder `compare_to`, if given. Raises DamagedArchive."""
    restored = check == "restore"
    progress.begin("verify", levels.check_bytes(check) + (levels.progress_bytes if restored else 0))
    try:
        levels.check(check, progress)
        return _compare(levels, compare_to, progress) if restored else []
    finally:
        progress.end()


def _restore_aside(levels: Levels, scratch: str, progress: Progress) -> tuple[str, Extracted]:
    """Restore the tree below a scratch folder; returns its path, and what was met."""
    target = os.path.join(scratch, "tree")
    with restore_target.staging(target, with_root=True) as stage:
        met = levels.extract(stage.tree, stage.beside, progress)
        stage.place(with_root=True)
    return target, met


def _need_room_for(levels: Levels) -> None:
    need_room(levels.unpacked_bytes, "a scratch copy to compare with")


def would_place(levels: Levels, target: str, progress: Progress) -> tuple[Extracted, Placed]:
    """The changes that a restore into a target with files would make; files that are only there do not count."""
    _need_room_for(levels)
    placed = Placed()
    with scratch_folder() as scratch:
        restored, met = _restore_aside(levels, scratch, progress)
        found = tree_comparison.compare(restored, target, owner=os.geteuid() == 0)
        # The folder around a single file is not restored, and folders above a part only where they are missing.
        for path in {*met.above, *([] if levels.whole_folder else [""])} - set(found.only_left):
            if found.unlike.pop(path, None) is None:
                found.equal -= 1
        new = set(found.only_left)
        # A restore counts a new folder once, with all its contents.
        placed.created = sum(os.path.dirname(path) not in new for path in new)
        placed.replaced, placed.equal = len(found.unlike), found.equal
        placed.replaced_paths = [shown(path) or "." for path in list(found.unlike)[:LISTED_AT_MOST]]
        for path in filter(None, (*found.only_left, *found.unlike)):
            placed.written.add(os.lstat(os.path.join(restored, path)))
    return met, placed


def _compare(levels: Levels, folder: str | None, progress: Progress) -> list[str]:
    if folder is not None and not os.path.isdir(folder):
        raise OptionError(f"compare_to {shown(folder)} is not a folder.")
    _need_room_for(levels)
    with scratch_folder() as scratch:
        restored, _met = _restore_aside(levels, scratch, progress)
        return [] if folder is None else tree_comparison.differences(folder, restored, os.geteuid() == 0, "the backup")
