# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Reads parts of the objects of a backup; no byte is given out that is not what the manifest says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

from ..storage.base import RangeReader, Storage
from ..storage.errors import ObjectMissing, OddObject, StorageError
from .errors import DamagedArchive
from .trees import DIGEST_BYTES, LEAF_BYTES, TreeHash, leaf, leaf_count, tree_of

LEAVES_NAME = "leaves"
#: The most bytes of one request that makes leaves anew.
_STEP_BYTES = 8 << 20
#: The objects of one backup that are open at a time: a process may have a thousand files open, and a backup has more segments.
_MOST_OPEN = 2
#: Of one object as stored, so that its leaves have 64 MiB at most, and of a segment before it is sealed.
MOST_OBJECT_BYTES = 1 << 41
MOST_SEGMENT_BYTES = MOST_OBJECT_BYTES // 2
#: So many bytes of the leaves are read once, for all objects: those of 2 GiB.
_FIRST_LEAVES_BYTES = 1 << 16


@dataclass(frozen=True)
class StoredTree:
    """One object of a backup: its name below the backup's folder, its size in bytes and its tree hash in hex."""

    name: str
    bytes: int
    tree: str


class BackupObjects:
    """The objects of one backup in one storage, in the order of its manifest. A context: it closes what it opened."""

    def __init__(self, storage: Storage, folder: str, objects: Sequence[StoredTree]) -> None:
        self._storage, self._folder = storage, folder
        self._objects = {one.name: one for one in objects}
        self._first_leaf: dict[str, int] = {}
        first = 0
        for one in objects:
            self._first_leaf[one.name] = first
            first += leaf_count(one.bytes)
        self._no_leaves = False
        self._first_leaves: bytes | None = None
        #: By name, the one that was used last at the end.
        self._open: dict[str, RangeReader] = {}

    def __enter__(self) -> BackupObjects:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._open:
            self._open.popitem()[1].close()

    def describe(self, name: str) -> str:
        """How messages name an object."""
        return f"{self._folder}/{name} of {self._storage.describe()}"

    def object(self, name: str) -> VerifiedObject:
        """One of the objects. Raises KeyError for a name that the manifest does not have."""
        return VerifiedObject(self, self._objects[name])

    def read(self, name: str, begin: int, size: int) -> bytes:
        """So many bytes of an object as it is stored, fewer where it ends. Raises DamagedArchive if it is missing, or StorageError."""
        try:
            return self._ranges(name).read(begin, size)
        except ObjectMissing:
            raise DamagedArchive(f"{self.describe(name)} is missing.") from None
        except OddObject as problem:
            raise DamagedArchive(str(problem)) from problem

    def _ranges(self, name: str) -> RangeReader:
        found = self._open.pop(name, None) or self._storage.ranges(f"{self._folder}/{name}")
        self._open[name] = found
        while len(self._open) > _MOST_OPEN:
            self._open.pop(next(iter(self._open))).close()
        return found

    def leaves_of(self, one: StoredTree) -> bytes:
        """The leaves of an object, from ``leaves``, or made from the object where those are missing or wrong.

        Raises DamagedArchive if the object is not what was written, or StorageError.
        """
        size = DIGEST_BYTES * leaf_count(one.bytes)
        found = self._stored_leaves(DIGEST_BYTES * self._first_leaf[one.name], size)
        if len(found) == size and tree_of(found) == one.tree:
            return found
        whole = TreeHash()
        if one.bytes:
            # What a manifest says may be much more than there is: nobody waits for that to be read.
            self._all_of(one, one.bytes - 1, 1)
        for begin in range(0, one.bytes, _STEP_BYTES):
            whole.update(self._all_of(one, begin, min(_STEP_BYTES, one.bytes - begin)))
        if whole.hexdigest() != one.tree:
            raise DamagedArchive(f"{self.describe(one.name)} is not what was written (its tree hash differs).")
        return whole.leaves()

    def _all_of(self, one: StoredTree, begin: int, size: int) -> bytes:
        found = self.read(one.name, begin, size)
        if len(found) < size:
            raise DamagedArchive(f"{self.describe(one.name)} ends before the {one.bytes} bytes that were written.")
        return found

    def _stored_leaves(self, begin: int, size: int) -> bytes:
        if self._no_leaves:
            return b""
        try:
            if begin + size > _FIRST_LEAVES_BYTES:
                return self.read(LEAVES_NAME, begin, size)
            if self._first_leaves is None:
                self._first_leaves = self.read(LEAVES_NAME, 0, _FIRST_LEAVES_BYTES)
            return self._first_leaves[begin : begin + size]
        except (DamagedArchive, StorageError):
            self._no_leaves = True  # a storage that is away says so when the object itself is read
            return b""


class VerifiedObject:
    """Parts of one object, each MiB checked by its leaf. Not for several threads at once."""

    def __init__(self, objects: BackupObjects, entry: StoredTree) -> None:
        self._objects, self.entry = objects, entry
        self._leaves: bytes | None = None
        #: The last block that was read: parts that follow each other begin in it.
        self._last: tuple[int, bytes] = (-1, b"")

    @property
    def size(self) -> int:
        """Bytes as stored."""
        return self.entry.bytes

    def where(self) -> str:
        """How messages name it."""
        return self._objects.describe(self.entry.name)

    def read(self, begin: int, end: int) -> bytes:
        """The bytes from `begin` up to `end`. Raises DamagedArchive or StorageError; ValueError beyond the object."""
        if not 0 <= begin <= end <= self.size:
            raise ValueError(f"{self.entry.name} has no bytes from {begin} to {end}")
        if begin == end and self.size:
            return b""
        if self._leaves is None and self.size > LEAF_BYTES:
            self._leaves = self._objects.leaves_of(self.entry)
        first, beyond = begin // LEAF_BYTES, leaf_count(end)
        parts = []
        if self._last[0] == first:
            parts.append(self._last[1])
            first += 1
        if first < beyond or not self.size:
            wanted = min(beyond * LEAF_BYTES, self.size) - first * LEAF_BYTES
            # At the end one byte more, which is not there.
            at_end = beyond * LEAF_BYTES >= self.size
            block = self._objects.read(self.entry.name, first * LEAF_BYTES, wanted + at_end)
            if len(block) > wanted:
                raise DamagedArchive(f"{self.where()} has more than the {self.size} bytes that were written.")
            self._check(first, beyond, block)
            parts.append(block)
            cut = (beyond - 1 - first) * LEAF_BYTES
            self._last = (beyond - 1, block[cut:])
        skip, size = begin % LEAF_BYTES, end - begin
        if len(parts) == 1:
            return parts[0][skip : skip + size]
        # Copied once: this is most of what is read of a backup.
        before = memoryview(parts[0])[skip:]
        return b"".join([before, memoryview(parts[1])[: size - len(before)]])

    def _check(self, first: int, beyond: int, block: bytes) -> None:
        leaves = self._leaves
        if leaves is None:  # it has one at most, which this is all of: no request of a storage is needed for it
            if tree_of(leaf(block) if block else b"") != self.entry.tree:
                raise DamagedArchive(f"{self.where()} is not what was written (its tree hash differs).")
            return
        view = memoryview(block)
        for number in range(first, beyond):
            at = (number - first) * LEAF_BYTES
            expected = leaves[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES]
            if leaf(view[at : at + LEAF_BYTES]) != expected:
                raise DamagedArchive(
                    f"{self.where()} is not what was written (the SHA-256 of its MiB {number + 1} differs)."
                )
