# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A storage that does what a script says: fail at the n-th call of an operation, or let something happen there."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import BinaryIO

from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.base import Buffer, ObjectWriter, Storage
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.errors import StorageError

OPERATIONS = ("hold", "children", "create", "write", "commit", "open", "read", "delete", "delete_folder")
Fault = Callable[[str], None]


def fails(text: str) -> Fault:
    """A fault: the storage says that it could not."""

    def fault(operation: str) -> None:
        raise StorageError(f"{text} (injected into {operation}).")

    return fault


def no_space(operation: str) -> None:
    """A fault as a full disk gives it where the storage passes errors of the system on."""
    raise StorageError(
        f"Writing failed: {OSError(errno.ENOSPC, 'No space left on device')} (injected into {operation})."
    )


class FaultyStorage(Storage):
    """Another storage, with faults: ``{("commit", 2): fails("x")}`` acts at the second commit and at no other call.

    A key with 0 acts at every call. ``calls`` counts what was asked for.
    """

    def __init__(self, inner: Storage, script: dict[tuple[str, int], Fault] | None = None) -> None:
        self.inner = inner
        self.kind = inner.kind
        self.container = inner.container
        self.script = dict(script or {})
        self.calls: Counter[str] = Counter()

    def _met(self, operation: str) -> None:
        self.calls[operation] += 1
        for moment in (0, self.calls[operation]):
            fault = self.script.get((operation, moment))
            if fault is not None:
                fault(operation)

    def children(self, folder: str) -> list[str]:
        self._met("children")
        return self.inner.children(folder)

    def create(self, name: str) -> ObjectWriter:
        self._met("create")
        return _FaultyWriter(self, self.inner.create(name))

    def open(self, name: str, most_bytes: int | None = None) -> BinaryIO:
        self._met("open")
        return _FaultyStream(self, self.inner.open(name, most_bytes))  # type: ignore[return-value]

    def identity(self) -> str:
        return self.inner.identity()

    def identities(self) -> Sequence[str]:
        return self.inner.identities()

    def make(self, parents: bool, dry_run: bool = False) -> bool:
        return self.inner.make(parents, dry_run)

    def put_new(self, name: str, data: Buffer) -> None:
        self.inner.put_new(name, data)

    def read(self, name: str, most_bytes: int) -> bytes:
        # The marker of the container is no object of a backup, and no call of the script.
        return self.inner.read(name, most_bytes) if "/" not in name else super().read(name, most_bytes)

    def delete_folder(self, folder: str) -> None:
        self._met("delete_folder")
        self.inner.delete_folder(folder)

    def delete(self, name: str) -> None:
        self._met("delete")
        self.inner.delete(name)

    def size_of(self, folder: str) -> int:
        return self.inner.size_of(folder)

    def lock(self, folder: str) -> AbstractContextManager[None]:
        self._met("hold")
        return self.inner.lock(folder)


class _FaultyWriter(ObjectWriter):
    def __init__(self, storage: FaultyStorage, inner: ObjectWriter) -> None:
        self._storage, self._inner = storage, inner

    def write(self, data: Buffer) -> None:
        self._storage._met("write")
        self._inner.write(data)

    def commit(self) -> None:
        self._storage._met("commit")
        self._inner.commit()

    def discard(self) -> None:
        self._inner.discard()


class _FaultyStream:
    """Reads fail as reads of files do: with an error of the system."""

    def __init__(self, storage: FaultyStorage, inner: BinaryIO) -> None:
        self._storage, self._inner = storage, inner

    def read(self, size: int = -1) -> bytes:
        try:
            self._storage._met("read")
        except StorageError as problem:
            raise OSError(errno.EIO, str(problem)) from None
        return self._inner.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._inner.seek(offset, whence)

    def tell(self) -> int:
        return self._inner.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    @property
    def closed(self) -> bool:
        return self._inner.closed

    def close(self) -> None:
        self._inner.close()

    def __enter__(self) -> _FaultyStream:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()
