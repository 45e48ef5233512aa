# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A read-only file system of this process, mounted through FUSE with the library mfusepy, which is imported when it is needed.

It is served by one thread: what it reads from need not be safe for several.
"""

from __future__ import annotations

import errno
import importlib
import os
import shlex
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Callable, NamedTuple

from . import trust
from .errors import HostError
from .file_names import shown

_DEVICE = "/dev/fuse"
_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
#: How long the kernel may remember what does not change, in seconds.
_REMEMBERED_SECONDS = 86400
#: The positions of ``.`` and ``..`` in a folder; those of its names come behind.
_DOTS = 2
#: Extended attributes that the kernel asks for all the time, and no file has: lists of access are text in an archive.
_NEVER = (b"system.posix_acl_access", b"system.posix_acl_default")


class Entry(NamedTuple):
    """One name in a folder."""

    name: bytes
    mode: int
    inode: int
    #: Where the folder goes on behind it, above 0.
    position: int


class FileSystem(ABC):
    """What is served. Paths are relative, the folder itself is empty. Methods raise OSError, and nothing else."""

    @abstractmethod
    def status(self, path: bytes) -> Mapping[str, int]:
        """The fields of stat(2), with times in nanoseconds."""

    @abstractmethod
    def entries(self, path: bytes, position: int) -> Iterator[Entry]:
        """The names in a folder, from a position of one of them on, or from 0."""

    @abstractmethod
    def link(self, path: bytes) -> bytes:
        """What a symbolic link holds."""

    @abstractmethod
    def read(self, path: bytes, begin: int, size: int) -> bytes:
        """Some bytes of a file, fewer where it ends."""

    @abstractmethod
    def attributes(self, path: bytes) -> Mapping[bytes, bytes]:
        """The extended attributes of a path."""


def unmounting(point: str) -> str:
    """The command by which this user takes a mount away."""
    return f"{'umount' if os.geteuid() == 0 else 'fusermount3 -u'} {shlex.quote(point)}"


def mount_point(path: str) -> str:
    """The real path of an empty folder of this user. Raises HostError if it is something else, or others could exchange it."""
    try:
        real, obstacle = trust.own_way(path)
        names = os.listdir(real)
        own = os.stat(real).st_uid == os.geteuid()
    except OSError as problem:
        if problem.errno == errno.ENOTCONN:
            raise HostError(
                f"At {shown(path)} is still mounted what a process that was killed has mounted; take it away first: {unmounting(path)}."
            ) from None
        raise HostError(f"{shown(path)} is no folder to mount at: {problem.strerror or problem}.") from None
    if os.path.ismount(real):
        raise HostError(f"Something is mounted at {shown(path)} already; unmount it, or name another folder.")
    if obstacle is not None or not own:
        why = obstacle or f"{shown(real)} belongs to another user"
        raise HostError(f"Nothing was mounted at {shown(path)}: {why}. Name an empty folder of your own.")
    if names:
        raise HostError(f"{shown(path)} is not empty, and a mount would hide what is in it; name an empty folder.")
    return real


def library() -> Any:
    """The library mfusepy with libfuse. Raises HostError if one of them, or FUSE itself, is missing here."""
    try:
        found = importlib.import_module("mfusepy")
    except ImportError as error:
        raise HostError(
            f"A mount needs the Python library mfusepy, which {sys.executable} does not have ({error}). Install it there: with "
            f"{sys.executable} -m pip install 'mfusepy>=3.1,<4'."
        ) from error
    except (OSError, AttributeError) as error:  # what it says without libfuse, and with one that it does not know
        raise HostError(
            f"A mount needs libfuse, which this host does not have ({error}). Install the package fuse3 of the distribution."
        ) from error
    try:
        os.close(os.open(_DEVICE, os.O_RDWR | os.O_CLOEXEC))
    except OSError as problem:
        raise HostError(
            f"{_DEVICE} cannot be opened: {problem.strerror}. A mount needs FUSE in the kernel (modprobe fuse); in a container, the "
            f"device and the right to mount (--device {_DEVICE} --cap-add SYS_ADMIN)."
        ) from None
    return found


def serve(files: FileSystem, point: str, name: str, mounted: Callable[[], None]) -> None:
    """Mount it at a folder, call `mounted`, and serve it until it is unmounted, or SIGTERM, SIGINT or SIGHUP comes.

    `name` is what tables of mounts call it. Nothing is mounted afterwards. Only for the main thread. Raises HostError.
    """
    fuse = library()
    operations = _Operations(files, mounted)
    with _signals_of_libfuse():
        try:
            fuse.FUSE(
                operations,
                point,
                foreground=True,
                nothreads=True,
                ro=True,
                nosuid=True,
                nodev=True,
                fsname=name,
                subtype="freezer",
                use_ino=True,
                kernel_cache=True,
                entry_timeout=_REMEMBERED_SECONDS,
                attr_timeout=_REMEMBERED_SECONDS,
                negative_timeout=_REMEMBERED_SECONDS,
            )
        except RuntimeError:
            # libfuse returns an error after a signal as well.
            if not operations.is_mounted:
                raise HostError(
                    f"Nothing could be mounted at {shown(point)}; libfuse has said why. It needs root or the program fusermount3 (of the "
                    "package fuse3), and in a container the right to mount (--cap-add SYS_ADMIN)."
                ) from None


@contextmanager
def _signals_of_libfuse() -> Iterator[None]:
    """Leave signals to libfuse, which unmounts. They wait until it listens (`_Operations.init`), so that no mount is left behind."""
    before = {number: signal.getsignal(number) for number in _ENDING}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


class _Operations:
    """The calls of mfusepy. It takes an OSError as an answer; everything else would be a traceback on standard error."""

    #: Times are in nanoseconds.
    use_ns = True

    def __init__(self, files: FileSystem, mounted: Callable[[], None]) -> None:
        self._files, self._mounted = files, mounted
        self.is_mounted = False
        self._ignores_interrupts = signal.getsignal(signal.SIGINT) is signal.SIG_IGN

    def init(self, _path: str) -> None:
        if self._ignores_interrupts:  # mfusepy does not keep that
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
        self.is_mounted = True
        self._mounted()

    def getattr(self, path: str, _handle: int | None = None) -> Mapping[str, int]:
        return self._files.status(_relative(path))

    def readdir_with_offset(self, path: str, offset: int, _handle: int) -> Iterator[tuple[str, dict[str, int], int]]:
        for number, name in enumerate((".", ".."), 1):
            if offset < number:
                yield name, {"st_mode": 0o40000}, number
        for entry in self._files.entries(_relative(path), max(0, offset - _DOTS)):
            about = {"st_mode": entry.mode, "st_ino": entry.inode}
            yield _decoded(entry.name), about, entry.position + _DOTS

    def readlink(self, path: str) -> str:
        return _decoded(self._files.link(_relative(path)))

    def read(self, path: str, size: int, offset: int, _handle: int) -> bytes:
        return self._files.read(_relative(path), offset, size)

    def listxattr(self, path: str) -> list[str]:
        return list(map(_decoded, self._files.attributes(_relative(path))))

    def getxattr(self, path: str, name: str) -> bytes:
        wanted = _encoded(name)
        found = None if wanted in _NEVER else self._files.attributes(_relative(path)).get(wanted)
        if found is None:
            raise OSError(errno.ENODATA, os.strerror(errno.ENODATA))
        return found


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _decoded(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _relative(path: str) -> bytes:
    return _encoded(path[1:])
