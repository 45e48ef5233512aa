# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The target of a restore: nothing becomes visible before the restore is complete.

The chain is replayed into a staging folder inside the target, so that files are moved by renaming. Files of the target that
are not in the backup stay, and equal files are not touched.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from ..repository.errors import ArchiveError
from ..system import trust
from ..system.file_names import shown
from ..system.removal import remove_tree
from ..system.scratch import is_full, is_in_temporary_folder
from ..system.undo import on_failure
from .merge import Keep, Merge, conflicts
from .removing import Removal
from .target_folder import STAGING_PREFIX, close_to_others, let_owner_in, not_safe, open_folder, set_attributes
from .tree_comparison import attributes
from .written import Placed

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def is_empty(target: str) -> bool:
    """Whether a folder is empty, apart from leftovers of killed restores, or does not exist."""
    try:
        return all(name.startswith(STAGING_PREFIX) for name in os.listdir(target))
    except FileNotFoundError:
        return True
    except NotADirectoryError:
        raise ArchiveError(f"{shown(target)} is not a folder; choose a folder to restore into.") from None
    except OSError as problem:
        raise ArchiveError(f"{shown(target)} cannot be read: {problem.strerror}.") from problem


def check_target(target: str) -> str:
    """The real path of a target. Raises ArchiveError if another user could exchange a folder on the way to it."""
    try:
        real, obstacle = trust.own_way(target)
    except OSError as problem:
        raise ArchiveError(f"{shown(target)} cannot be restored into: {problem.strerror or problem}.") from problem
    if obstacle is not None:
        raise not_safe(target, obstacle)
    return real


