# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The last state of a chain as a read-only file system."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Callable

from ..errors import FreezerError
from ..repository.backup_set import StoredBackup
from ..storage.base import Storage
from ..system.file_names import shown
from ..system.fuse import Entry, FileSystem
from ..system.scratch import scratch_folder
from .file_content import FileContents
from .known_maps import KnownMaps
from .open_backup import open_backup
from .records import FILE, FOLDER
from .sealed import Sealing
from .tree_index import Found, TreeIndex

_TYPES = {
    b"-": stat.S_IFREG,
    b"d": stat.S_IFDIR,
    b"l": stat.S_IFLNK,
    b"p": stat.S_IFIFO,
    b"b": stat.S_IFBLK,
    b"c": stat.S_IFCHR,
}
_STAT_BLOCK = 512
#: The most paths of which is remembered that they cannot be read.
_MOST_UNREAD = 1000


class MountedChain(FileSystem):
    """A chain, opened. A context, with its files in a scratch folder.

    `tell` gets a sentence about each path that cannot be read, once.
    """

    def __init__(
        self, storage: Storage, chain: Sequence[StoredBackup], sealing: Sealing, tell: Callable[[str], None]
    ) -> None:
        self._storage, self._chain, self._sealing, self._tell = storage, chain, sealing, tell
        self._stack = ExitStack()
        #: The paths that could not be read, as far as they are remembered, and why.
        self.unread: dict[str, str] = {}

    def __enter__(self) -> MountedChain:
        """Read the catalogues. Raises DamagedArchive, StorageError, HostError or OSError."""
        open_level = partial(open_backup, self._storage, sealing=self._sealing)
        with self._stack as stack:
            levels = [stack.enter_context(open_level(backup=one)) for one in self._chain]
            scratch = stack.enter_context(scratch_folder())
            maps = stack.enter_context(KnownMaps([partial(open_level, backup=one) for one in self._chain], scratch))
            self._index = stack.enter_context(TreeIndex([level.catalogue for level in levels], scratch))
            self._contents = FileContents(levels, maps)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_problem: object) -> None:
        self._stack.close()

    @property
    def count(self) -> int:
        """The number of its paths."""
        return self._index.count

    def status(self, path: bytes) -> Mapping[str, int]:
        with self._readable(path):
            found = self._found(path)
            one = self._index.file_of(found)
            member = one.member
            kind = member.kind
            size = len(member.link) if kind == b"l" else member.size_bytes
            return {
                "st_mode": _TYPES[kind] | member.permissions,
                "st_ino": one.number + 1,
                "st_nlink": 1 if kind == FOLDER else one.other,
                "st_uid": int(member.uid),
                "st_gid": int(member.gid),
                "st_rdev": os.makedev(*member.device) if member.device else 0,
                "st_size": size,
                "st_blocks": self._blocks(one),
                "st_atime": member.mtime_ns,
                "st_mtime": member.mtime_ns,
                "st_ctime": member.mtime_ns,
            }

    def entries(self, path: bytes, position: int) -> Iterator[Entry]:
        with self._readable(path):
            for found in self._index.below(self._folder(path), position):
                one = self._index.file_of(found)
                name = found.member.name.rpartition(b"/")[2]
                yield Entry(name, _TYPES[one.member.kind], one.number + 1, found.behind)

    def link(self, path: bytes) -> bytes:
        with self._readable(path):
            return self._file(path).member.link

    def read(self, path: bytes, begin: int, size: int) -> bytes:
        with self._readable(path):
            one = self._file(path)
            return self._contents.read(one.level, one.member, begin, size)

    def attributes(self, path: bytes) -> Mapping[bytes, bytes]:
        with self._readable(path):
            one = self._file(path)
            return self._contents.attributes(one.level, one.member) if int(one.member.length) else {}

    def _found(self, path: bytes) -> Found:
        found = self._index.find(path)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return found

    def _file(self, path: bytes) -> Found:
        return self._index.file_of(self._found(path))

    def _folder(self, path: bytes) -> Found:
        found = self._found(path)
        if found.member.kind != FOLDER:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        return found

    def _blocks(self, one: Found) -> int:
        """The blocks that a file has beside its holes, by which programs know that it has any."""
        if one.member.kind != FILE:
            return 0
        try:
            used = self._contents.data_bytes(one.level, one.member)
        except FreezerError:
            used = one.member.size_bytes  # whoever reads the file is told
        return -(-used // _STAT_BLOCK)

    @contextmanager
    def _readable(self, path: bytes) -> Iterator[None]:
        """Turn what is wrong with a backup, or a storage, into an error of input, and tell it."""
        try:
            yield
        except (FileNotFoundError, NotADirectoryError):
            raise
        except Exception as problem:
            self._remember(shown(os.fsdecode(path)) or ".", problem)
            raise OSError(errno.EIO, os.strerror(errno.EIO)) from problem

    def _remember(self, path: str, problem: Exception) -> None:
        if path in self.unread or len(self.unread) >= _MOST_UNREAD:
            return
        why = str(problem) if isinstance(problem, FreezerError) else f"{type(problem).__name__}: {problem}."
        self.unread[path] = why
        self._tell(f"{path} cannot be read: {why}")
