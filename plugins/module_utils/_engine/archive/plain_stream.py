# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The plain tar stream of a stored backup: verified segment by segment, then decompressed."""

from __future__ import annotations

import io
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import IO, BinaryIO, cast

from ..repository.backup_set import StoredBackup
from ..repository.errors import DamagedArchive
from ..repository.segments import READ_BYTES
from ..repository.verified_stream import VerifiedStream
from ..storage.base import Storage
from .codec import codec_for


def _blocks(stream: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: stream.read(READ_BYTES), b"")


def _one_ahead(blocks: Iterator[bytes]) -> Generator[bytes, None, None]:
    """The same blocks; a thread prepares the next one while the caller uses one."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="decompress") as pool:
        upcoming = pool.submit(next, blocks, b"")
        while True:
            block = upcoming.result()
            if not block:
                return
            upcoming = pool.submit(next, blocks, b"")
            yield block


@contextmanager
def plain_stream(storage: Storage, backup: StoredBackup) -> Iterator[Iterator[bytes]]:
    """The tar stream of one level as blocks of bytes, which come from verified segments only.

    Reading raises DamagedArchive or StorageError; the blocks before are then an incomplete archive.
    """
    codec = codec_for(backup.first.codec)
    stored = VerifiedStream(storage, backup.folder, backup.first.segments)
    expected = backup.first.stream_bytes

    def blocks() -> Iterator[bytes]:
        total = 0
        source = _blocks(codec.reader(cast(BinaryIO, io.BufferedReader(stored, READ_BYTES))))
        try:
            for block in source:
                total += len(block)
                if expected is not None and total > expected:
                    raise DamagedArchive(f"The data of {backup.folder} has more than the expected {expected} bytes.")
                yield block
        except codec.decode_errors as problem:
            raise DamagedArchive(f"The data of {backup.folder} does not decompress: {problem}.") from problem
        if expected not in (None, total):
            raise DamagedArchive(f"The data of {backup.folder} has {total} bytes; {expected} were expected.")

    ahead = _one_ahead(blocks())
    try:
        yield ahead
    finally:
        ahead.close()  # ends the thread before its stream is closed
        stored.close()
