# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The bytes of a stored disk, compared with what the manifest says of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from ...progress import Progress
from ...repository.errors import DamagedArchive
from ...storage.errors import ObjectMissing
from .image_set import ImageSet
from .manifest import Disk


def verified_blocks(one: ImageSet, disk: Disk, progress: Progress) -> Iterator[bytes]:
    """Every block; the last one is given only when size and SHA-256 of the whole are right.

    So nobody who takes them to the end has taken something else. Raises DamagedArchive or StorageError.
    """
    name = f"{one.folder}/{disk.name}"
    digest = hashlib.sha256()
    size = 0
    last = b""
    try:
        for block in one.storage.blocks(name):
            if last:
                yield last
            digest.update(block)
            size += len(block)
            progress.advance(done_bytes=len(block))
            last = block
    except ObjectMissing as problem:
        raise DamagedArchive(f"{problem} The manifest of the backup names it.") from None
    if (size, digest.hexdigest()) != (disk.bytes, disk.sha256):
        raise DamagedArchive(
            f"{name} of {one.storage.describe()} is not what was stored: it has {size} bytes with the SHA-256 "
            f"{digest.hexdigest()}, and not {disk.bytes} with {disk.sha256}."
        )
    if last:
        yield last


def check_sizes(one: ImageSet, disk: Disk) -> None:
    """Raise DamagedArchive unless an object and its pieces have the size that the manifest says."""
    name = f"{one.folder}/{disk.name}"
    try:
        size, of_pieces = one.storage.sizes(name)
    except ObjectMissing as problem:
        raise DamagedArchive(f"{problem} The manifest of the backup names it.") from None
    if size != disk.bytes:
        raise DamagedArchive(f"{name} of {one.storage.describe()} has {size} bytes, and was stored with {disk.bytes}.")
    if of_pieces != size:
        raise DamagedArchive(
            f"{name} of {one.storage.describe()} misses pieces: {of_pieces} of {size} bytes are left of it in "
            f"{one.storage.segments_container}."
        )
