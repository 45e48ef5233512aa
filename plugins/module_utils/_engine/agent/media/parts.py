# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The part of a backup of files that an action asks for: its ``include`` and ``exclude``; and how files that are there are treated."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, Callable

from ...action.options import OptionError, Options
from ...archive import chain as chains
from ...archive.extract import Extracted
from ...archive.in_place import InPlace
from ...archive.open_backup import with_details
from ...archive.patterns import matcher
from ...archive.sealed import Sealing
from ...archive.selection import Selection
from ...repository.backup_set import StoredBackup
from ...repository.errors import DamagedArchive
from ...storage.base import Storage
from ...storage.errors import StorageError
from ...system.file_names import shown
from .base import Copy
from .file_copies import InPlaceRestore
from .upstream_copies import is_upstreams


def selection(options: Options, copy: Copy[Any]) -> Selection | None:
    """What of a backup is to be restored; None for all of it. Raises ArchiveError where no part can be."""
    if options.salvage:
        _need_catalogues(copy)
    if not (options.include or options.exclude):
        return None
    _need_catalogues(copy)
    known = next((one for one in reversed(copy.chain) if one.details is not None), None)
    if known is None:
        raise DamagedArchive(
            f"The details of {copy.stored.folder} and of all levels below it are damaged; nothing was restored."
        )
    return Selection(patterns(options.include, known), patterns(options.exclude, known))


def details_if_whole(storage: Storage, backup: StoredBackup, sealing: Sealing) -> StoredBackup:
    """The same backup with its details, or without them if they are damaged. Raises ArchiveError without the key."""
    try:
        return with_details(storage, backup, sealing)
    except (DamagedArchive, StorageError):
        return backup


def unreadable(copy: Copy[Any]) -> list[dict[str, str]]:
    """What could not be read when a backup was made, as far as its details are there."""
    if is_upstreams(copy) or copy.stored.details is None:
        return []
    return list(copy.stored.known.unreadable)


def _need_catalogues(copy: Copy[Any]) -> None:
    if is_upstreams(copy):
        raise chains.no_part("was made by the agent of OpenStack's Freezer")
    if chains.is_first_version(copy.chain):
        raise chains.no_part("was made by an earlier release")


def wants_in_place(options: Options) -> bool:
    """Whether a restore compares with what is there by the catalogues."""
    return bool(options.only_changed or options.delete or options.undo_folder)


def in_place(options: Options, copy: Copy[Any], part: Selection | None) -> InPlaceRestore | None:
    """How files that are there already are treated; None to compare all with what was extracted. Raises ArchiveError."""
    if not wants_in_place(options):
        return None
    _need_catalogues(copy)
    known = copy.stored.known
    removable = None
    if options.delete:
        if known.single_file is not None:
            raise OptionError(
                "delete is for a backup of a folder, and this one has a single file; nothing was restored."
            )
        removable = _removable(copy.chain, part)
    containers = [container for kind, container in options.locations() if kind == "local"]
    undo = None if options.undo_folder is None else os.path.abspath(options.undo_folder)
    return InPlaceRestore(InPlace(options.only_changed, removable), undo, containers)


def _removable(chain: Sequence[StoredBackup], part: Selection | None) -> Callable[[bytes], bool]:
    """Whether a path that the backup does not have may be removed.

    Not what is outside the part that is restored, what the backup excluded, and what it could not read.
    """
    known = chain[-1].known
    excluded = matcher(map(os.fsencode, known.selection["exclude"]))
    missed: set[str] = set()
    for one in chain:
        for entry in (*one.known.unreadable, *one.known.warnings):
            path = entry.get("path", "")
            inside = path[len(known.path) + 1 :] if path.startswith(f"{known.path}/") else path
            missed.add(inside[2:] if inside.startswith("./") else inside)
    missed -= {"", "."}

    def removable(name: bytes) -> bool:
        if excluded(name) or (part is not None and not part.wants(name)):
            return False
        path = shown(os.fsdecode(name)) if missed else ""
        while path:
            if path in missed:
                return False
            path = path.rpartition("/")[0]
        return True

    return removable


def patterns(given: Iterable[str], backup: StoredBackup) -> list[bytes]:
    """Patterns as the catalogue of a backup takes them: an absolute path is one of the host that was backed up.

    One that is not below what was backed up matches nothing.
    """
    known = backup.known
    top = os.fsencode(known.path if known.single_file is None else os.path.dirname(known.path)).rstrip(b"/")
    found = []
    for one in map(os.fsencode, given):
        inside = one.startswith(top + b"/") or one == top
        found.append(b"." + one[len(top) :] if one.startswith(b"/") and inside else one)
    return found


def counted(met: Extracted) -> dict[str, int]:
    """How many paths were selected, in a result of a part."""
    return {} if met.selected is None else {"selected": met.selected}
