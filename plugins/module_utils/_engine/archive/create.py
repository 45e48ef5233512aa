# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Create an archive of a tree: tar reads it, the codec compresses it, segments are stored, the manifest last."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Callable

from ..progress import Progress
from ..repository.backup_set import StoredBackup
from ..repository.details import MOST_DETAILS_BYTES, Details
from ..repository.errors import ArchiveError, DamagedArchive
from ..repository.manifest import MOST_MANIFEST_BYTES, Parent, digest, folder_name
from ..repository.public_manifest import PACKED_SUFFIXES, PublicManifest, parse_public
from ..repository.segments import READ_BYTES, FanOut
from ..repository.shape import MOST_VALUES, value_count
from ..repository.stored_set import MANIFEST_NAME, NAMES_OF_A_BACKUP, SIGNATURE_NAME
from ..storage.base import Storage
from ..storage.errors import StorageError
from ..system import file_names
from ..system.scratch import scratch_folder
from ..system.undo import on_failure
from . import tar
from .block_maps import BLOCK_BYTES
from .catalogue_writer import CatalogueWriter
from .census import Census
from .codec import Codec
from .errors import UnsafeArchive
from .frame_writer import NewObjects
from .frames import FRAME_BYTES, pack_frames
from .gone import Gone, ParentNames, sockets
from .known_maps import KnownMaps
from .leave_out import and_also, wider
from .links import BrokenLinks
from .member_stream import FoundMember
from .open_backup import OpenBackup, open_backup
from .plan import final_state
from .sealed import Sealing
from .snar import CLOCK_TICK_NANOSECONDS, CannotContinue, Unpacked, set_moment, settle
from .store_tree import Reading, See, Tree, store_tree

#: The attempts for a level 0 in which paths are replaced that are not another user's.
_TRIES = 4


@dataclass(frozen=True)
class ArchivePlan:
    """The decisions before the first byte is read."""

    source: tar.Source
    path: str
    hostname: str
    backup_name: str
    backup_id: str
    timestamp: int
    level: int
    #: The chain that it continues, the lowest level first, as each storage has it; empty for level 0.
    chain: Sequence[StoredBackup]
    #: One that has it.
    storage: Storage
    set_folder: str
    codec: Codec
    segment_bytes: int
    #: The size from which on blocks of files are kept, in bytes.
    least_block_file: int
    consistency: str
    sealing: Sealing
    #: Returns what says who wrote it, for the bytes of the manifest; None for a backup that is not signed.
    sign: Callable[[bytes], bytes] | None = None
    #: The point in time of the source, in nanoseconds since 1970; None for a live source.
    moment_ns: int | None = None
    #: Called after the source was read. Raises if the snapshot was incomplete; returns fields of the manifest.
    confirm: Callable[[], dict[str, Any]] | None = None
    #: Paths below the path that are not in the source, as ``warnings`` of the manifest.
    left_out: Sequence[dict[str, str]] = ()
    #: Names (``./...``) that are left out because they were replaced in earlier attempts.
    given_up: Sequence[str] = ()
    #: Finds broken symbolic links meanwhile.
    links: BrokenLinks | None = None

    def reading(self) -> Reading:
        """What of this concerns the reading of the source."""
        return Reading(
            self.source, self.folder, self.level, self.codec, self.segment_bytes, self.least_block_file, self.links
        )

    @property
    def parent(self) -> StoredBackup | None:
        """The backup that it continues."""
        return self.chain[-1] if self.chain else None

    @property
    def folder(self) -> str:
        """The folder of the new backup, below its container."""
        return f"{self.set_folder}/{folder_name(self.timestamp, self.level)}"


