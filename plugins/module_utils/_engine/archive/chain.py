# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Restore and check the chain of a backup, whatever the version of its format."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from functools import partial

from ..progress import Progress
from ..repository.backup_set import StoredBackup
from ..repository.errors import ArchiveError, DamagedArchive
from ..repository.public_manifest import PublicManifest
from ..repository.trees import LEAF_BYTES
from ..repository.verified import BackupObjects
from ..storage.base import Storage
from ..system.scratch import scratch_folder
from .catalogue_writer import CatalogueWriter
from .extract import Extracted, check_segments, check_side_objects, check_stream, replay_chain
from .extraction import Extraction, StoredLevel
from .in_place import Narrowing
from .known_maps import KnownMaps
from .member_stream import MemberStream
from .open_backup import OpenBackup, open_backup
from .plan import Catalogue, Planned, final_state
from .records import GONE, HARD_LINK, encode, read_records
from .sealed import Sealing
from .selection import Selected, Selection

_STEP_BYTES = 8 * LEAF_BYTES


def is_first_version(chain: Sequence[StoredBackup]) -> bool:
    """Whether a chain has the format of version 1. A chain has one version."""
    return not isinstance(chain[-1].manifest, PublicManifest)


def extract(
    storage: Storage,
    chain: Sequence[StoredBackup],
    sealing: Sealing,
    folder: str,
    beside: str,
    progress: Progress,
    selection: Selection | None = None,
    narrowing: Narrowing | None = None,
) -> Extracted:
    """Bring the final state of a chain, or a part of it, into an empty folder; `beside` is another one, for what is in between.

    With `narrowing` only what differs from the folder that it compares with.
    Both are on one file system, and only this user can enter them. Raises DamagedArchive, StorageError, OSError, or ArchiveError
    if tar failed, or nothing is selected; the folder is then of no use.
    """
    if selection is None and narrowing is None and is_first_version(chain):
        return replay_chain(storage, chain, folder, progress)
    with ExitStack() as stack:
        levels = [stack.enter_context(open_backup(storage, one, sealing)) for one in chain]
        scratch = stack.enter_context(scratch_folder())
        stored = [_stored(level) for level in levels]
        maps = stack.enter_context(KnownMaps([partial(open_backup, storage, one, sealing) for one in chain], scratch))
        extraction = stack.enter_context(Extraction(stored, scratch, maps))
        selected = None if selection is None else Selected(selection)
        extraction.take(_part([level.catalogue for level in levels], selected, narrowing))
        _refuse_nothing(chain[-1], selected)
        met = extraction.into(folder, beside, lambda content_bytes: progress.advance(done_bytes=content_bytes))
        _tell_selected(met, selected)
        return met


def compare(
    storage: Storage, chain: Sequence[StoredBackup], sealing: Sealing, selection: Selection | None, narrowing: Narrowing
) -> Extracted:
    """Compare the final state of a chain, or a part of it, with a folder; nothing is extracted.

    Raises DamagedArchive, StorageError, OSError, or ArchiveError if nothing is selected.
    """
    with ExitStack() as stack:
        levels = [stack.enter_context(open_backup(storage, one, sealing)) for one in chain]
        selected = None if selection is None else Selected(selection)
        for _planned in _part([level.catalogue for level in levels], selected, narrowing):
            pass
    _refuse_nothing(chain[-1], selected)
    met = Extracted()
    _tell_selected(met, selected)
    return met


def _part(catalogues: Sequence[Catalogue], selected: Selected | None, narrowing: Narrowing | None) -> Iterable[Planned]:
    plan: Iterable[Planned] = final_state(catalogues)
    if selected is not None:
        plan = selected.of(plan)
    if narrowing is None:
        return plan
    linked = {(one.level, one.member.link) for one in final_state(catalogues) if one.member.kind == HARD_LINK}
    return narrowing.of(plan, linked)


def _tell_selected(met: Extracted, selected: Selected | None) -> None:
    if selected is not None:
        met.selected, met.above = selected.count, frozenset(map(os.fsdecode, selected.above))
        met.warnings += [f"include {pattern} selects nothing in this backup." for pattern in selected.missing]


