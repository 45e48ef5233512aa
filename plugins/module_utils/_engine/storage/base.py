# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The interface that archives see of a storage.

A storage holds objects under names such as ``web1_etc/1795336610_0/data.000000``. An object appears whole or not at
all: what is being written has no name that a reader would see until ``commit`` returns.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import BinaryIO, TypeVar, Union

from .errors import OddObject, StorageError

Buffer = Union[bytes, bytearray, memoryview]
_Writer = TypeVar("_Writer", bound="ObjectWriter")
_Reader = TypeVar("_Reader", bound="RangeReader")


class ObjectWriter(ABC):
    """One object while it is written. A context: what is not committed when it is left is discarded."""

    def __enter__(self: _Writer) -> _Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()

    def describe(self, facts: Mapping[str, str]) -> None:
        """Set the metadata of the object before the commit, for other tools; only some storages keep it."""

    @abstractmethod
    def write(self, data: Buffer) -> None:
        """Add bytes. Raises StorageError."""

    @abstractmethod
    def commit(self) -> None:
        """Make the object durable and visible under its name, in this order. Raises StorageError."""

    @abstractmethod
    def discard(self) -> None:
        """Forget what was written. Safe to call after a failure, after commit and twice."""


class RangeReader(ABC):
    """A committed object, for parts of it. A context."""

    def __enter__(self: _Reader) -> _Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def read(self, begin: int, size: int) -> bytes:
        """So many bytes from `begin` on, fewer where the object ends. Raises StorageError."""

    @abstractmethod
    def close(self) -> None:
        """Give back what was opened. Safe to call twice."""


class _SeekableRanges(RangeReader):
    """Parts of a stream."""

    def __init__(self, stream: BinaryIO, where: str) -> None:
        self._stream, self._where = stream, where

    def read(self, begin: int, size: int) -> bytes:
        try:
            self._stream.seek(begin)
            return self._stream.read(size)
        except OSError as problem:
            raise StorageError(f"Reading {self._where} failed: {problem.strerror or problem}.") from problem

    def close(self) -> None:
        self._stream.close()


class Storage(ABC):
    """A place for archives: one container of one storage of one kind."""

    kind: str
    container: str

    @abstractmethod
    def children(self, folder: str) -> list[str]:
        """The names directly below a folder, committed objects and folders alike; empty if there is no such folder.

        The folder `""` is the container itself.
        Raises StorageError if the container itself does not exist or cannot be read.
        """

    @abstractmethod
    def create(self, name: str) -> ObjectWriter:
        """Begin a new object, making its folders. Raises StorageError."""

    @abstractmethod
    def open(self, name: str, most_bytes: int | None = None) -> BinaryIO:
        """A seekable stream over a committed object. Never waits for a writer, as a FIFO would.

        Raises ObjectMissing, OddObject for what is no object or has more than `most_bytes`, or StorageError.
        """

    def ranges(self, name: str) -> RangeReader:
        """A committed object, for parts of it. Raises ObjectMissing, OddObject or StorageError, here or when it is read."""
        return _SeekableRanges(self.open(name), f"{name} of {self.describe()}")

    @abstractmethod
    def delete_folder(self, folder: str) -> None:
        """Remove a folder with all in it; no error if there is none. Raises StorageError."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Remove one object, durably; no error if there is none. Raises StorageError."""

    @abstractmethod
    def size_of(self, folder: str) -> int:
        """The bytes of all that lies below a folder, also of what was never committed. Raises StorageError."""

    @abstractmethod
    def lock(self, folder: str) -> AbstractContextManager[None]:
        """Be the only writer below a folder as long as the context lasts. Raises SetBusy at once if there is another."""

    @abstractmethod
    def identity(self) -> str:
        """What tells this container from all others that a host may use. Raises StorageError."""

    def identities(self) -> Sequence[str]:
        """All names by which a host knows this container again, the first of them ``identity``. Raises StorageError."""
        return (self.identity(),)

    @abstractmethod
    def make(self, parents: bool, dry_run: bool = False) -> bool:
        """Make the container if it is not there, with `parents` also what is above it; whether it was made.

        Raises StorageError, with `dry_run` if that is known to be impossible.
        """

    @abstractmethod
    def put_new(self, name: str, data: Buffer) -> None:
        """Write one small object whole, unless there is one of this name: of several writers one wins.

        Raises StorageError.
        """

    def put(self, name: str, data: Buffer) -> None:
        """Write one small object whole. Raises StorageError."""
        with self.create(name) as writer:
            writer.write(data)
            writer.commit()

    def read(self, name: str, most_bytes: int) -> bytes:
        """A small object, whole. Raises ObjectMissing, OddObject for one of more than `most_bytes`, or StorageError."""
        with self.open(name, most_bytes) as stream:
            try:
                found = stream.read(most_bytes + 1)
            except OSError as problem:
                raise StorageError(
                    f"Reading {name} of {self.describe()} failed: {problem.strerror or problem}."
                ) from problem
        if len(found) > most_bytes:
            raise too_large(f"{name} of {self.describe()}", most_bytes)
        return found

    def describe(self) -> str:
        """How messages name this place."""
        return f"{self.kind} storage {self.container}"


def too_large(where: str, most_bytes: int) -> OddObject:
    """The error for an object of more bytes than it may have."""
    return OddObject(f"{where} is larger than such an object can be ({most_bytes} bytes).")
