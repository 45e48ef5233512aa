# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Create an archive of a tree: tar reads it, the codec compresses it, segments are stored, the manifest last."""

from __future__ import annotations

import fcntl
import gzip
import os
import platform
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from io import BufferedReader
from typing import IO, Any, BinaryIO, Callable, cast

from ..progress import Progress
from ..repository.backup_set import StoredBackup
from ..repository.errors import ArchiveError
from ..repository.manifest import (
    MOST_MANIFEST_BYTES,
    Manifest,
    Parent,
    StoredObject,
    digest,
    folder_name,
    parse_manifest,
)
from ..repository.segments import READ_BYTES, FannedObject, FanOut, SegmentWriter, open_verified
from ..repository.stored_set import MANIFEST_NAME, NAMES_OF_A_BACKUP
from ..storage.base import Storage
from ..storage.errors import StorageError
from ..system import file_names, process
from ..system.scratch import scratch_folder
from ..system.undo import on_failure
from . import tar
from .catalogue import CatalogueTap, Tally
from .census import Census
from .codec import Codec, Gzip
from .compress import Feeder, Readable, compress_stream
from .errors import UnsafeArchive
from .gate import Gate
from .leave_out import and_also, wider
from .links import BrokenLinks
from .snar import CLOCK_TICK_NANOSECONDS, CannotContinue, Unpacked, folders, set_moment, settle

_F_SETPIPE_SZ = 1031  # linux/fcntl.h; the name is in Python's fcntl from 3.10 on
_PIPE_BYTES = 1 << 20
#: For catalogue and snapshot file: a third of the time of gzip's default level, for a tenth more bytes.
_SIDE_LEVEL = 1
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
    #: The parent as each storage has it: the same backup everywhere, or None for level 0.
    parent: StoredBackup | None
    parent_storage: Storage | None
    set_folder: str
    codec: Codec
    segment_bytes: int
    consistency: str
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


class _Checked:
    """The output of tar, with the check that a restore makes as well."""

    def __init__(self, pipe: IO[bytes], gate: Gate, progress: Progress) -> None:
        self._pipe, self._gate, self._progress = pipe, gate, progress

    def read(self, size: int) -> bytes:
        """The next bytes, `size` of them except at the end. Raises UnsafeArchive."""
        block = self._pipe.read(size)
        self._progress.advance(done_bytes=self._gate.check(block))
        return block


def _start_tar(plan: ArchivePlan, snar: str) -> tuple[process.Program, BufferedReader]:
    """Start tar; returns it and the pipe with its list of members."""
    index_read, index_write = os.pipe()
    with on_failure(lambda: os.close(index_read)):
        try:
            argv = tar.create_argv(plan.source, snar, index_write, increment=plan.parent is not None)
            private = [] if plan.source.private is None else [plan.source.private]
            program = tar.start(argv, pass_fds=[index_write, *private])
        finally:
            os.close(index_write)
    return program, os.fdopen(index_read, "rb")


def _widen(pipe: IO[bytes]) -> None:
    try:
        fcntl.fcntl(pipe.fileno(), _F_SETPIPE_SZ, _PIPE_BYTES)
    except OSError:
        pass  # the user's pipe quota is used up: only slower


def _fetch_snar(plan: ArchivePlan, path: str, census: Census) -> int:
    """Write the parent's snapshot file, settled, to a path; returns the start time of the parent in nanoseconds."""
    if plan.parent is None or plan.parent_storage is None:
        return 0
    above = plan.parent.manifest
    # Files that vanished during the last level may come back with old times, as unreadable files may.
    missed = [*above.unreadable, *(entry for entry in above.warnings if entry["kind"] == "vanished")]
    unread = [name for entry in missed for name in file_names.names_behind(entry["path"])]
    with open_verified(plan.parent_storage, plan.parent.folder, plan.parent.manifest.snar) as stored:
        try:
            with gzip.GzipFile(fileobj=stored) as plain, open(path, "wb") as snar:
                bounded = Unpacked(cast(BinaryIO, plain), plan.parent.manifest.snar.bytes)
                return settle(bounded, snar, plan.source.folder, unread, census.before.add)
        except (OSError, EOFError, zlib.error) as problem:
            raise CannotContinue(f"the snapshot file of the last level cannot be read: {problem}") from problem


def _store_snar(plan: ArchivePlan, fan_out: FanOut, path: str) -> StoredObject:
    if plan.moment_ns is not None:
        with open(path, "rb") as written, open(f"{path}.dated", "wb") as dated:
            set_moment(written, dated, plan.moment_ns)
        path = f"{path}.dated"
    packed = Gzip(_SIDE_LEVEL)
    with FannedObject(fan_out, plan.folder, "snar.gz") as target, open(path, "rb") as snar:
        for block in iter(lambda: snar.read(READ_BYTES), b""):
            target.write(packed.frame(block))
        return target.commit()


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


@dataclass(frozen=True)
class _Stored:
    """The objects of a backup before its manifest, and the messages and counts of tar."""

    segments: list[StoredObject]
    catalogue: StoredObject
    stream_bytes: int
    tally: Tally
    messages: tar.TarMessages
    status: int


def _join(threads: Sequence[threading.Thread]) -> None:
    for one in threads:
        one.join()


@contextmanager
def _told_of_unsafe(plan: ArchivePlan) -> Iterator[None]:
    """Turn UnsafeArchive into Replaced if a path was replaced meanwhile, else into ArchiveError."""
    try:
        yield
    except UnsafeArchive as problem:
        if problem.path is not None:
            raise Replaced(problem.path) from problem
        raise ArchiveError(f"tar wrote an archive of {plan.path} that a restore would refuse: {problem}") from problem