class Staging:
    """The folder inside the target that has the tree until it is complete, and `beside` it what a restore needs meanwhile.

    It is locked while the restore runs; an unlocked one is a leftover, which the next restore removes.
    """

    def __init__(self, target: str) -> None:
        self._target = check_target(target)
        self._made: list[str] = []
        self._placed = Placed()
        #: What the target gets at the end, if anything was moved: the status and attributes of the tree's top.
        self._root_wanted: tuple[os.stat_result, dict[str, bytes]] | None = None
        self._open: list[int] = []
        with on_failure(self._take_back):
            try:
                self._make_target()
                self._root_before = (os.lstat(self._target), attributes(self._target))
                let_owner_in(self._target)
                self._top = os.open(self._target, _FOLDER_FLAGS)
                self._open.append(self._top)
                self._check_what_is_open()
                self._remove_leftovers()
                self._folder = os.path.join(self._target, self._make_folder())
                self.tree = os.path.join(self._folder, "tree")
                os.mkdir(self.tree, 0o700)
                self.beside = os.path.join(self._folder, "beside")
                os.mkdir(self.beside, 0o700)
            except OSError as problem:
                raise ArchiveError(f"{shown(target)} cannot be written to: {problem.strerror}.") from problem

    @property
    def top(self) -> int:
        """The target, open."""
        return self._top

    @property
    def name(self) -> str:
        """The name of the staging folder in the target."""
        return os.path.basename(self._folder)

    @property
    def target(self) -> str:
        """The real path of the target."""
        return self._target

    def _check_what_is_open(self) -> None:
        """Check the open folder again: another user may have exchanged it since the first check."""
        if check_target(self._target) != self._target or not os.path.samestat(
            os.fstat(self._top), os.lstat(self._target)
        ):
            raise not_safe(self._target, "it was replaced during the check")

    def _make_folder(self) -> str:
        """Make and lock a new folder in the target; returns its name. Raises OSError if it was exchanged."""
        name = STAGING_PREFIX + secrets.token_hex(4)
        os.mkdir(name, 0o700, dir_fd=self._top)
        lock = os.open(name, _FOLDER_FLAGS, dir_fd=self._top)
        self._open.append(lock)
        found = os.fstat(lock)
        if not trust.is_ours(found) or found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise PermissionError(errno.EPERM, "another user exchanged a new folder in it")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return name

    def _take_back(self) -> None:
        self._close_all()
        self._remove_made()

    def _close_all(self) -> None:
        while self._open:
            os.close(self._open.pop())

    def _make_target(self) -> None:
        missing = []
        path = self._target
        while not os.path.lexists(path):
            missing.append(path)
            path = os.path.dirname(path)
        for folder in reversed(missing):
            os.mkdir(folder, 0o700)
            self._made.insert(0, folder)

    def _remove_made(self) -> None:
        for folder in self._made:
            try:
                os.rmdir(folder)
            except OSError:
                return  # another program has put something into it

    def _remove_leftovers(self) -> None:
        for name in os.listdir(self._top):
            if not name.startswith(STAGING_PREFIX):
                continue
            leftover = os.path.join(self._target, name)
            found = os.lstat(leftover)
            if not trust.is_ours(found):
                continue  # another user's folder: its lock means nothing
            if not stat.S_ISDIR(found.st_mode):
                os.unlink(leftover)
                continue
            lock = os.open(name, _FOLDER_FLAGS, dir_fd=self._top)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove_tree(leftover)
            except BlockingIOError:
                raise ArchiveError(f"Another restore into {shown(self._target)} is running.") from None
            finally:
                os.close(lock)

    def place(
        self,
        with_root: bool,
        above: Collection[str] = (),
        keep: Keep | None = None,
        removal: Removal | None = None,
    ) -> Placed:
        """Move the tree into the target. With `with_root` the target also gets the attributes of the tree's top, at the end.

        `above` are folders (relative names) that keep their attributes where the target has them. `keep` moves away what is
        replaced. `removal` removes the rest when all is in its place, before folders get their attributes.

        Raises ArchiveError: before anything is moved, if the target has a folder where the backup has a file or a link, or if
        others may write to a folder that gets entries, or from which some are removed; later, if that changes meanwhile or the target cannot be written to,
        and then the entries moved so far stay.
        """
        in_the_way = list(conflicts(self.tree, self._target))
        if in_the_way:
            raise ArchiveError(
                f"In {shown(self._target)} there are folders where the backup has files or links: "
                f"{', '.join(shown(path) for path in in_the_way[:3])}. Move them away; nothing was changed."
            )
        placed = self._placed
        merge = Merge(placed, self._target, self._top, above, keep)
        if removal is not None:
            removal.check(merge.top, placed)
        try:
            with on_failure(merge.abandon):
                with open_folder(self.tree) as wanted:
                    if with_root:
                        self._root_wanted = (wanted, attributes(self.tree))
                        close_to_others(self._top, self._root_before[1], *self._root_wanted)
                    merge.tree(self.tree)
                if removal is not None:
                    removal.run(merge.top, placed)
                merge.finish()
        except OSError as problem:
            raise ArchiveError(
                f"The restore stopped at {shown(merge.at)}: {problem.strerror}. Files "
                "restored so far stay; solve that problem, and repeat the restore with overwrite."
            ) from problem
        if self._root_wanted is not None:
            before, before_attributes = self._root_before
            same = (before.st_mode, before.st_mtime_ns) == (wanted.st_mode, wanted.st_mtime_ns)
            same = same and (os.geteuid() != 0 or (before.st_uid, before.st_gid) == (wanted.st_uid, wanted.st_gid))
            if not same or before_attributes != self._root_wanted[1]:
                placed.replaced += 1
                placed.replaced_paths.insert(0, ".")
            else:
                placed.equal += 1
        return placed

    def close(self, placed: bool, with_root: bool) -> None:
        """Remove the staging folder, after a failure also new folders of the target path."""
        try:
            remove_tree(self._folder)
            if not placed and self._made:
                self._remove_made()
            elif self._root_wanted is not None:
                # At the very end, because the target may become another user's; also where files were moved before a failure.
                found, wanted = self._root_wanted
                set_attributes(self._top, self._target, self._root_before[1], found, wanted, self._placed)
            else:
                self._put_back(keep_time=with_root or not (self._placed.created or self._placed.replaced))
        finally:
            self._close_all()

    def _put_back(self, keep_time: bool) -> None:
        before = self._root_before[0]
        try:
            if os.fstat(self._top).st_mode != before.st_mode:
                os.chmod(self._top, stat.S_IMODE(before.st_mode))
            if keep_time:
                os.utime(self._top, ns=(before.st_atime_ns, before.st_mtime_ns))
        except PermissionError:
            pass  # the mode and time of another user's folder cannot be set


@contextmanager
def staging(target: str, with_root: bool) -> Iterator[Staging]:
    """A staging folder for a target, as a context; without an error the placed files stay.

    Raises ArchiveError if there is no room in the target, before anything is placed.
    """
    stage = Staging(target)
    with on_failure(lambda: stage.close(placed=False, with_root=with_root)):
        try:
            yield stage
        except OSError as problem:
            if not is_full(problem) or is_in_temporary_folder(problem):
                raise
            raise ArchiveError(
                f"There is no room for the backup in {shown(stage.target)} ({problem.strerror}), so nothing was restored. Make room "
                "there, or choose another folder."
            ) from problem
    stage.close(placed=True, with_root=with_root)
