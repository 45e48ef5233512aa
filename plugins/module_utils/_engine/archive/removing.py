# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Removes from a target what a backup does not have, and keeps what is removed or replaced in a folder if that is wanted.

As in `merge` nothing goes by path names: each folder is opened below its open parent, never through a link, and checked.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Callable

from ..errors import OptionError
from ..repository.errors import ArchiveError
from ..system import trust
from ..system.file_names import shown
from .target_folder import Folder, OthersMayExchange, enter, let_owner_in, opened
from .written import LISTED_AT_MOST, Placed

#: Something else is in a folder, or mounted on it, or it is none any more.
_STAYS = (errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY, errno.ENOTDIR, errno.ELOOP, errno.ENOENT)
_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Undo:
    """A new folder that gets what a restore replaces and removes, below the names that it had. A context."""

    def __init__(self, path: str, target: int) -> None:
        """Make the folder. Raises OptionError if it exists, or is on another file system than the open target; or ArchiveError."""
        self.path = path
        try:
            real, obstacle = trust.own_way(os.path.dirname(path))
            if obstacle is not None:
                raise OptionError(
                    f"undo_folder {shown(path)} is not safe: {obstacle}. Choose another one; nothing was restored."
                )
            self._real = os.path.join(real, os.path.basename(path))
            os.mkdir(self._real, 0o700)
            self._folder = os.open(self._real, _FLAGS)
        except FileExistsError:
            raise OptionError(f"undo_folder {shown(path)} exists; name a new one. Nothing was restored.") from None
        except OSError as problem:
            raise OptionError(
                f"undo_folder {shown(path)} cannot be made: {problem.strerror}. Nothing was restored."
            ) from None
        self.has_any = False
        if os.fstat(self._folder).st_dev != os.fstat(target).st_dev:
            self.close()
            raise OptionError(
                f"undo_folder {shown(path)} is on another file system than the target; name a folder beside the target. Nothing was "
                "restored."
            )

    @property
    def real(self) -> str:
        """Where the path leads to."""
        return self._real

    def close(self) -> None:
        """Close the folder, and remove it if it got nothing."""
        os.close(self._folder)
        if not self.has_any:
            os.rmdir(self._real)

    def take(self, folder: Folder, name: str) -> None:
        """Move an entry of a folder of the target here. Raises OSError, and ArchiveError for one of another file system."""
        with ExitStack() as way:
            last = os.dup(self._folder)
            way.callback(os.close, last)
            for part in folder.names:
                try:
                    os.mkdir(part, 0o700, dir_fd=last)
                except FileExistsError:
                    pass
                last = os.open(part, _FLAGS, dir_fd=last)
                way.callback(os.close, last)
            try:
                os.rename(name, name, src_dir_fd=folder.descriptor, dst_dir_fd=last)
            except OSError as problem:
                if problem.errno != errno.EXDEV:
                    raise
                raise ArchiveError(
                    f"{shown(os.path.join(folder.path, name))} is on another file system than undo_folder, so it was not replaced. Files "
                    "restored so far stay; restore what is below that file system by itself."
                ) from None
        self.has_any = True