def _store_tree(plan: ArchivePlan, fan_out: FanOut, snar: str, progress: Progress) -> _Stored:
    """Run tar, and store its output as segments and catalogue, committed."""
    packed = Gzip(_SIDE_LEVEL)
    with ExitStack() as stack:
        stack.enter_context(_told_of_unsafe(plan))
        catalogue = stack.enter_context(FannedObject(fan_out, plan.folder, "catalogue.gz"))
        segments = stack.enter_context(SegmentWriter(fan_out, plan.folder, "data", plan.segment_bytes))
        # The threads write to both, and end after the programs on their pipes.
        threads: list[threading.Thread] = []
        stack.callback(_join, threads)
        if plan.links is not None:
            plan.links.begin(plan.source.folder)
        archiver, index = _start_tar(plan, snar)
        stack.enter_context(archiver)
        _widen(index)
        errors = tar.TarErrors(archiver.stderr, without_links=plan.source.private is not None)
        tap = CatalogueTap(
            index,
            lambda batch: catalogue.write(packed.frame(batch)),
            lambda count: progress.advance(done_files=count),
            plan.links.see if plan.links is not None else None,
        )
        tap.start()
        threads.append(tap)
        pipe = archiver.stdout
        _widen(pipe)
        # The same check as in a restore: an archive that it would refuse is not stored.
        stream: Readable = _Checked(pipe, Gate(plan.folder, increment=plan.parent is not None), progress)
        if plan.codec.filter_argv is not None:
            squeezer = process.Program(plan.codec.filter_argv, stdin=process.PIPE, stdout=process.PIPE)
            stack.enter_context(squeezer)
            feeder = Feeder(stream, squeezer.stdin)
            threads.append(feeder)
            read = compress_stream(squeezer.stdout, plan.codec, segments.write)
            feeder.join()
            if feeder.failure is not None:
                raise feeder.failure
            if squeezer.wait() != 0:
                raise ArchiveError(f"The program {plan.codec.name} could not compress {plan.path}: {squeezer.said()}.")
        else:
            read = compress_stream(stream, plan.codec, segments.write)
        tap.join()
        errors.join()
        status = archiver.wait() or 0
        if tap.failure is not None:
            raise tap.failure
        return _Stored(segments.finish(), catalogue.commit(), read, tap.tally, errors.messages, status)


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
    with _without_remains(plan.folder, fan_out):
        plan = _without_what_is_left_out(plan, work)
        snar = os.path.join(work, "snar")
        census = Census(plan.source)
        parent_began = _fetch_snar(plan, snar, census)
        tree = _store_tree(plan, fan_out, snar, progress)
        messages = tree.messages
        more = plan.confirm() if plan.confirm is not None else {}
        if tree.status not in (0, 1):
            said = "; ".join(messages.unknown[:3]) or f"status {tree.status}"
            raise ArchiveError(f"tar could not archive {plan.path}: {said}.")
        if not any(tree.tally.counts.values()) and not (
            plan.parent is not None and plan.source.single_file is not None
        ):
            # An increment of a folder always has the folder; only that of an unchanged single file is empty.
            why = (
                "all of it is left out with exclude"
                if plan.source.exclude
                else "it does not exist any more, or could not be read"
            )
            raise ArchiveError(f"Nothing of {file_names.shown(plan.path)} was stored, so there is no backup: {why}.")
        _check_continues(plan, parent_began, messages)
        with open(snar, "rb") as written:
            for folder in folders(written):
                census.now.add(folder)
        messages.warnings += [{"path": "", "kind": "tar", "message": line} for line in messages.unknown]
        messages.warnings += plan.left_out
        messages.unreadable += [
            {"path": file_names.shown(path), "message": "Left out: replaced while it was read, in every attempt"}
            for path in plan.given_up
        ]
        parent = None
        if plan.parent is not None:
            above = plan.parent.manifest
            parent = Parent(above.folder, above.backup_id, plan.parent.manifest_sha256)
        manifest = Manifest(
            backup_id=plan.backup_id,
            hostname=plan.hostname,
            backup_name=plan.backup_name,
            timestamp=plan.timestamp,
            level=plan.level,
            parent=parent,
            path=file_names.shown(plan.path),
            real_path=file_names.shown(os.path.realpath(plan.path)),
            single_file=None if plan.source.single_file is None else file_names.shown(plan.source.single_file),
            selection=plan.source.selection(),
            codec=plan.codec.name,
            codec_level=plan.codec.level,
            segments=tree.segments,
            catalogue=tree.catalogue,
            snar=_store_snar(plan, fan_out, snar),
            # With a program as codec the plain stream does not pass through this process.
            stream_bytes=None if plan.codec.filter_argv else tree.stream_bytes,
            source_bytes=tree.tally.content_bytes,
            counts=tree.tally.counts,
            tar={"version": tar_version, "exit_status": tree.status},
            host=_host(),
            outcome="partial" if messages.unreadable else "success",
            consistency=plan.consistency,
            time_started=round(started, 3),
            time_ended=round(time.time(), 3),
            unreadable=messages.unreadable,
            warnings=messages.warnings,
            **more,
        )
        stored = manifest.to_bytes()
        if len(stored) > MOST_MANIFEST_BYTES:
            raise ArchiveError(
                f"The manifest would have {len(stored)} bytes, more than the maximum of {MOST_MANIFEST_BYTES}: choose a larger "
                "max_segment_size, or exclude unreadable paths."
            )
        parse_manifest(stored, "The new manifest")  # refuses a manifest that readers would refuse
        fan_out.each(lambda storage: storage.put(f"{plan.folder}/{MANIFEST_NAME}", stored))
        return StoredBackup(manifest, plan.folder, digest(stored)), census


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
