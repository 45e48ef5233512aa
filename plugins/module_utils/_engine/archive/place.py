# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""From a finished replay to its target: nothing of a restore is visible before all of it is there.

The chain is replayed into a staging folder inside the target, so that moving is renaming. What stands in the target and
not in the backup stays; what is in both and equal is not touched.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from . import process, trust
from .errors import ArchiveError
from .extract import make_writable
from .tar import shown
from .tree import attributes, same_file
from .written import LISTED_AT_MOST, Written

STAGING_PREFIX = ".freezer-restore-"
#: So deep a tree can be merged into one that is there; Python's own stack sets the limit.
MERGED_DEPTH = 200
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def is_empty(target: str) -> bool:
    """Whether nothing stands in the way of a restore into this folder (leftovers of a killed restore do not)."""
    try:
        return all(name.startswith(STAGING_PREFIX) for name in os.listdir(target))
    except FileNotFoundError:
        return True
    except NotADirectoryError:
        raise ArchiveError(f"{shown(target)} is not a folder, and a restore needs one; choose another.") from None
    except OSError as problem:
        raise ArchiveError(f"{shown(target)} cannot be read: {problem.strerror}.") from problem


@dataclass
class Placed:
    """What a restore did to its target: paths made, replaced, and found equal already. A new folder counts once."""

    created: int = 0
    replaced: int = 0
    equal: int = 0
    #: What was written in all, also below new folders.
    written: Written = field(default_factory=Written)
    #: The first of the paths that were replaced, below the target; its own, ".", comes first.
    replaced_paths: list[str] = field(default_factory=list)
    #: Folders of somebody else: what is in them is restored, their own mode, owner and time are not.
    not_restored: list[dict[str, str]] = field(default_factory=list)


def check_target(target: str) -> str:
    """The real path of a target that nobody else can exchange meanwhile. Raises ArchiveError if others could."""
    try:
        real, obstacle = trust.own_way(target)
    except OSError as problem:
        raise ArchiveError(f"{shown(target)} cannot be restored into: {problem.strerror or problem}.") from problem
    if obstacle is not None:
        raise _not_safe(target, obstacle)
    return real


def _not_safe(target: str, obstacle: str) -> ArchiveError:
    owner = "root" if os.geteuid() == 0 else "this user"
    return ArchiveError(
        f"Nothing was restored into {shown(target)}: {obstacle}, and files could be led somewhere else while they are put "
        f"there. Restore into a new folder that only {owner} may write to, and move it to its place afterwards."
    )


class Staging:
    """The folder inside the target that holds a tree until it is complete.

    Its lock tells a restore that is under way from what a killed one left, which the next restore removes.
    """

    def __init__(self, target: str) -> None:
        self._target = check_target(target)
        self._made: list[str] = []
        self._placed = Placed()
        self._open: list[int] = []
        try:
            self._make_target()
            self._root_before = (os.lstat(self._target), attributes(self._target))
            _let_owner_in(self._target)
            self._top = os.open(self._target, _FOLDER_FLAGS)
            self._open.append(self._top)
            self._check_what_is_open()
            self._remove_leftovers()
            self._folder = os.path.join(self._target, self._make_folder())
            self.tree = os.path.join(self._folder, "tree")
            os.mkdir(self.tree, 0o700)
        except OSError as problem:
            self._close_all()
            self._remove_made()
            raise ArchiveError(f"{shown(target)} cannot be written to: {problem.strerror}.") from problem
        except BaseException:
            self._close_all()
            self._remove_made()
            raise

    def _check_what_is_open(self) -> None:
        """Look once more, now that it is there: where all may make folders, another user may have been faster."""
        if check_target(self._target) != self._target or not os.path.samestat(
            os.fstat(self._top), os.lstat(self._target)
        ):
            raise _not_safe(self._target, "it was replaced a moment ago")

    def _make_folder(self) -> str:
        """A new folder in the target, locked, by its name. Raises OSError if it is not what was made."""
        name = STAGING_PREFIX + secrets.token_hex(4)
        os.mkdir(name, 0o700, dir_fd=self._top)
        lock = os.open(name, _FOLDER_FLAGS, dir_fd=self._top)
        self._open.append(lock)
        found = os.fstat(lock)
        if not trust.is_ours(found) or found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise PermissionError(errno.EPERM, "a folder in it does not stay this user's own")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return name

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
                return  # somebody has put something into it

    def _remove_leftovers(self) -> None:
        for name in os.listdir(self._top):
            if not name.startswith(STAGING_PREFIX):
                continue
            leftover = os.path.join(self._target, name)
            found = os.lstat(leftover)
            if not trust.is_ours(found):
                continue  # no restore of this user's left it, and a lock on it says nothing
            if not stat.S_ISDIR(found.st_mode):
                os.unlink(leftover)
                continue
            lock = os.open(name, _FOLDER_FLAGS, dir_fd=self._top)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove_tree(leftover)
            except BlockingIOError:
                raise ArchiveError(f"Another restore into {shown(self._target)} is under way.") from None
            finally:
                os.close(lock)

    def place(self, with_root: bool) -> Placed:
        """Move the tree into the target. With `with_root` the target takes the attributes of the tree's top too, at the end.

        Raises ArchiveError: before anything is moved if a folder stands where the backup has something else, or others may
        write to a folder that something is moved into; later if the target cannot be written to, and then what was moved
        stays.
        """
        conflicts = list(_conflicts(self.tree, self._target))
        if conflicts:
            raise ArchiveError(
                f"In {shown(self._target)} there are folders where the backup has files or links: "
                f"{', '.join(shown(path) for path in conflicts[:3])}. Move them away; nothing was changed."
            )
        placed = self._placed
        merge = _Merge(placed, self._target)
        try:
            with _open_folder(self.tree) as wanted:
                merge.folder(self.tree, self._target)
            merge.finish()
        except OSError as problem:
            raise ArchiveError(
                f"The restore stopped at {shown(problem.filename or self._target)}: {problem.strerror}. What was put "
                "in place until then stays; repeat the restore with overwrite when that is mended."
            ) from problem
        if with_root:
            self._root_wanted = (wanted, attributes(self.tree))
            before, before_attributes = self._root_before
            same = (before.st_mode, before.st_mtime_ns) == (wanted.st_mode, wanted.st_mtime_ns)
            same = same and (os.geteuid() != 0 or (before.st_uid, before.st_gid) == (wanted.st_uid, wanted.st_gid))
            if not same or before_attributes != self._root_wanted[1]:
                placed.replaced += 1
                placed.replaced_paths.insert(0, ".")
        return placed

    def close(self, placed: bool, with_root: bool) -> None:
        """Remove the staging folder, and after a failure also the folders that were made for the target."""
        try:
            remove_tree(self._folder)
            if not placed and self._made:
                self._remove_made()
            elif placed and with_root:
                # The last thing of all: the target may become another user's.
                found, wanted = self._root_wanted
                _set_attributes(self._top, self._target, self._root_before[1], found, wanted, self._placed)
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
            pass  # a folder of another user keeps the mode and the time that it has


