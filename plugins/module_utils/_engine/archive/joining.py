# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Joins the levels of a restore: each was extracted into a folder of its own, and no path is in two of them.

All of it lies in a folder that only this user can enter. Still nothing here goes by path names: folders are entered one by
one, never through a link, and left by "..", so that a tree may be deeper than a path can be long, or than files can be open.
"""

from __future__ import annotations

import os
import stat

from ..repository.errors import DamagedArchive
from ..system.file_names import shown

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class _Pair:
    """The same folder in both trees; it is entered and left in both at once."""

    def __init__(self, source: str, target: str) -> None:
        self._source = os.open(source, _FOLDER)
        self._target = os.open(target, _FOLDER)
        #: Of each folder on the way: its status in the target, and the names in it that are still to be entered.
        self._way: list[tuple[os.stat_result, list[str]]] = []
        self._names: list[str] = []

    def close(self) -> None:
        os.close(self._source)
        os.close(self._target)

    def join(self) -> None:
        self._arrive()
        while True:
            found, to_enter = self._way[-1]
            if to_enter:
                self._move_to(to_enter.pop())
                self._arrive()
                continue
            # Moving entries has changed the time, and its owner may have been let in.
            os.fchmod(self._target, stat.S_IMODE(found.st_mode))
            os.utime(self._target, ns=(found.st_atime_ns, found.st_mtime_ns))
            self._way.pop()
            if not self._way:
                return
            self._move_to("..")
            self._names.pop()

    def _move_to(self, name: str) -> None:
        source = os.open(name, _FOLDER, dir_fd=self._source)
        os.close(self._source)
        self._source = source
        target = os.open(name, _FOLDER, dir_fd=self._target)
        os.close(self._target)
        self._target = target
        if name != "..":
            self._names.append(name)

    def _arrive(self) -> None:
        """Move what is no folder, and folders that the target does not have."""
        found = os.fstat(self._target)
        os.fchmod(self._target, stat.S_IMODE(found.st_mode) | stat.S_IRWXU)
        os.fchmod(self._source, stat.S_IRWXU)
        to_enter = []
        with os.scandir(self._source) as entries:
            names = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for name, is_folder in names:
            there = self._look(name)
            if is_folder and there is not None and stat.S_ISDIR(there.st_mode):
                to_enter.append(name)
            elif there is not None:
                path = shown(os.path.join(*self._names, name))
                raise DamagedArchive(f"Two levels of the chain have {path} as their last state.")
            else:
                os.rename(name, name, src_dir_fd=self._source, dst_dir_fd=self._target)
        self._way.append((found, to_enter))

    def _look(self, name: str) -> os.stat_result | None:
        try:
            return os.stat(name, dir_fd=self._target, follow_symlinks=False)
        except FileNotFoundError:
            return None


def join(source: str, target: str) -> None:
    """Move all that is in one tree into another one, whose folders keep their modes, owners, attributes and times.

    Both are private and on one file system. Raises DamagedArchive if both have the same path, and OSError; the trees are then
    of no use.
    """
    pair = _Pair(source, target)
    try:
        pair.join()
    finally:
        pair.close()