class Removal:
    """What is removed from a target: it is looked at before anything is moved, and removed when all is in its place."""

    def __init__(self, names: Callable[[], Iterable[tuple[bytes, bool]]], undo: Undo | None, marker: str) -> None:
        """`names` gives relative names, folders before what is in them, and whether each was a folder.

        A folder stays if something is left in it, if it became another file system, or if it has a file named `marker` of root or of
        this user, then with all that is below it. What is no longer what it was stays as well.
        """
        self._names, self._undo, self._marker = names, undo, marker

    def check(self, top: Folder, placed: Placed) -> None:
        """Raise ArchiveError for what `run` could not remove; folders that stay by their marker are told in the remarks."""
        try:
            for _name, _folder in self._steps(top, placed.remarks):
                pass
        except OthersMayExchange as problem:
            raise ArchiveError(
                f"The backup does not have {shown(problem.path)}, and with delete it would be removed, but {problem.obstacle}, who could "
                "redirect that. Nothing was restored. Leave it out (exclude), move it away, or restore without delete."
            ) from problem
        except OSError as problem:
            raise ArchiveError(
                f"What delete would remove from {shown(top.path)} cannot be looked at: {problem.strerror}"
                f"{f' ({shown(problem.filename)})' if isinstance(problem.filename, str) else ''}. Nothing was restored."
            ) from problem

    def run(self, top: Folder, placed: Placed) -> None:
        """Remove it. Raises OSError and ArchiveError."""
        for name, folder in self._steps(top, []):
            if folder is None:
                _remove_folder(name, top, placed, self._undo)
            else:
                _remove_entry(folder, os.path.basename(name), self._undo)
                _removed(name, placed)

    def _steps(self, top: Folder, remarks: list[str]) -> Iterator[tuple[str, Folder | None]]:
        """The names to be removed, folders after what is in them; of anything but a folder also the folder that has it, open."""
        pending: list[str] = []
        kept: str | None = None
        for raw, is_folder in self._names():
            name = os.fsdecode(raw)
            if kept is not None and name.startswith(kept):
                continue
            while pending and not name.startswith(pending[-1] + "/"):
                yield pending.pop(), None
            with ExitStack() as way:
                folder, last = _folder_of(name, top, way), os.path.basename(name)
                found = None if folder is None else folder.look(last)
                if folder is None or found is None or stat.S_ISDIR(found.st_mode) != is_folder:
                    continue
                if not is_folder:
                    yield name, folder
                elif self._is_another(folder, last, remarks):
                    kept = name + "/"
                else:
                    pending.append(name)
        while pending:
            yield pending.pop(), None

    def _is_another(self, folder: Folder, name: str, remarks: list[str]) -> bool:
        """Whether a folder stays, as another file system or as a container. Raises OthersMayExchange for another user's."""
        with enter(folder, name, only_look=True) as below:
            if os.fstat(below.descriptor).st_dev != os.fstat(folder.descriptor).st_dev:
                return True
            found = below.look(self._marker)
            # Any user could make such a file, and so keep a folder from being removed.
            if found is not None and stat.S_ISREG(found.st_mode) and trust.is_own(found):
                if len(remarks) < LISTED_AT_MOST:
                    remarks.append(
                        f"{shown(below.path)} is not in the backup and stays, as a container of backups: it has the marker {self._marker}."
                    )
                return True
        with enter(folder, name):
            return False


def _folder_of(name: str, top: Folder, way: ExitStack) -> Folder | None:
    """The open folder that has an entry; None if it is not there any more."""
    last = top
    for part in name.split("/")[:-1]:
        try:
            last = way.enter_context(enter(last, part))
        except OSError as problem:
            if problem.errno != errno.EAGAIN:
                raise
            return None
    return last


def _remove_entry(folder: Folder, name: str, undo: Undo | None) -> None:
    let_owner_in(opened(folder.descriptor))
    if undo is not None:
        undo.take(folder, name)
    else:
        os.unlink(name, dir_fd=folder.descriptor)


def _remove_folder(name: str, top: Folder, placed: Placed, undo: Undo | None) -> None:
    with ExitStack() as way:
        folder = _folder_of(name, top, way)
        if folder is None:
            return
        last = os.path.basename(name)
        let_owner_in(opened(folder.descriptor))
        try:
            if undo is not None and not _has_entries(folder, last):
                try:
                    undo.take(folder, last)
                except OSError as problem:
                    if problem.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                        raise
                    os.rmdir(last, dir_fd=folder.descriptor)  # what was in it is there already
            else:
                os.rmdir(last, dir_fd=folder.descriptor)
        except OSError as problem:
            if problem.errno not in _STAYS:
                raise
            return
    _removed(name, placed)


def _has_entries(folder: Folder, name: str) -> bool:
    descriptor = os.open(name, _FLAGS, dir_fd=folder.descriptor)
    try:
        return bool(os.listdir(descriptor))
    finally:
        os.close(descriptor)


def _removed(name: str, placed: Placed) -> None:
    placed.removed += 1
    if len(placed.removed_paths) < LISTED_AT_MOST:
        placed.removed_paths.append(shown(name))
