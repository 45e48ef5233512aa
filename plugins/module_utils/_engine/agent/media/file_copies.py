# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Restore and prove a chain of files from one storage."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ...action.options import OptionError
from ...archive import chain as chains
from ...archive import restore_target, tree_comparison
from ...archive.extract import Extracted
from ...archive.sealed import Sealing
from ...archive.written import LISTED_AT_MOST, Placed
from ...progress import Progress
from ...repository.backup_set import StoredBackup
from ...storage.base import Storage
from ...system.file_names import shown
from ...system.scratch import need_room, scratch_folder


def _begin(progress: Progress, phase: str, chain: Sequence[StoredBackup]) -> None:
    progress.begin(phase, sum(one.known.source_bytes for one in chain))


def restore_into(
    storage: Storage, chain: Sequence[StoredBackup], sealing: Sealing, target: str, progress: Progress
) -> tuple[Extracted, Placed]:
    """Restore a chain; the target becomes visible as a whole, and is unchanged if this fails."""
    whole_folder = chain[-1].known.single_file is None
    _begin(progress, "restore", chain)
    try:
        with restore_target.staging(target, with_root=whole_folder) as stage:
            met = chains.extract(storage, chain, sealing, stage.tree, stage.beside, progress)
            return met, stage.place(with_root=whole_folder)
    finally:
        progress.end()


def prove(
    storage: Storage,
    chain: Sequence[StoredBackup],
    sealing: Sealing,
    check: str,
    compare_to: str | None,
    progress: Progress,
) -> list[str]:
    """Read a chain as `check` says; the differences from the folder `compare_to`, if given. Raises DamagedArchive."""
    if check == "segments":
        progress.begin("verify", sum(one.manifest.stored_bytes for one in chain))
    else:
        _begin(progress, "verify", chain)
    try:
        if check == "segments":
            for one in chain:
                chains.check_stored(storage, one, progress)
        elif check == "stream":
            chains.check_content(storage, chain, sealing, progress)
        else:
            return _compare(storage, chain, sealing, compare_to, progress)
        return []
    finally:
        progress.end()


def _restore_aside(
    storage: Storage, chain: Sequence[StoredBackup], sealing: Sealing, scratch: str, progress: Progress
) -> str:
    """Restore the tree below a scratch folder; returns its path."""
    target = os.path.join(scratch, "tree")
    with restore_target.staging(target, with_root=True) as stage:
        chains.extract(storage, chain, sealing, stage.tree, stage.beside, progress)
        stage.place(with_root=True)
    return target


def _need_room_for(chain: Sequence[StoredBackup]) -> None:
    # Of each level as much as is in it is unpacked; version 1 may not know how much that is.
    sizes = [one.known.stream_bytes or one.manifest.stored_bytes for one in chain]
    need_room(max(sizes), "a scratch copy to compare with")


def would_place(
    storage: Storage, chain: Sequence[StoredBackup], sealing: Sealing, target: str, progress: Progress
) -> Placed:
    """The changes that a restore into a target with files would make; files that are only there do not count."""
    _need_room_for(chain)
    placed = Placed()
    with scratch_folder() as scratch:
        restored = _restore_aside(storage, chain, sealing, scratch, progress)
        found = tree_comparison.compare(restored, target, owner=os.geteuid() == 0)
        if chain[-1].known.single_file is not None and found.unlike.pop("", None) is None:
            found.equal -= 1  # the folder around a single file is not restored
        new = set(found.only_left)
        # A restore counts a new folder once, with all its contents.
        placed.created = sum(os.path.dirname(path) not in new for path in new)
        placed.replaced, placed.equal = len(found.unlike), found.equal
        placed.replaced_paths = [shown(path) or "." for path in list(found.unlike)[:LISTED_AT_MOST]]
        for path in filter(None, (*found.only_left, *found.unlike)):
            placed.written.add(os.lstat(os.path.join(restored, path)))
    return placed


def _compare(
    storage: Storage, chain: Sequence[StoredBackup], sealing: Sealing, folder: str | None, progress: Progress
) -> list[str]:
    if folder is not None and not os.path.isdir(folder):
        raise OptionError(f"compare_to {shown(folder)} is not a folder.")
    _need_room_for(chain)
    with scratch_folder() as scratch:
        restored = _restore_aside(storage, chain, sealing, scratch, progress)
        return [] if folder is None else tree_comparison.differences(folder, restored, os.geteuid() == 0, "the backup")
