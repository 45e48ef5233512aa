# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Restore and prove a chain of files from one storage."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol

from ...action.options import OptionError
from ...archive import chain as chains
from ...archive import restore_target, tree_comparison
from ...archive.extract import Extracted, check_side_objects
from ...archive.in_place import InPlace, Narrowing
from ...archive.removing import Removal, Undo
from ...archive.salvage import Salvage
from ...archive.sealed import Sealing
from ...archive.selection import Selection
from ...archive.target_folder import STAGING_PREFIX, Folder
from ...archive.written import LISTED_AT_MOST, Placed
from ...progress import Progress
from ...repository.backup_set import StoredBackup
from ...storage.base import Storage
from ...storage.container import MARKER_NAME
from ...system.file_names import shown
from ...system.mounts import is_below
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

    def extract(self, folder: str, beside: str, progress: Progress, narrowing: Narrowing | None = None) -> Extracted:
        return chains.extract(
            self._storage, self._chain, self._sealing, folder, beside, progress, self._selection, narrowing
        )

    def compare(self, narrowing: Narrowing) -> Extracted:
        """Compare the state with a folder by what the catalogues say. Raises DamagedArchive, StorageError or ArchiveError."""
        return chains.compare(self._storage, self._chain, self._sealing, self._selection, narrowing)

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


class SalvagedLevels(OwnLevels):
    """What is whole of a chain of version 2. Levels whose details are damaged have none."""

    def __init__(
        self, storage: Storage, chain: Sequence[StoredBackup], sealing: Sealing, selection: Selection | None = None
    ) -> None:
        self._storage, self._chain, self._sealing, self._selection = storage, chain, sealing, selection
        known = [one.details for one in chain if one.details is not None]
        with_top = selection is None or selection.wants(b"")
        self.whole_folder = with_top and all(one.single_file is None for one in known)
        self.progress_bytes = sum(one.source_bytes for one in known)
        self.unpacked_bytes = max((one.stream_bytes or 0 for one in known), default=0)

    def extract(self, folder: str, beside: str, progress: Progress, narrowing: Narrowing | None = None) -> Extracted:
        del narrowing  # refused together
        with Salvage(self._storage, self._chain, self._sealing) as salvage:
            return salvage.extract(folder, beside, self._selection, progress)


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


@dataclass(frozen=True)
class InPlaceRestore:
    """A restore over files that are there already."""

    how: InPlace
    #: A new folder for what is replaced and removed.
    undo_folder: str | None = None
    #: Paths that are no part of the target, such as containers below it.
    hidden: Sequence[str] = ()

    def check(self, target: str) -> None:
        """Raise OptionError if something would be removed from a container of backups. `target` is a real path."""
        if self.how.removable is None:
            return
        containers = [os.path.realpath(path) for path in self.hidden]
        if os.path.lexists(os.path.join(target, MARKER_NAME)) or any(is_below(target, one) for one in containers):
            raise OptionError(
                f"{shown(target)} is a container of backups, or in one, and with delete they would be removed. Nothing was restored."
            )

    def hidden_in(self, target: str, *more: str) -> list[str]:
        """The relative names of what is hidden in a target (a real path)."""
        found = [name for name in os.listdir(target) if name.startswith(STAGING_PREFIX)]
        inside = (os.path.relpath(os.path.realpath(path), target) for path in (*self.hidden, *more))
        return [*found, *(name for name in inside if name.partition("/")[0] not in ("..", "."))]


def restore_in_place(
    levels: OwnLevels, target: str, in_place: InPlaceRestore, progress: Progress
) -> tuple[Extracted, Placed]:
    """Restore what differs from a target, and remove what the backup does not have, as `in_place` says.

    The target is unchanged if this fails before anything is moved. Raises FreezerError.
    """
    progress.begin("restore", None)
    try:
        with ExitStack() as stack:
            stage = stack.enter_context(restore_target.staging(target, with_root=levels.whole_folder))
            in_place.check(stage.target)
            undo = None
            if in_place.undo_folder is not None:
                undo = Undo(in_place.undo_folder, stage.top)
                stack.callback(undo.close)
            hidden = in_place.hidden_in(stage.target, *([] if undo is None else [undo.real]))
            narrowing = stack.enter_context(Narrowing(stage.top, in_place.how, hidden))
            met = levels.extract(stage.tree, stage.beside, progress, narrowing)
            removal = Removal(narrowing.removed, undo, MARKER_NAME)
            keep = None if undo is None else undo.take
            placed = stage.place(levels.whole_folder, above=met.above, keep=keep, removal=removal)
            placed.equal += narrowing.found.skipped
            placed.undo_folder = in_place.undo_folder if undo is not None and undo.has_any else None
            return met, placed
    finally:
        progress.end()


def would_change(levels: OwnLevels, target: str, in_place: InPlaceRestore) -> tuple[Extracted, Placed]:
    """The changes that `restore_in_place` would make, by what the catalogues say. Raises FreezerError."""
    with ExitStack() as stack:
        real = restore_target.check_target(target)
        in_place.check(real)
        if not os.path.isdir(real):
            real = stack.enter_context(scratch_folder())
        top = os.open(real, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        stack.callback(os.close, top)
        narrowing = stack.enter_context(Narrowing(top, in_place.how, in_place.hidden_in(real)))
        met = levels.compare(narrowing)
        found = narrowing.found
        placed = Placed(
            created=found.created,
            replaced=found.replaced,
            equal=found.equal,
            created_paths=found.created_paths,
            replaced_paths=found.replaced_paths,
            removed=found.removed,
            removed_paths=found.removed_paths,
        )
        Removal(narrowing.removed, None, MARKER_NAME).check(Folder(top, (), real, shared=False), placed)
    placed.written.counts, placed.written.content_bytes = found.counts, found.content_bytes
    return met, placed


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
    need_room(levels.unpacked_bytes, "a scratch copy")


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
        highest = [path for path in found.only_left if os.path.dirname(path) not in new]
        placed.created, placed.created_paths = len(highest), [shown(path) for path in highest[:LISTED_AT_MOST]]
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
