# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Write objects to several storages at once, and read the segments of version 1, verified."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import BinaryIO, Callable, Protocol

from ..storage.base import Buffer, ObjectWriter, Storage
from ..storage.errors import ObjectMissing, OddObject, StorageError
from ..system.undo import on_failure
from .errors import DamagedArchive
from .manifest import StoredObject

READ_BYTES = 1 << 20
#: The most full segments that wait for fsync or upload while the next one is written.
COMMITS_IN_FLIGHT = 2
#: The number of segments that fit into a manifest of MOST_MANIFEST_BYTES beside its other fields.
MOST_SEGMENTS = 300_000


class Hash(Protocol):
    """What hashlib's objects have."""

    def update(self, data: Buffer, /) -> None: ...
    def hexdigest(self) -> str: ...


class FanOut:
    """The storages of one backup. A storage that fails is left out from then on; if all fail, the backup fails."""

    def __init__(self, storages: Sequence[Storage]) -> None:
        self._all = list(storages)
        self.failures: dict[Storage, StorageError] = {}

    def working(self) -> list[Storage]:
        """The storages without a failure so far."""
        return [storage for storage in self._all if storage not in self.failures]

    def failed(self, storage: Storage, problem: StorageError) -> None:
        """Leave a storage out. Raises its problem if none is left."""
        self.failures.setdefault(storage, problem)
        if not self.working():
            raise problem

    def each(self, step: Callable[[Storage], None]) -> None:
        """Call `step` with every working storage. Raises StorageError if none is left."""
        working = self.working()
        if not working:
            # The last storage has failed in another thread.
            raise next(iter(self.failures.values()))
        for storage in working:
            try:
                step(storage)
            except StorageError as problem:
                self.failed(storage, problem)


class FannedObject:
    """One object, written to all storages of a fan-out. A context, as the writer of one storage is."""

    def __init__(self, fan_out: FanOut, folder: str, name: str, hashed: Hash | None = None) -> None:
        """`hashed` takes the place of SHA-256."""
        self._fan_out = fan_out
        self._writers: dict[Storage, ObjectWriter] = {}
        self._hash: Hash = hashed or hashlib.sha256()
        self.name = name
        self.size = 0
        with on_failure(self.discard):
            self._fan_out.each(lambda storage: self._writers.update({storage: storage.create(f"{folder}/{name}")}))

    def __enter__(self) -> FannedObject:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()

    def write(self, data: Buffer) -> None:
        """Add bytes. Raises StorageError if no storage is left."""
        self._fan_out.each(lambda storage: self._writers[storage].write(data))
        self._hash.update(data)
        self.size += len(data)

    def describe(self, facts: Mapping[str, str]) -> None:
        """Set the metadata of the object before the commit, for other tools."""
        self._fan_out.each(lambda storage: self._writers[storage].describe(facts))

    @property
    def sha256(self) -> str:
        """The SHA-256 of the bytes so far, in hexadecimal digits."""
        return self._hash.hexdigest()

    def commit(self) -> StoredObject:
        """Make the object durable on every working storage, and return its size and hash."""
        self._fan_out.each(lambda storage: self._writers[storage].commit())
        return StoredObject(self.name, self.size, self._hash.hexdigest())

    def discard(self) -> None:
        """Remove uncommitted bytes."""
        for writer in self._writers.values():
            writer.discard()


def open_verified(storage: Storage, folder: str, wanted: StoredObject) -> BinaryIO:
    """A stream over one object whose size and SHA-256 have been checked. Raises DamagedArchive or StorageError."""
    where = f"{folder}/{wanted.name} of {storage.describe()}"
    try:
        stream = storage.open(f"{folder}/{wanted.name}")
    except ObjectMissing:
        raise DamagedArchive(f"{where} is missing.") from None
    except OddObject as problem:
        raise DamagedArchive(str(problem)) from problem
    with on_failure(stream.close):
        try:
            found, size = _hash_of(stream, wanted.bytes + READ_BYTES)
            stream.seek(0)
        except OSError as problem:
            raise StorageError(f"Reading {where} failed: {problem.strerror or problem}.") from problem
        if size != wanted.bytes:
            raise DamagedArchive(f"{where} has {size} bytes and should have {wanted.bytes}.")
        if found != wanted.sha256:
            raise DamagedArchive(f"{where} is not what was written (its SHA-256 differs).")
    return stream


def _hash_of(stream: BinaryIO, most_bytes: int) -> tuple[str, int]:
    """The SHA-256 and the size of what is in a stream, which is read no further than that: it may be without an end."""
    found = hashlib.sha256()
    size = 0
    while size <= most_bytes:
        block = stream.read(READ_BYTES)
        if not block:
            break
        size += len(block)
        found.update(block)
    return found.hexdigest(), size
