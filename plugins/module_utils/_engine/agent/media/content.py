# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The bytes of a stored disk, compared with size and SHA-256 in the manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from ...progress import Progress
from ...repository.errors import DamagedArchive
from ...storage.errors import ObjectMissing
from .image_set import ImageSet
from .manifest import Disk


def verified_blocks(one: ImageSet, disk: Disk, progress: Progress) -> Iterator[bytes]:
    """Yield the blocks of a disk; the last block only after size and SHA-256 of the whole were found right.

    A caller that reaches the end has read what was stored. Raises DamagedArchive or StorageError.
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
            f"{name} of {one.storage.describe()} is damaged: it has {size} bytes with the SHA-256 "
            f"{digest.hexdigest()}; {disk.bytes} bytes with {disk.sha256} were stored."
        )
    if last:
        yield last


def check_sizes(one: ImageSet, disk: Disk) -> None:
    """Raise DamagedArchive unless an object and its segments have the size in the manifest."""
    name = f"{one.folder}/{disk.name}"
    try:
        size, of_pieces = one.storage.sizes(name)
    except ObjectMissing as problem:
        raise DamagedArchive(f"{problem} The manifest of the backup names it.") from None
    if size != disk.bytes:
        raise DamagedArchive(
            f"{name} of {one.storage.describe()} is damaged: it has {size} bytes, and {disk.bytes} were stored."
        )
    if of_pieces != size:
        raise DamagedArchive(
            f"{name} of {one.storage.describe()} lacks segments: {of_pieces} of {size} bytes are left in "
            f"{one.storage.segments_container}."
        )
