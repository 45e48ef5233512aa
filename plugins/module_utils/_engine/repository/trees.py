# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Tree hashes: what tells that a part of an object is what was written, without the rest of it.

A leaf is the SHA-256 of 1 MiB of an object as it is stored; the hash of the object is the SHA-256 of its leaves
(docs/archive-format.md, "Hashes").
"""

from __future__ import annotations

import hashlib

from ..storage.base import Buffer

LEAF_BYTES = 1 << 20
DIGEST_BYTES = 32


def leaf_count(size: int) -> int:
    """The number of leaves of an object of so many bytes."""
    return -(-size // LEAF_BYTES)


def leaf(block: Buffer) -> bytes:
    """The leaf of one block of at most LEAF_BYTES."""
    return hashlib.sha256(block).digest()


def tree_of(leaves: Buffer) -> str:
    """The hash of an object with these leaves, in hexadecimal digits."""
    return hashlib.sha256(leaves).hexdigest()


class TreeHash:
    """The leaves of one object while it is written, in the interface of hashlib."""

    def __init__(self) -> None:
        self._done = bytearray()
        self._current = hashlib.sha256()
        self._filled = 0

    def update(self, data: Buffer) -> None:
        """Add bytes, however many."""
        rest = memoryview(data)
        while rest:
            part = rest[: LEAF_BYTES - self._filled]
            self._current.update(part)
            self._filled += len(part)
            rest = rest[len(part) :]
            if self._filled == LEAF_BYTES:
                self._done += self._current.digest()
                self._current = hashlib.sha256()
                self._filled = 0

    def leaves(self) -> bytes:
        """The leaves of the bytes so far, 32 bytes each."""
        return bytes(self._done) + (self._current.digest() if self._filled else b"")

    def hexdigest(self) -> str:
        """The tree hash of the bytes so far, in hexadecimal digits."""
        return tree_of(self.leaves())