class Replaced(CannotContinue):
    """A path changed while it was read, so that a restore would refuse the archive; `path` is as tar has it."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{file_names.shown(path)} was moved, replaced or changed while it was read, or can be reached in two ways"
        )
        self.path = path


@dataclass(frozen=True)
class _Above:
    """What the new backup needs of the one that it continues: when that began, in nanoseconds since 1970, and what it missed."""

    began: int = 0
    unread: Sequence[bytes] = ()


def _continue(plan: ArchivePlan, path: str, names: ParentNames) -> _Above:
    """Write the parent's snapshot file, settled, to a path. Raises CannotContinue or StorageError."""
    if plan.parent is None:
        return _Above()
    with _opened(plan, plan.parent) as above:
        # Files that vanished during the last level may come back with old times, as unreadable files may.
        details = above.details
        missed = [*details.unreadable, *(entry for entry in details.warnings if entry["kind"] == "vanished")]
        unread = [name for entry in missed for name in file_names.names_behind(entry["path"])]

        try:
            with above.plain("snar") as plain, open(path, "wb") as snar:
                bounded = Unpacked(plain, above.stored_bytes("snar"))
                began = settle(bounded, snar, plan.source.folder, unread, names.add)
        except (OSError, DamagedArchive) as problem:
            raise CannotContinue(f"the snapshot file of the last level cannot be read: {problem}") from problem
        return _Above(began, unread)


def _opened(plan: ArchivePlan, backup: StoredBackup) -> OpenBackup:
    """A lower level of the chain. It is sealed as the new one is: another one is not continued."""
    return open_backup(plan.storage, backup, plan.sealing)


def _snar_blocks(plan: ArchivePlan, path: str) -> Iterator[bytes]:
    if plan.moment_ns is not None:
        with open(path, "rb") as written, open(f"{path}.dated", "wb") as dated:
            set_moment(written, dated, plan.moment_ns)
        path = f"{path}.dated"
    with open(path, "rb") as snar:
        yield from iter(lambda: snar.read(READ_BYTES), b"")


def _check_continues(plan: ArchivePlan, parent_began: int, messages: tar.TarMessages) -> None:
    """Raise CannotContinue if the new increment would not restore the present state."""
    if plan.parent is None:
        return
    if messages.moved:
        raise CannotContinue(f"the folder {messages.moved[0]} was moved or can be reached in two ways")
    for name in messages.missing_links:
        try:
            changed = os.lstat(os.path.join(plan.source.folder, name)).st_ctime_ns
        except OSError:
            continue
        # With a newer ctime all of its links below the source were archived.
        if changed < parent_began - CLOCK_TICK_NANOSECONDS:
            raise CannotContinue(
                f"the hard links of {file_names.shown(name)}, which was moved with its folder, would be lost"
            )


def _without_what_is_left_out(plan: ArchivePlan, work: str) -> ArchivePlan:
    below = tar.below(plan.source.folder, work)
    more = [*plan.given_up, *([] if below is None else [below])]
    return replace(plan, source=replace(plan.source, own_output=[*plan.source.own_output, *more])) if more else plan


def _host() -> dict[str, str]:
    return {"system": platform.system(), "release": platform.release(), "python": platform.python_version()}


@contextmanager
def _told_of_unsafe(plan: ArchivePlan) -> Iterator[None]:
    """Turn UnsafeArchive into Replaced if a path was replaced meanwhile, else into ArchiveError."""
    try:
        yield
    except UnsafeArchive as problem:
        if problem.path is not None:
            raise Replaced(problem.path) from problem
        raise ArchiveError(f"tar wrote an archive of {plan.path} that a restore would refuse: {problem}") from problem


def create_archive(plan: ArchivePlan, fan_out: FanOut, progress: Progress) -> tuple[StoredBackup, Census]:
    """Write one backup to all working storages of the fan-out, manifest last; also return the census.

    Raises ArchiveError or StorageError if no storage has the backup; written objects were removed then, as far as the
    storage still answers. Raises CannotContinue if a level 0 is needed.

    If a path was replaced while a level 0 was read, it is read again, and later without that path, or without the folder in
    which another user replaces it. This is repeated while paths of other users can be left out, so that no user can prevent
    the backup. For paths that no other user can change, the number of attempts is limited.
    """
    replaced: list[str] = []
    given_up: list[str] = []
    own = 0
    while len(replaced) < NAMES_OF_A_BACKUP and own < _TRIES:
        try:
            with scratch_folder() as work:
                return _create_with(work, replace(plan, given_up=given_up), fan_out, progress)
        except Replaced as problem:
            if plan.parent is not None:
                raise
            replaced.append(problem.path)
        own += len(wider(plan.source.folder, replaced[-1])) == 1
        if len(replaced) > 1:
            before = given_up
            for path in replaced if len(replaced) == 2 else replaced[-1:]:
                given_up = and_also(given_up, wider(plan.source.folder, path))
            if given_up == before:
                break  # it was left out, and is still in the way
        # A new timestamp: a storage may still show removed objects of the last attempt.
        plan = replace(plan, timestamp=plan.timestamp + 1)
    raise ArchiveError(
        f"There is no backup of {plan.path}: in each of {len(replaced)} attempts a path was replaced while it was "
        f"read, in the last one {file_names.shown(replaced[-1])}. Leave it out (exclude), or read a snapshot (snapshot)."
    )


