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
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from .base import Buffer, ObjectWriter, Storage, too_large
from .errors import ObjectMissing, OddObject, SetBusy, StorageError
from .writer import MOST_BYTES, described, writer_line

LOCK_NAME = ".lock"
_IDENTITY = "local:"


def _explain(doing: str, path: str, problem: OSError) -> StorageError:
    hint = ""
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "; free some space or choose another container"
    elif problem.errno in (errno.EACCES, errno.EPERM):
        hint = f"; the user with id {os.geteuid()} needs access to it"
    return StorageError(f"{doing} {path} failed: {problem.strerror or problem}{hint}.")


_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}


def _check_regular(found: os.stat_result, path: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "of an unknown kind")
        raise OddObject(f"{path} is {kind} and not a regular file, so it is nothing that a backup has written.")


def open_regular(path: str, flags: int = os.O_RDONLY, mode: int = 0o600) -> int:
    """A descriptor of a regular file, which a link, a FIFO or a device in its place is refused for.

    Others may write to the folder. Raises OddObject or OSError.
    """
    try:
        # Merely to open a device can do something, so it is looked at before.
        _check_regular(os.lstat(path), path)
    except FileNotFoundError:
        if not flags & os.O_CREAT:
            raise
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode)
    except OSError as problem:
        if problem.errno == errno.ELOOP:
            raise OddObject(f"{path} is a symbolic link and not a regular file.") from None
        raise
    try:
        _check_regular(os.fstat(descriptor), path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


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


def _tell(lock: int, line: str) -> None:
    """Write down who has a lock. The lock itself does not depend on it."""
    try:
        os.ftruncate(lock, 0)
        os.pwrite(lock, line.encode("ascii"), 0)
    except OSError:
        pass  # such as a full disk; what is written next will say so


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

    def commit_new(self) -> None:
        """Commit, unless there is an object of this name."""
        try:
            os.fsync(self._descriptor)
            try:
                os.link(self._partial, self._path)
            except FileExistsError:
                return
            except OSError as problem:
                # A file system without links; who comes second in this moment replaces the first one.
                if problem.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS):
                    raise
                if not os.path.lexists(self._path):
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
    """`container` is the path of the folder. It is made with the first object that is written to it, unless only `make`
    is to do that: then it is an error if it is not there."""

    kind = "local"

    def __init__(self, container: str, makes_container: bool = True) -> None:
        if not os.path.isabs(container) or "\0" in container:
            raise StorageError(
                f"The container of a local storage is the absolute path of a folder, and {container!r} is not one."
            )
        self.container = os.path.normpath(container)
        self._makes_container = makes_container

    def _path(self, name: str) -> str:
        parts = name.split("/")
        if any(part in ("", ".", "..") or "\0" in part for part in parts):
            raise StorageError(f"{name!r} is not the name of an object in {self.describe()}.")
        return os.path.join(self.container, *parts)

    def _make_folder(self, path: str) -> None:
        if not self._makes_container and not os.path.isdir(self.container):
            raise StorageError(f"The folder {self.container} is not there any more. Is the storage mounted?")
        self._make_folders(path)

    def _make_folders(self, path: str) -> None:
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

    def identity(self) -> str:
        return f"{_IDENTITY}{os.path.realpath(self.container)}"

    def identities(self) -> Sequence[str]:
        # A link that lies in the storage is gone with it, and the path leads elsewhere: it is known as given as well.
        return tuple(dict.fromkeys((self.identity(), f"{_IDENTITY}{self.container}")))

    @staticmethod
    def paths_of(identities: Iterable[str]) -> list[str]:
        """The paths of those of these containers that are folders of this host, each folder once."""
        paths = {one[len(_IDENTITY) :] for one in identities if one.startswith(_IDENTITY)}
        return sorted(path for path in paths if os.path.realpath(path) not in paths - {path})

    def make(self, parents: bool, dry_run: bool = False) -> bool:
        if os.path.isdir(self.container):
            return False
        above = os.path.dirname(self.container)
        if not parents and not os.path.isdir(above):
            raise StorageError(
                f"There is no folder {above} to make the container {os.path.basename(self.container)} in. Is the storage "
                "mounted? Make the folder, or set init to have it made."
            )
        if not dry_run:
            self._make_folders(self.container)
        return True

    def put_new(self, name: str, data: Buffer) -> None:
        path = self._path(name)
        writer = _LocalWriter(path)
        try:
            writer.write(data)
            writer.commit_new()
        finally:
            writer.discard()

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

    def open(self, name: str, most_bytes: int | None = None) -> BinaryIO:
        path = self._path(name)
        try:
            stream = os.fdopen(open_regular(path), "rb")
        except (FileNotFoundError, NotADirectoryError):
            raise ObjectMissing(f"{path} is missing.") from None
        except OSError as problem:
            raise _explain("Opening", path, problem) from problem
        if most_bytes is not None and os.fstat(stream.fileno()).st_size > most_bytes:
            stream.close()
            raise too_large(path, most_bytes)
        return stream

    def delete_folder(self, folder: str) -> None:
        path = self._path(folder)
        try:
            if stat.S_ISDIR(os.stat(path).st_mode):
                shutil.rmtree(path)
            else:
                os.unlink(path)  # no folder, so nothing that a backup has written
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
            descriptor = open_regular(lock, os.O_RDWR | os.O_CREAT)
        except OddObject as problem:
            raise StorageError(f"{problem} Remove it.") from None
        except OSError as problem:
            raise _explain("Opening", lock, problem) from problem
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                writer = described(os.pread(descriptor, MOST_BYTES, 0).decode("ascii", "replace"))
                raise SetBusy(
                    f"Another run is writing to {path}{writer}; start this one when that has ended."
                ) from None
            except OSError as problem:
                raise _explain("Locking", lock, problem) from problem
            _tell(descriptor, writer_line())
            try:
                yield
            finally:
                _tell(descriptor, "")
        finally:
            os.close(descriptor)
