# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A folder of the host, local or mounted, as storage.

Durability follows the usual order: write under a temporary name in the same folder, fsync the file, rename it, fsync
the folder. Files are 0600 and folders 0700, whatever the umask says.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from .base import Buffer, ObjectWriter, Storage
from .errors import ObjectMissing, SetBusy, StorageError

LOCK_NAME = ".lock"


def _explain(doing: str, path: str, problem: OSError) -> StorageError:
    hint = ""
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "; free some space or choose another container"
    elif problem.errno in (errno.EACCES, errno.EPERM):
        hint = f"; the user with id {os.geteuid()} needs access to it"
    return StorageError(f"{doing} {path} failed: {problem.strerror or problem}{hint}.")


def _sync_folder(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as problem:
        # Some network and FUSE file systems know no fsync of a folder; there is nothing else to ask them for.
        if problem.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


class _LocalWriter(ObjectWriter):
    def __init__(self, path: str) -> None:
        folder, name = os.path.split(path)
        self._path = path
        # The leading dot keeps it out of every listing until it is renamed.
        self._partial = os.path.join(folder, f".{name}.{secrets.token_hex(4)}.partial")
        try:
            self._descriptor = os.open(self._partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as problem:
            raise _explain("Creating", self._partial, problem) from problem

    def write(self, data: Buffer) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as problem:
            raise _explain("Writing", self._partial, problem) from problem

    def commit(self) -> None:
        try:
            os.fsync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1
            os.rename(self._partial, self._path)
            _sync_folder(os.path.dirname(self._path))
        except OSError as problem:
            raise _explain("Committing", self._path, problem) from problem

    def discard(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        try:
            os.unlink(self._partial)
        except OSError:
            pass  # committed already, or the disk is gone: nothing that a caller could still do


class LocalStorage(Storage):
    """`container` is the path of the folder; it is made with the first object that is written to it."""

    kind = "local"

    def __init__(self, container: str) -> None:
        if not os.path.isabs(container) or "\0" in container:
            raise StorageError(
                f"The container of a local storage is the absolute path of a folder, and {container!r} is not one."
            )
        self.container = os.path.normpath(container)

    def _path(self, name: str) -> str:
        parts = name.split("/")
        if any(part in ("", ".", "..") or "\0" in part for part in parts):
            raise StorageError(f"{name!r} is not the name of an object in {self.describe()}.")
        return os.path.join(self.container, *parts)

    def _make_folder(self, path: str) -> None:
        missing = []
        while not os.path.isdir(path):
            missing.append(path)
            path = os.path.dirname(path)
        for folder in reversed(missing):
            try:
                os.mkdir(folder, 0o700)
                _sync_folder(os.path.dirname(folder))
            except FileExistsError:
                pass  # another run made it in the same moment
            except OSError as problem:
                raise _explain("Making the folder", folder, problem) from problem

    def children(self, folder: str) -> list[str]:
        path = self._path(folder) if folder else self.container
        try:
            return sorted(name for name in os.listdir(path) if not name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            if not os.path.isdir(self.container):
                raise StorageError(f"There is no folder {self.container}, so no backup is stored there.") from None
            return []
        except OSError as problem:
            raise _explain("Listing", path, problem) from problem

    def create(self, name: str) -> ObjectWriter:
        path = self._path(name)
        self._make_folder(os.path.dirname(path))
        return _LocalWriter(path)

    def open(self, name: str) -> BinaryIO:
        path = self._path(name)
        try:
            return open(path, "rb")
        except (FileNotFoundError, NotADirectoryError):
            raise ObjectMissing(f"{path} is missing.") from None
        except OSError as problem:
            raise _explain("Opening", path, problem) from problem

    def delete_folder(self, folder: str) -> None:
        path = self._path(folder)
        try:
            shutil.rmtree(path)
        except FileNotFoundError:
            pass
        except OSError as problem:
            raise _explain("Removing", path, problem) from problem

    def delete(self, name: str) -> None:
        path = self._path(name)
        try:
            os.unlink(path)
            _sync_folder(os.path.dirname(path))
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as problem:
            raise _explain("Removing", path, problem) from problem

    def size_of(self, folder: str) -> int:
        total = 0
        for path, _folders, names in os.walk(self._path(folder)):
            for name in names:
                try:
                    total += os.lstat(os.path.join(path, name)).st_size
                except FileNotFoundError:
                    continue
                except OSError as problem:
                    raise _explain("Looking at", path, problem) from problem
        return total

    @contextmanager
    def hold(self, folder: str) -> Iterator[None]:
        """An flock on a file in the folder: the kernel lets go of it however the process ends."""
        path = self._path(folder)
        self._make_folder(path)
        lock = os.path.join(path, LOCK_NAME)
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as problem:
            raise _explain("Opening", lock, problem) from problem
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise SetBusy(f"Another run is writing to {path}; start this one when that has ended.") from None
            except OSError as problem:
                raise _explain("Locking", lock, problem) from problem
            yield
        finally:
            os.close(descriptor)
