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
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from ..system.undo import on_failure
from .base import Buffer, ObjectWriter, Storage, too_large
from .errors import NoContainer, ObjectMissing, OddObject, SetBusy, StorageError
from .folders import (
    LOOK_UP,
    explain,
    is_folder,
    make_folder,
    open_below,
    open_regular,
    readable,
    remove_tree,
    size_of_tree,
    sync_folder,
)
from .writer import MOST_BYTES, described, writer_line

LOCK_NAME = ".lock"
_IDENTITY = "local:"


def _tell(lock: int, folder: int, line: str) -> None:
    """Write down who has a lock, unless that is a file with another name as well. The lock itself does not depend on it."""
    try:
        # Who can write to the folder can link any file of its file system there. One call tells of the name and of the others.
        named = os.stat(LOCK_NAME, dir_fd=folder, follow_symlinks=False)
        if named.st_nlink == 1 and os.path.samestat(named, os.fstat(lock)):
            os.ftruncate(lock, 0)
            os.pwrite(lock, line.encode("ascii"), 0)
    except OSError:
        pass  # such as a full disk; what is written next will say so


@contextmanager
def _opened_lock(path: str, folder: int) -> Iterator[int]:
    try:
        descriptor = open_regular(path, os.O_RDWR | os.O_CREAT, folder)
    except OddObject as problem:
        raise StorageError(f"{problem} Remove it.") from None
    except OSError as problem:
        raise explain("Opening", path, problem) from problem
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class _LocalWriter(ObjectWriter):
    """Writes `path` in the folder with this descriptor, which it closes in the end."""

    def __init__(self, path: str, folder: int) -> None:
        self._path, self._folder = path, folder
        self._name = os.path.basename(path)
        # The leading dot keeps it out of every listing until it is renamed.
        self._partial_name = f".{self._name}.{secrets.token_hex(4)}.partial"
        self._partial = os.path.join(os.path.dirname(path), self._partial_name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            self._descriptor = os.open(self._partial_name, flags, 0o600, dir_fd=folder)
        except OSError as problem:
            os.close(folder)
            raise explain("Creating", self._partial, problem) from problem

    def write(self, data: Buffer) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as problem:
            raise explain("Writing", self._partial, problem) from problem

    def commit(self) -> None:
        try:
            os.fsync(self._descriptor)
            self._close_file()
            self._rename()
            sync_folder(self._folder)
        except OSError as problem:
            raise explain("Committing", self._path, problem) from problem
        self._close_folder()

    def commit_new(self) -> None:
        """Commit, unless there is an object of this name."""
        try:
            os.fsync(self._descriptor)
            try:
                os.link(self._partial_name, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            except FileExistsError:
                return
            except OSError as problem:
                # A file system without links; who comes second in this moment replaces the first one.
                if problem.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS):
                    raise
                try:
                    os.stat(self._name, dir_fd=self._folder, follow_symlinks=False)
                except FileNotFoundError:
                    self._rename()
            sync_folder(self._folder)
        except OSError as problem:
            raise explain("Committing", self._path, problem) from problem

    def discard(self) -> None:
        self._close_file()
        if self._folder >= 0:
            try:
                os.unlink(self._partial_name, dir_fd=self._folder)
            except OSError:
                pass  # committed already, or the disk is gone: nothing that a caller could still do
        self._close_folder()

    def _rename(self) -> None:
        os.rename(self._partial_name, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)

    def _close_file(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def _close_folder(self) -> None:
        if self._folder >= 0:
            folder, self._folder = self._folder, -1
            os.close(folder)


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

    def _open_folder(self, path: str, make: bool = False) -> int:
        """A descriptor of the container or a folder in it, to look names up in; with `make` what is missing is made.

        The container may be a link, as the person says who names it. Below it, where others may write, none is followed.
        Raises OddObject, OSError, and StorageError for what cannot be made.
        """
        if make:
            self._make_container()
        descriptor = os.open(self.container, LOOK_UP)
        # Of which the last one is open, whichever that is by then.
        with on_failure(lambda: os.close(descriptor)):
            reached = self.container
            inside = os.path.relpath(path, self.container)
            for part in inside.split("/") if inside != "." else ():
                reached = os.path.join(reached, part)
                try:
                    below = open_below(descriptor, reached)
                except FileNotFoundError:
                    if not make:
                        raise
                    make_folder(descriptor, reached)
                    below = open_below(descriptor, reached)
                os.close(descriptor)
                descriptor = below
        return descriptor

    @contextmanager
    def _folder(self, path: str) -> Iterator[int]:
        descriptor = self._open_folder(path)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _writer(self, path: str, make: bool) -> _LocalWriter:
        folder = os.path.dirname(path)
        try:
            descriptor = self._open_folder(folder, make)
        except OSError as problem:
            raise explain("Making the folder" if make else "Opening", folder, problem) from problem
        return _LocalWriter(path, descriptor)

    def _make_container(self) -> None:
        if os.path.isdir(self.container):
            return
        if not self._makes_container:
            raise StorageError(f"The folder {self.container} is not there any more. Is the storage mounted?")
        self._make_folders(self.container)

    def _make_folders(self, path: str) -> None:
        missing = []
        while not os.path.isdir(path):
            missing.append(path)
            path = os.path.dirname(path)
        for folder in reversed(missing):
            try:
                above = os.open(os.path.dirname(folder), LOOK_UP)
            except OSError as problem:
                raise explain("Making the folder", folder, problem) from problem
            try:
                make_folder(above, folder)
            finally:
                os.close(above)

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
        with self._writer(self._path(name), make=False) as writer:
            writer.write(data)
            writer.commit_new()

    def children(self, folder: str) -> list[str]:
        path = self._path(folder) if folder else self.container
        try:
            with self._folder(path) as inside, readable(inside) as listing:
                return sorted(name for name in os.listdir(listing) if not name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            if not os.path.isdir(self.container):
                raise NoContainer(f"There is no folder {self.container}, so no backup is stored there.") from None
            return []
        except OSError as problem:
            raise explain("Listing", path, problem) from problem

    def create(self, name: str) -> ObjectWriter:
        return self._writer(self._path(name), make=True)

    def open(self, name: str, most_bytes: int | None = None) -> BinaryIO:
        path = self._path(name)
        try:
            with self._folder(os.path.dirname(path)) as folder:
                stream = os.fdopen(open_regular(path, folder=folder), "rb")
        except (FileNotFoundError, NotADirectoryError):
            raise ObjectMissing(f"{path} is missing.") from None
        except OSError as problem:
            raise explain("Opening", path, problem) from problem
        if most_bytes is not None and os.fstat(stream.fileno()).st_size > most_bytes:
            stream.close()
            raise too_large(path, most_bytes)
        return stream

    def delete_folder(self, folder: str) -> None:
        path = self._path(folder)
        try:
            with self._folder(os.path.dirname(path)) as above:
                name = os.path.basename(path)
                if is_folder(name, above):
                    remove_tree(above, path)
                else:
                    os.unlink(name, dir_fd=above)  # no folder, so nothing that a backup has written
        except FileNotFoundError:
            pass
        except OSError as problem:
            raise explain("Removing", path, problem) from problem

    def delete(self, name: str) -> None:
        path = self._path(name)
        try:
            with self._folder(os.path.dirname(path)) as folder:
                os.unlink(os.path.basename(path), dir_fd=folder)
                sync_folder(folder)
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as problem:
            raise explain("Removing", path, problem) from problem

    def size_of(self, folder: str) -> int:
        path = self._path(folder)
        try:
            with self._folder(os.path.dirname(path)) as above:
                return size_of_tree(above, path)
        except (FileNotFoundError, NotADirectoryError):
            return 0
        except OSError as problem:
            raise explain("Looking at", path, problem) from problem

    @contextmanager
    def lock(self, folder: str) -> Iterator[None]:
        """An flock on a file in the folder: the kernel releases it however the process ends."""
        path = self._path(folder)
        lock = os.path.join(path, LOCK_NAME)
        try:
            inside = self._open_folder(path, make=True)
        except OSError as problem:
            raise explain("Making the folder", path, problem) from problem
        try:
            with _opened_lock(lock, inside) as descriptor:
                self._take(descriptor, path)
                _tell(descriptor, inside, writer_line())
                try:
                    yield
                finally:
                    _tell(descriptor, inside, "")
        finally:
            os.close(inside)

    @staticmethod
    def _take(descriptor: int, path: str) -> None:
        """Take the lock of the folder with this path. Raises SetBusy, StorageError."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            writer = described(os.pread(descriptor, MOST_BYTES, 0).decode("ascii", "replace"))
            raise SetBusy(f"Another run is writing to {path}{writer}; start this one when that has ended.") from None
        except OSError as problem:
            raise explain("Locking", os.path.join(path, LOCK_NAME), problem) from problem