@contextmanager
def staging(target: str, with_root: bool) -> Iterator[Staging]:
    """A staging folder for a target; leaving the context without an error keeps what was placed."""
    stage = Staging(target)
    try:
        yield stage
    except BaseException:
        stage.close(placed=False, with_root=with_root)
        raise
    stage.close(placed=True, with_root=with_root)


def remove_tree(path: str) -> None:
    """Remove a staging folder. With rm, because Python's way ends at some hundred folders in each other."""
    make_writable(path)
    status, _output, said = process.run(["rm", "-rf", "--", path])
    if status != 0:
        why = said or f"rm ended with {status}"
        raise ArchiveError(f"The folder {shown(path)}, which the restore needed, cannot be removed: {why}.")


def _is_folder(path: str) -> bool:
    return stat.S_ISDIR(os.lstat(path).st_mode)


def _conflicts(staged: str, target: str, depth: int = 0) -> Iterator[str]:
    if depth > MERGED_DEPTH:
        raise ArchiveError(
            f"{shown(target)} is {depth} folders deep, and a restore over what is there ends before that; "
            "restore into an empty folder. Nothing was changed."
        )
    for name in os.listdir(staged):
        here, there = os.path.join(staged, name), os.path.join(target, name)
        if not os.path.lexists(there) or not _is_folder(there):
            continue
        if _is_folder(here):
            obstacle = trust.others_may_exchange(there, os.lstat(there))
            if obstacle is not None:
                raise _not_safe(there, obstacle)
            yield from _conflicts(here, there, depth + 1)
        else:
            yield there


def _set_attributes(
    target: int | str,
    name: str,
    present: dict[str, bytes],
    found: os.stat_result,
    wanted: dict[str, bytes],
    placed: Placed,
) -> None:
    """Give a folder, by its path or its descriptor, owner, mode, attributes and time of another one."""
    try:
        if os.geteuid() == 0:
            os.chown(target, found.st_uid, found.st_gid)
        os.chmod(target, stat.S_IMODE(found.st_mode))
        for key in present.keys() - wanted.keys():
            os.removexattr(target, key)
        for key, value in wanted.items():
            if present.get(key) != value:
                os.setxattr(target, key, value)
        os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))
    except OSError as problem:
        if problem.errno not in (errno.EPERM, errno.EACCES, errno.ENOTSUP):
            raise
        placed.not_restored.append({"path": shown(name), "message": f"Cannot set attributes: {problem.strerror}"})