def _refuse_nothing(backup: StoredBackup, selected: Selected | None) -> None:
    if selected is not None and not selected.count:
        raise _nothing_selected(backup, selected)


def _stored(level: OpenBackup) -> StoredLevel:
    return StoredLevel(level.catalogue, level.data, level.blocks if level.manifest.segments("blocks") else None)


def no_part(why: str) -> ArchiveError:
    """The error for a backup of which no part can be restored."""
    return ArchiveError(
        f"This backup {why}, and can be restored as a whole only; leave out include, exclude, only_changed and delete, restore it "
        "into a new folder, and take from there what you need. Nothing was restored."
    )


def _nothing_selected(backup: StoredBackup, selected: Selected) -> ArchiveError:
    if not selected.missing:
        return ArchiveError(f"exclude leaves nothing of {backup.folder} to restore; nothing was restored.")
    return ArchiveError(
        f"include {', '.join(selected.missing)} selects nothing in {backup.folder}; list what is in it, and give a path or a "
        "pattern of that. Nothing was restored."
    )


def check_stored(storage: Storage, one: StoredBackup, progress: Progress) -> None:
    """Compare every stored byte of a level with its manifest. Raises DamagedArchive or StorageError."""
    if not isinstance(one.manifest, PublicManifest):
        check_side_objects(storage, one)
        check_segments(storage, one, progress)
        return
    with BackupObjects(storage, one.folder, one.manifest.objects) as objects:
        for entry in one.manifest.objects:
            stored = objects.object(entry.name)
            for begin in range(0, max(1, entry.bytes), _STEP_BYTES):
                end = min(entry.bytes, begin + _STEP_BYTES)
                stored.read(begin, end)
                progress.advance(done_bytes=end - begin)


def check_content(storage: Storage, chain: Sequence[StoredBackup], sealing: Sealing, progress: Progress) -> None:
    """Read all levels of a chain as a restore does, and compare the streams with their catalogues.

    Raises DamagedArchive or StorageError.
    """
    if is_first_version(chain):
        for one in chain:
            check_side_objects(storage, one)
            check_stream(storage, one, progress)
        return
    with ExitStack() as stack:
        levels = [stack.enter_context(open_backup(storage, one, sealing)) for one in chain]
        for level in levels:
            _check_level(level, progress)
        for _planned in final_state([level.catalogue for level in levels]):
            pass  # it refuses what could write elsewhere


def _check_level(level: OpenBackup, progress: Progress) -> None:
    """Compare the stream of a level with its catalogue, and read what the next level would need."""
    with scratch_folder() as scratch, CatalogueWriter(level.folder, scratch) as writer:
        members = MemberStream(level.folder, writer.add)
        with level.data.read() as blocks:
            for block in blocks:
                progress.advance(done_bytes=members.check(block))
        members.finish()
        made = writer.records()
        with level.plain("catalogue") as stored:
            expected = (
                encode(member._replace(map=b"") if member.map else member)
                for batch in read_records(stored, level.folder)
                for member in batch.members
                if member.kind != GONE
            )
            if not _are_equal(expected, made):
                raise DamagedArchive(f"The stream of {level.folder} is not what its catalogue says.")
    if writer.counts != level.details.counts:
        raise DamagedArchive(f"{level.folder} has other members than its details say.")
    with level.blocks.read() as blocks:
        for block in blocks:
            progress.advance(done_bytes=len(block))
    for stem in ("maps", "snar"):
        if level.manifest.side(stem) is not None:
            with level.plain(stem) as plain:
                while plain.read(LEAF_BYTES):
                    pass


def _are_equal(records: Iterable[bytes], blocks: Iterable[bytes]) -> bool:
    """Whether records, one after the other, are what some blocks are."""
    source = iter(records)
    rest = b""
    for block in blocks:
        parts, size = [rest], len(rest)
        while size < len(block):
            record = next(source, None)
            if record is None:
                return False
            parts.append(record)
            size += len(record)
        rest = b"".join(parts)
        if not rest.startswith(block):
            return False
        rest = rest[len(block) :]
    return not rest and next(source, None) is None
