# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The plain tar stream of a level that upstream's agent left: decrypted, then decompressed.

The agent ran ``tar -z`` (or ``-j``, ``-J``), and with a passphrase ``openssl enc -aes-256-cfb`` behind it. Only the checksums of
the compression say that the bytes are those that were written; an attacker can make them fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from ..progress import Progress
from ..repository.errors import ArchiveError, DamagedArchive
from ..repository.segments import READ_BYTES
from ..repository.upstream import UpstreamBackup
from ..sealing.openssl import HEAD_BYTES, fitting_derivation, open_stream
from ..sealing.passphrase import Passphrase
from ..storage.base import Storage
from ..storage.errors import ObjectMissing, OddObject, StorageError
from .decompressors import Undecodable, Unpacking

_SEALED = b"Salted__"
_BEGINNINGS = {"gzip": b"\x1f\x8b\x08", "bzip2": b"BZh", "xz": b"\xfd7zXZ\0"}
_LONGEST_BEGINNING = max(len(beginning) for beginning in _BEGINNINGS.values())
#: The most memory of a decompressor; ``xz -9`` needs 65 MiB.
_MOST_MEMORY = 256 << 20


class _Counted:
    """A stored object that is read; its storage's errors are StorageErrors, and progress is told of each byte."""

    def __init__(self, stored: BinaryIO, where: str, progress: Progress) -> None:
        self._stored, self._where, self._progress = stored, where, progress

    def read(self, size: int) -> bytes:
        try:
            found = self._stored.read(size)
        except OSError as problem:
            raise StorageError(f"Reading {self._where} failed: {problem.strerror or problem}.") from problem
        self._progress.advance(done_bytes=len(found))
        return found


@contextmanager
def upstream_stream(
    storage: Storage, backup: UpstreamBackup, passphrase: Passphrase | None, progress: Progress
) -> Iterator[Iterator[bytes]]:
    """The tar stream of one level in blocks. Progress is told of stored bytes.

    Raises DamagedArchive or StorageError, while it is read as well, and ArchiveError without a passphrase for a stream that
    is encrypted; the blocks before are then an incomplete archive.
    """
    where = f"{backup.data} of {storage.describe()}"
    try:
        stored = storage.open(backup.data)
    except (ObjectMissing, OddObject) as problem:
        raise DamagedArchive(str(problem)) from problem
    with stored:
        counted = _Counted(stored, where, progress)
        try:
            start = stored.read(HEAD_BYTES + _LONGEST_BEGINNING)
            stored.seek(0)
        except OSError as problem:
            raise StorageError(f"Reading {where} failed: {problem.strerror or problem}.") from problem
        sealed = start.startswith(_SEALED)
        told = backup.manifest
        if told.encrypted not in (None, sealed):
            says = "is encrypted" if told.encrypted else "is not encrypted"
            raise DamagedArchive(f"{where} {says} by its metadata, and its beginning is another one.")
        if sealed:
            pieces, compression = _opened(counted, start, passphrase, where)
        else:
            pieces, compression = iter(lambda: counted.read(READ_BYTES), b""), _compression_of(start)
        if compression is None or told.compression not in (None, compression):
            expected = told.compression or ", ".join(_BEGINNINGS)
            raise DamagedArchive(f"{where} is damaged: it does not begin as compressed data ({expected}) do.")
        yield _unpacked(pieces, compression, where)


def _compression_of(start: bytes) -> str | None:
    return next((name for name, beginning in _BEGINNINGS.items() if start.startswith(beginning)), None)


def _opened(
    counted: _Counted, start: bytes, passphrase: Passphrase | None, where: str
) -> tuple[Iterator[bytes], str | None]:
    """The decrypted pieces, and their compression. Raises ArchiveError, DamagedArchive."""
    if passphrase is None:
        raise ArchiveError(f"{where} is encrypted. Set encrypt_pass_file to the file with its passphrase.")
    if len(start) <= HEAD_BYTES:
        raise DamagedArchive(f"{where} ends after its first {len(start)} bytes.")
    found: list[str | None] = [None]

    def fits(plain: bytes) -> bool:
        found[0] = _compression_of(plain)
        return found[0] is not None

    derivation = fitting_derivation(start, passphrase, fits, where)
    if derivation is None:
        raise DamagedArchive(
            f"{where} cannot be decrypted: the passphrase in encrypt_pass_file is another one, or its beginning is damaged."
        )
    return open_stream(counted, passphrase, derivation, where), found[0]


def _unpacked(pieces: Iterator[bytes], compression: str, where: str) -> Iterator[bytes]:
    """The decompressed blocks. Raises DamagedArchive, and ArchiveError where Python lacks the compression."""
    try:
        yield from Unpacking(compression, _MOST_MEMORY).blocks(pieces)
    except Undecodable as problem:
        raise DamagedArchive(f"{where} is damaged: it does not decompress ({problem}).") from problem