def _move(source: str, target: str, across: bool = True) -> None:
    """Rename over whatever file is there; across file systems copy beside it first."""
    mode = os.lstat(source).st_mode
    closed = os.geteuid() != 0 and stat.S_ISDIR(mode) and not mode & stat.S_IWUSR
    if closed:
        # Moving a folder writes its own "..", so its owner has to be let in.
        os.chmod(source, stat.S_IMODE(mode) | stat.S_IRWXU)
    try:
        os.rename(source, target)
    except OSError as problem:
        if problem.errno != errno.EXDEV or not across:
            raise
        _copy_over(source, target)
    if closed:
        os.chmod(target, stat.S_IMODE(mode))


def _copy_over(source: str, target: str) -> None:
    """Put a copy where a rename cannot lead, whole or not at all."""
    # In a folder of its own: what is copied may belong to another user, who must not get at it before it is whole.
    beside = os.path.join(os.path.dirname(target), f"{STAGING_PREFIX}{secrets.token_hex(4)}")
    copied = os.path.join(beside, "copy")
    try:
        os.mkdir(beside, 0o700)
        copy = ["cp", "--archive", "--sparse=always", "--no-target-directory", "--", source, copied]
        status, _output, said = process.run(copy)
        if status != 0:
            raise ArchiveError(f"{shown(target)} cannot be copied to its file system: {said}.")
        _move(copied, target, across=False)
    finally:
        if os.path.lexists(beside):
            remove_tree(beside)


def _let_owner_in(folder: str) -> None:
    mode = stat.S_IMODE(os.lstat(folder).st_mode)
    if os.geteuid() != 0 and mode & stat.S_IRWXU != stat.S_IRWXU:
        try:
            os.chmod(folder, mode | stat.S_IRWXU)
        except PermissionError:
            pass  # somebody else's: what cannot be done in it will be told


@contextmanager
def _open_folder(folder: str) -> Iterator[os.stat_result]:
    """Let its owner move entries out of a staged folder, and give it back the mode and time that it had."""
    found = os.lstat(folder)
    _let_owner_in(folder)
    yield found
    os.chmod(folder, stat.S_IMODE(found.st_mode))
    os.utime(folder, ns=(found.st_atime_ns, found.st_mtime_ns))


class _Merge:
    """Moves what is in one folder into another one that is there."""

    def __init__(self, placed: Placed, top: str) -> None:
        self._placed, self._top = placed, top
        #: Files of the backup that have several links: where the first of them, or its equal, is in the target.
        self._kept: dict[tuple[int, int], str] = {}
        #: What folders become when all is in its place: until then no other user gets into them.
        self._later: list[tuple[str, dict[str, bytes], os.stat_result, dict[str, bytes]]] = []

    def folder(self, staged: str, target: str) -> None:
        """Move all entries. Raises OSError, ArchiveError."""
        for name in sorted(os.listdir(staged)):
            here, there = os.path.join(staged, name), os.path.join(target, name)
            found = os.lstat(here)
            inode = (found.st_dev, found.st_ino)
            linked = found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode)
            if not os.path.lexists(there):
                self._placed.written.add_tree(here, found)
                self._put(here, there, inode if linked else None)
                self._placed.created += 1
            elif stat.S_ISDIR(found.st_mode) and _is_folder(there):
                self._folder_over(here, there)
            elif _equal(here, there, linked, self._kept.get(inode)):
                if linked:
                    self._kept.setdefault(inode, there)
                self._placed.equal += 1
            else:
                if stat.S_ISDIR(found.st_mode) or (linked and inode in self._kept):
                    os.unlink(there)
                self._placed.written.add(found)
                self._put(here, there, inode if linked else None)
                self._replaced(there)

    def finish(self) -> None:
        """Give the folders that were there the attributes that they have in the backup."""
        for there, present, found, wanted in self._later:
            _set_attributes(there, there, present, found, wanted, self._placed)

    def _put(self, here: str, there: str, linked_inode: tuple[int, int] | None) -> None:
        """Move a file into the target, or link it to the first of its links that is there already."""
        if linked_inode in self._kept:
            os.link(self._kept[linked_inode], there, follow_symlinks=False)
            return
        _move(here, there)
        if linked_inode is not None:
            self._kept[linked_inode] = there

    def _folder_over(self, here: str, there: str) -> None:
        unlike = same_file(here, there, owner=os.geteuid() == 0)
        present, wanted = attributes(there), attributes(here)
        _let_owner_in(there)
        with _open_folder(here) as found:
            self.folder(here, there)
        self._later.append((there, present, found, wanted))
        if unlike:
            self._placed.written.add(found)
            self._replaced(there)
        else:
            self._placed.equal += 1

    def _replaced(self, there: str) -> None:
        self._placed.replaced += 1
        if len(self._placed.replaced_paths) < LISTED_AT_MOST:
            self._placed.replaced_paths.append(shown(os.path.relpath(there, self._top)))


def _equal(here: str, there: str, linked: bool, kept: str | None) -> bool:
    found = os.lstat(there)
    if linked != (found.st_nlink > 1):
        return False
    if linked and kept is not None and not os.path.samestat(os.lstat(kept), found):
        return False
    return not same_file(here, there, owner=os.geteuid() == 0)
