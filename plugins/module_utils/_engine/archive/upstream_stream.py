# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The plain tar stream of a level that upstream's agent left: decrypted, then decompressed.

The agent ran ``tar -z`` (or ``-j``, ``-J``), and with a passphrase ``openssl enc -aes-256-cfb`` behind it. Only the checksums of
the compression say that the bytes are those that were written; an attacker can make them fit.
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from ..progress import Progress
from ..repository.errors import ArchiveError, DamagedArchive
from ..repository.segments import READ_BYTES
from ..repository.upstream import UpstreamBackup
from ..sealing.openssl import HEAD_BYTES, fitting_derivation, open_stream
from ..sealing.passphrase import Passphrase
from ..storage.base import Storage
from ..storage.errors import ObjectMissing, OddObject, StorageError

_SEALED = b"Salted__"
_BEGINNINGS = {"gzip": b"\x1f\x8b\x08", "bzip2": b"BZh", "xz": b"\xfd7zXZ\0"}
_LONGEST_BEGINNING = max(len(beginning) for beginning in _BEGINNINGS.values())
_GZIP_WRAPPER = 16 + zlib.MAX_WBITS
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


class _Unzip:
    """gzip with the interface of the other decompressors."""

    def __init__(self) -> None:
        self._one = zlib.decompressobj(_GZIP_WRAPPER)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._one.decompress(self._one.unconsumed_tail + data, max_length)

    @property
    def eof(self) -> bool:
        return self._one.eof

    @property
    def unused_data(self) -> bytes:
        return self._one.unused_data


def _decompressor(compression: str) -> tuple[Any, tuple[type[Exception], ...]]:
    """What makes a decompressor, and its errors. Raises ArchiveError where Python lacks it."""
    if compression == "gzip":
        return _Unzip, (zlib.error,)
    name = {"bzip2": "bz2", "xz": "lzma"}[compression]
    try:
        module = importlib.import_module(name)
    except ImportError:
        raise ArchiveError(
            f"The Python of this host has no module {name}, which {compression} needs; use another Python."
        ) from None
    if name == "bz2":
        return module.BZ2Decompressor, (OSError, EOFError)
    return (lambda: module.LZMADecompressor(module.FORMAT_XZ, memlimit=_MOST_MEMORY)), (module.LZMAError, EOFError)


def _unpacked(pieces: Iterator[bytes], compression: str, where: str) -> Iterator[bytes]:
    """The decompressed blocks, each of 1 MiB at most, so that a small stored piece cannot fill the memory."""
    make, errors = _decompressor(compression)
    one = make()
    for piece in pieces:
        if one.eof:
            one = make()
        while True:
            try:
                block = one.decompress(piece, READ_BYTES)
            except errors as problem:
                raise DamagedArchive(f"{where} is damaged: it does not decompress ({problem}).") from problem
            if block:
                yield block
            piece = b""
            if one.eof and one.unused_data:
                # Compressors with several threads write several streams behind each other.
                one, piece = make(), one.unused_data
            elif one.eof or len(block) < READ_BYTES:
                break
    if not one.eof:
        raise DamagedArchive(f"{where} is damaged: it ends too early.")
