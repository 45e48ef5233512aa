# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Read backups: replay a level into a folder with GNU tar, or read it and count its members."""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO

from ..progress import Progress
from ..repository.backup_set import StoredBackup
from ..repository.errors import ArchiveError, DamagedArchive
from ..repository.segments import READ_BYTES, open_verified
from ..storage.base import Storage
from ..system import process
from ..system.removal import folders_below, make_writable
from . import mend, tar
from .gate import Gate
from .plain_stream import plain_stream
from .tree_comparison import attributes

#: How tar says that nothing more can be written.
_NO_ROOM = ("No space left on device", "Disk quota exceeded")
_SHORT, _LEAST_ROOM = "Wrote only ", 1 << 20


@dataclass
class Extracted:
    """Problems of a replay: attributes or nodes that this host or user cannot set, and other messages of tar.

    `unreadable` is what was not stored, where only the replay shows it: ``path`` and ``message``.
    """

    not_restored: list[dict[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unreadable: list[dict[str, str]] = field(default_factory=list)
    #: How many paths were selected, where not all are.
    selected: int | None = None
    #: The folders above them (relative names) that were not selected themselves.
    above: frozenset[str] = frozenset()


class _LineCounter(threading.Thread):
    """Counts the members that tar prints, so that its output never blocks it."""

    def __init__(self, pipe: IO[bytes]) -> None:
        super().__init__(name="members", daemon=True)
        self.lines = 0
        self._pipe = pipe
        self.start()

    def run(self) -> None:
        try:
            for block in iter(lambda: self._pipe.read(READ_BYTES), b""):
                self.lines += block.count(b"\n")
        except ValueError:
            pass  # the work was abandoned, and the pipe closed


def _feed(reader: process.Program, storage: Storage, backup: StoredBackup, progress: Progress) -> None:
    """Write one level to the standard input of tar. A tar that ends early is not an error here.

    Raises UnsafeArchive before tar gets a member that it must not extract.

    tar ignores everything after the end of the archive. The level is still read to its end, because only that shows that its
    size is right.
    """
    sink = reader.stdin
    gate = Gate(backup.folder, increment=backup.manifest.level > 0)
    # Otherwise the stream itself is limited.
    most_bytes = backup.first.source_bytes if backup.first.stream_bytes is None else sys.maxsize
    with plain_stream(storage, backup) as blocks:
        try:
            for block in blocks:
                content_bytes = gate.check(block)
                sink.write(block)
                progress.advance(done_bytes=content_bytes)
                if gate.content_bytes > most_bytes:
                    raise DamagedArchive(f"{backup.folder} has more than the expected {most_bytes} bytes.")
            sink.close()
            gate.finish()
        except BrokenPipeError:
            if reader.wait() == 0:
                gate.finish()
                for block in blocks:
                    gate.check(block)


def replay(storage: Storage, backup: StoredBackup, folder: str, progress: Progress) -> Extracted:
    """Add one level to a folder with the levels below it, deletions and renames included.

    Raises DamagedArchive, StorageError, or ArchiveError if tar failed; the folder is then useless.
    """
    tar.require()
    argv = tar.extract_argv(folder, increment=backup.manifest.level > 0)
    with tar.start(argv, stdin=process.PIPE, stdout=process.DISCARD) as reader:
        errors = tar.TarErrors(reader.stderr)
        _feed(reader, storage, backup, progress)
        status = reader.wait()
        errors.join()
    return outcome(backup.folder, folder, status, errors.messages, lambda _names: plain_stream(storage, backup))


def outcome(where: str, folder: str, status: int | None, messages: tar.TarMessages, again: mend.Again) -> Extracted:
    """What is to be told of a tar that has extracted a level into a folder and ended with this status.

    For a user who is not root the files that tar could not finish are finished. Raises ArchiveError if tar failed, OSError if
    there was no room, and what `again` raises.
    """
    not_restored, empty = messages.not_restored, []
    if os.geteuid() != 0:
        empty = mend.left_empty(folder, messages) if status != 0 else []
        closed = empty + mend.without_attributes(folder, not_restored)
        if empty:
            messages = mend.write_again(again, folder, empty)
        if closed:
            not_restored = mend.others(not_restored, closed)
            not_restored += mend.set_attributes(again, folder, closed)
    full = status != 0 and _said_of_room(messages, folder)
    if full:
        # What else it says comes of that.
        raise OSError(errno.ENOSPC, full, folder)
    unexplained = messages.unknown + [f"{entry['path']}: {entry['message']}" for entry in messages.unreadable]
    if status != 0 and (unexplained or not (messages.not_restored or empty)):
        said = "; ".join(unexplained[:3]) or f"status {status}"
        raise ArchiveError(f"tar could not restore {where}: {said}.")
    return Extracted(not_restored, unexplained)


def _said_of_room(messages: tar.TarMessages, folder: str) -> str | None:
    """What tar says, as the system does, if there was no room in a folder."""
    errors = [*messages.unknown, *(entry["message"] for entry in (*messages.unreadable, *messages.not_restored))]
    for text in errors:
        if text.endswith(_NO_ROOM):
            return text.rpartition(": ")[2]
    # Of a file that has room for a part of a block it tells no reason.
    found = os.statvfs(folder)
    is_full = found.f_bavail * found.f_frsize < _LEAST_ROOM
    return _NO_ROOM[0] if is_full and any(_SHORT in text for text in errors) else None


def _make_ready(folder: str) -> None:
    """Make a replayed level ready for the next one, which has all folders again with their modes and attributes."""
    if os.geteuid() != 0:
        os.chmod(folder, 0o700)
        make_writable(folder)
    for path in (os.fsencode(folder), *folders_below(folder)):
        # tar adds extended attributes and ACLs to an existing folder, and never removes any.
        for name in attributes(path):
            try:
                os.removexattr(path, name)
            except OSError:
                pass  # a label that the mount gives to every file cannot be removed


def replay_chain(storage: Storage, chain: Sequence[StoredBackup], folder: str, progress: Progress) -> Extracted:
    """Replay all levels of a chain, lowest first, into an empty folder."""
    met = Extracted()
    for backup in chain:
        _make_ready(folder)
        one = replay(storage, backup, folder, progress)
        met.not_restored += one.not_restored
        met.warnings += one.warnings
    return met


def check_stream(storage: Storage, backup: StoredBackup, progress: Progress) -> int:
    """Verify, decompress and let tar read one level without writing anything; returns the number of members.

    Raises DamagedArchive if anything differs from the manifest.
    """
    tar.require()
    with tar.start(tar.list_argv(), stdin=process.PIPE, stdout=process.PIPE) as reader:
        errors = tar.TarErrors(reader.stderr)
        counter = _LineCounter(reader.stdout)
        _feed(reader, storage, backup, progress)
        status = reader.wait()
        counter.join()
        errors.join()
    if status != 0:
        said = "; ".join(errors.messages.unknown[:3]) or f"status {status}"
        raise DamagedArchive(f"tar cannot read {backup.folder}: {said}.")
    expected = sum(backup.first.counts.values())
    if counter.lines != expected:
        raise DamagedArchive(f"{backup.folder} has {counter.lines} members; {expected} were expected.")
    return counter.lines


def check_segments(storage: Storage, backup: StoredBackup, progress: Progress) -> None:
    """Compare size and SHA-256 of every segment with the manifest. Raises DamagedArchive or StorageError."""
    for segment in backup.first.segments:
        open_verified(storage, backup.folder, segment).close()
        progress.advance(done_bytes=segment.bytes)


def check_side_objects(storage: Storage, backup: StoredBackup) -> None:
    """Compare catalogue and snar with the manifest. Raises DamagedArchive or StorageError."""
    for wanted in (backup.first.catalogue, backup.first.snar):
        open_verified(storage, backup.folder, wanted).close()