def _create_with(work: str, plan: ArchivePlan, fan_out: FanOut, progress: Progress) -> tuple[StoredBackup, Census]:
    started = time.time()
    tar_version = tar.version()
    with (
        _without_remains(plan.folder, fan_out),
        CatalogueWriter(plan.folder, work) as catalogue,
        ParentNames(work) as names,
        ExitStack() as stack,
    ):
        plan = _without_what_is_left_out(plan, work)
        snar = os.path.join(work, "snar")
        above = _continue(plan, snar, names)
        names.done()
        census = Census(plan.source, names)

        def report(name: bytes, was_folder: bool) -> None:
            catalogue.gone(name)
            census.gone(name, was_folder)

        gone = Gone(plan.folder, names, report, above.unread)
        new = NewObjects(fan_out, plan.folder, plan.sealing, work)
        maps = stack.enter_context(tempfile.TemporaryFile(dir=work))
        known = stack.enter_context(KnownMaps([partial(_opened, plan, one) for one in plan.chain], work))
        see = _seen_by(plan, catalogue, census, gone)
        with _told_of_unsafe(plan):
            tree = store_tree(plan.reading(), new, snar, see, known, maps, progress)
        messages = tree.messages
        more = plan.confirm() if plan.confirm is not None else {}
        _check_tree(plan, tree, catalogue)
        _check_continues(plan, above.began, messages)
        messages.warnings += [{"path": "", "kind": "tar", "message": line} for line in messages.unknown]
        messages.warnings += plan.left_out
        messages.unreadable += [
            {"path": file_names.shown(path), "message": "Left out: replaced while it was read, in every attempt"}
            for path in plan.given_up
        ]
        for name in sockets(messages.warnings, plan.source.folder):
            catalogue.gone(name)
        if gone.unknown:
            _complete(plan, gone)
        suffix = PACKED_SUFFIXES[plan.codec.name]
        with _told_of_unsafe(plan):
            new.store(f"catalogue{suffix}", map(plan.codec.frame, catalogue.records()))
        if tree.any_maps:
            maps.seek(0)
            new.store(f"maps{suffix}", map(plan.codec.frame, iter(lambda: maps.read(READ_BYTES), b"")))
        new.store(f"snar{suffix}", map(plan.codec.frame, _snar_blocks(plan, snar)))
        new.store("frames", [pack_frames([*tree.frames, *tree.block_frames])])
        details = _details(plan, tree, tar_version, catalogue, more)
        new.store("details.json", [_bounded(details.to_bytes(), MOST_DETAILS_BYTES, "exclude unreadable paths")])
        new.store_leaves()
        return _commit(plan, new, details, started), census


def _seen_by(plan: ArchivePlan, catalogue: CatalogueWriter, census: Census, gone: Gone) -> See:
    """What is done with every member of the stream."""
    links = plan.links

    def see(found: FoundMember, map_begin: int | None) -> None:
        catalogue.add(found, map_begin)
        if found.kind == b"d":
            census.see(found)
            if plan.parent is not None:
                gone.see(found)
        elif found.kind == b"l" and links is not None:
            links.see(os.fsdecode(found.name))

    return see


