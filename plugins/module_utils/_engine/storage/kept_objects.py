# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A storage that keeps copies of some objects on this host, for one that takes new objects and gives none back.

A copy is read only where the storage does not answer or refuses. What it says is missing, or is another one now, counts as that: copies
take the place of what cannot be asked, and hide nothing. Who reads them checks them as all that comes from a storage.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from functools import cached_property
from typing import BinaryIO, Callable

from .base import Buffer, ObjectWriter, RangeReader, Storage
from .container import MARKER_NAME
from .errors import NoContainer, ObjectMissing, OddObject, StorageError
from .local import LocalStorage
from .state_file import default_state_folder

#: The folder below the state folder.
FOLDER = "kept"
#: With less room than this no more is kept.
_LEAST_FREE_BYTES = 1 << 30
#: What a storage says that has answered.
_ANSWERED = (ObjectMissing, OddObject, NoContainer)


class KeptObjects(Storage):
    """Another storage, and copies of those of its objects that `is_kept` chooses by their names, and of the container's marker."""

    def __init__(self, inner: Storage, is_kept: Callable[[str], bool]) -> None:
        self._inner, self._is_kept = inner, is_kept
        self.kind, self.container = inner.kind, inner.container

    @cached_property
    def _copies(self) -> Storage:
        """Where the copies are. Raises StorageError if this host cannot tell the container."""
        code = hashlib.sha256(self._inner.identity().encode("utf-8", "surrogateescape")).hexdigest()[:32]
        return LocalStorage(os.path.join(default_state_folder(), FOLDER, code))

    def keep_only(self, folder: str, names: Sequence[str], is_needed: Callable[[str, str], bool]) -> None:
        """Remove copies of all objects below a folder but of those in the folders `names` that `is_needed`, given both names."""
        with suppress(StorageError):
            for name in self._copies.children(folder):
                if name not in names:
                    self._copies.delete_folder(f"{folder}/{name}")
                    continue
                for one in self._copies.children(f"{folder}/{name}"):
                    if not is_needed(name, one):
                        self._copies.delete(f"{folder}/{name}/{one}")

    # ------------------------------------------------------------------ reading

    def children(self, folder: str) -> list[str]:
        try:
            return self._inner.children(folder)
        except _ANSWERED:
            raise
        except StorageError as problem:
            found = self._copied_names(folder)
            if not found:
                raise problem
            return found

    def _copied_names(self, folder: str) -> list[str]:
        try:
            return self._copies.children(folder)
        except StorageError:
            return []

    def open(self, name: str, most_bytes: int | None = None) -> BinaryIO:
        try:
            return self._inner.open(name, most_bytes)
        except _ANSWERED:
            raise
        except StorageError as problem:
            return self._copy_of(name, problem, most_bytes)

    def ranges(self, name: str) -> RangeReader:
        if not self._is_kept(name):
            return self._inner.ranges(name)
        return _Ranges(self, name)

    def read(self, name: str, most_bytes: int) -> bytes:
        try:
            found = self._inner.read(name, most_bytes)
        except _ANSWERED:
            raise
        except StorageError as problem:
            with self._copy_of(name, problem, most_bytes) as copy:
                return copy.read(most_bytes)
        if name == MARKER_NAME:
            self._keep(name, found)
        return found

    def _keep(self, name: str, found: bytes) -> None:
        """Have a copy of an object, which is not written again if it is there: a dry run leaves the state folder as it is."""
        with suppress(StorageError):
            if self._copies.read(name, len(found) + 1) == found:
                return
        with suppress(StorageError):
            self._copies.put(name, found)

    def _copy_of(self, name: str, problem: StorageError, most_bytes: int | None = None) -> BinaryIO:
        """The copy of an object. Raises the `problem` with the storage if there is none."""
        if self._is_kept(name) or name == MARKER_NAME:
            with suppress(StorageError):
                return self._copies.open(name, most_bytes)
        raise problem

    # ------------------------------------------------------------------ writing

    def create(self, name: str) -> ObjectWriter:
        writer = self._inner.create(name)
        if not self._is_kept(name):
            return writer
        try:
            os.makedirs(default_state_folder(), mode=0o700, exist_ok=True)
            if shutil.disk_usage(default_state_folder()).free < _LEAST_FREE_BYTES:
                return writer
            return _Twice(writer, self._copies.create(name))
        except (OSError, StorageError):
            return writer  # the backup is what counts

    def put_new(self, name: str, data: Buffer) -> None:
        self._inner.put_new(name, data)

    def delete_folder(self, folder: str) -> None:
        with suppress(StorageError):
            self._copies.delete_folder(folder)
        self._inner.delete_folder(folder)

    def delete(self, name: str) -> None:
        with suppress(StorageError):
            self._copies.delete(name)
        self._inner.delete(name)

    # ------------------------------------------------------------------ as the storage has it

    def size_of(self, folder: str) -> int:
        return self._inner.size_of(folder)

    def lock(self, folder: str) -> AbstractContextManager[None]:
        return self._inner.lock(folder)

    def identity(self) -> str:
        return self._inner.identity()

    def identities(self) -> Sequence[str]:
        return self._inner.identities()

    def make(self, parents: bool, dry_run: bool = False) -> bool:
        return self._inner.make(parents, dry_run)

    def describe(self) -> str:
        return self._inner.describe()


class _Ranges(RangeReader):
    """Parts of an object; from the moment that the storage refuses one, of its copy."""

    def __init__(self, storage: KeptObjects, name: str) -> None:
        self._storage, self._name = storage, name
        self._copy: BinaryIO | None = None
        self._inner: RangeReader | None = None
        try:
            self._inner = storage._inner.ranges(name)
        except _ANSWERED:
            raise
        except StorageError as problem:
            self._copy = storage._copy_of(name, problem)

    def read(self, begin: int, size: int) -> bytes:
        if self._copy is None and self._inner is not None:
            try:
                return self._inner.read(begin, size)
            except _ANSWERED:
                raise
            except StorageError as problem:
                self._copy = self._storage._copy_of(self._name, problem)
        if self._copy is None:
            raise StorageError(f"{self._name} of {self._storage.describe()} was closed.")
        try:
            self._copy.seek(begin)
            return self._copy.read(size)
        except OSError as problem:
            raise StorageError(f"Reading a copy of {self._name} failed: {problem.strerror or problem}.") from problem

    def close(self) -> None:
        if self._inner is not None:
            self._inner.close()
        if self._copy is not None:
            self._copy.close()


class _Twice(ObjectWriter):
    """An object and its copy, which is given up if it cannot be written."""

    def __init__(self, inner: ObjectWriter, copy: ObjectWriter) -> None:
        self._inner = inner
        self._copy: ObjectWriter | None = copy

    def describe(self, facts: Mapping[str, str]) -> None:
        self._inner.describe(facts)

    def write(self, data: Buffer) -> None:
        self._inner.write(data)
        self._to_copy(lambda copy: copy.write(data))

    def commit(self) -> None:
        self._inner.commit()
        self._to_copy(lambda copy: copy.commit())

    def discard(self) -> None:
        self._inner.discard()
        self._to_copy(lambda copy: copy.discard())

    def _to_copy(self, step: Callable[[ObjectWriter], None]) -> None:
        if self._copy is None:
            return
        try:
            step(self._copy)
        except StorageError:
            self._copy.discard()
            self._copy = None