def _check_tree(plan: ArchivePlan, tree: Tree, catalogue: CatalogueWriter) -> None:
    """Raise ArchiveError if tar failed, or stored nothing."""
    if tree.status not in (0, 1):
        said = "; ".join(tree.messages.unknown[:3]) or f"status {tree.status}"
        raise ArchiveError(f"tar could not archive {plan.path}: {said}.")
    if any(catalogue.counts.values()) or (plan.parent is not None and plan.source.single_file is not None):
        return
    # An increment of a folder always has the folder; only that of an unchanged single file is empty.
    why = "exclude leaves out all of it" if plan.source.exclude else "it does not exist any more, or could not be read"
    raise ArchiveError(f"Nothing of {file_names.shown(plan.path)} was stored, so there is no backup: {why}.")


def _complete(plan: ArchivePlan, gone: Gone) -> None:
    """Find out what is gone of folders that the parent could not read: what was in them is in the levels below it."""
    with ExitStack() as stack:
        chain = [stack.enter_context(_opened(plan, one)).catalogue for one in plan.chain]
        gone.complete(one.member for one in final_state(chain))


def _details(
    plan: ArchivePlan, tree: Tree, tar_version: str, catalogue: CatalogueWriter, more: dict[str, Any]
) -> Details:
    single = plan.source.single_file
    return Details(
        backup_id=plan.backup_id,
        path=file_names.shown(plan.path),
        real_path=file_names.shown(os.path.realpath(plan.path)),
        single_file=None if single is None else file_names.shown(single),
        selection=plan.source.selection(),
        codec=plan.codec.name,
        codec_level=plan.codec.level,
        stream_bytes=tree.stream_bytes,
        block_stream_bytes=tree.block_stream_bytes,
        frame_bytes=FRAME_BYTES,
        block_bytes=BLOCK_BYTES,
        block_hash="sha256",
        source_bytes=catalogue.content_bytes,
        counts=catalogue.counts,
        tar={"version": tar_version, "exit_status": tree.status},
        host=_host(),
        consistency=plan.consistency,
        unreadable=tree.messages.unreadable,
        warnings=tree.messages.warnings,
        **more,
    )


def _bounded(stored: bytes, most: int, remedy: str) -> bytes:
    if len(stored) > most:
        raise ArchiveError(
            f"A part of the backup would have {len(stored)} bytes, more than the maximum of {most}: {remedy}."
        )
    if value_count(stored) > MOST_VALUES:
        raise ArchiveError(f"A part of the backup would have more than the maximum of {MOST_VALUES} values: {remedy}.")
    return stored


def _commit(plan: ArchivePlan, new: NewObjects, details: Details, started: float) -> StoredBackup:
    """Write the manifest: from then on the backup exists."""
    parent = None
    if plan.parent is not None:
        above = plan.parent.manifest
        parent = Parent(above.folder, above.backup_id, plan.parent.manifest_sha256)
    manifest = PublicManifest(
        backup_id=plan.backup_id,
        hostname=plan.hostname,
        backup_name=plan.backup_name,
        timestamp=plan.timestamp,
        level=plan.level,
        parent=parent,
        outcome="partial" if details.unreadable else "success",
        time_started=round(started, 3),
        time_ended=round(time.time(), 3),
        sealing=plan.sealing.describe(),
        objects=tuple(new.objects),
    )
    stored = _bounded(manifest.to_bytes(), MOST_MANIFEST_BYTES, "choose a larger max_segment_size")
    parse_public(stored, "The new manifest")  # refuses a manifest that readers would refuse
    if plan.sign is not None:
        signature = plan.sign(stored)
        new.fan_out.each(lambda storage: storage.put(f"{plan.folder}/{SIGNATURE_NAME}", signature))
    new.fan_out.each(lambda storage: storage.put(f"{plan.folder}/{MANIFEST_NAME}", stored))
    return StoredBackup(manifest, plan.folder, digest(stored), details)


@contextmanager
def _without_remains(folder: str, fan_out: FanOut) -> Iterator[None]:
    """Remove the objects of a backup from a storage that fails, and from all storages if the backup fails."""
    ours = fan_out.working()

    def remove(storages: Sequence[Storage]) -> None:
        for storage in storages:
            try:
                storage.delete_folder(folder)
            except StorageError:
                pass  # the error that led here is reported; prune finds the leftovers

    try:
        with on_failure(lambda: remove(fan_out.working())):
            yield
    finally:
        remove([storage for storage in ours if storage in fan_out.failures])
