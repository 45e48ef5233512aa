# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A staged tree moved into a folder that has something in it already.

A look at the target before does not last: in a folder with the sticky bit other users make things, and exchange those
of their own, at any moment. So each folder of the target is opened below the open one above it, never through a link, is
looked at when it is open, and all that is done in it is done through its descriptor.
The staged tree lies in a folder that only this user gets into: there names are good enough.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from ..repository.errors import ArchiveError
from ..system import process, trust
from ..system.file_names import shown
from ..system.removal import make_writable
from .tree_comparison import attributes, same_file
from .written import LISTED_AT_MOST, Placed

STAGING_PREFIX = ".freezer-restore-"
#: So deep a tree can be merged into one that is there: one open folder for each level, and Python's own stack.
MERGED_DEPTH = 200
# Without O_RDONLY's right to read: what is entered need not be listed.
_ENTRY_FLAGS = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_MEANWHILE = "It was replaced by something else while the restore was under way"


def opened(descriptor: int) -> str:
    """A path to what a descriptor has open, whatever its name leads to by now; for calls that take no descriptor."""
    return f"/proc/self/fd/{descriptor}"


def not_safe(target: str, obstacle: str) -> ArchiveError:
    """The refusal of a target before anything is written."""
    return ArchiveError(
        f"Nothing was restored into {shown(target)}: {obstacle}, and files could be led somewhere else while they are put "
        f"there. {_what_is_safe()}"
    )


def _what_is_safe() -> str:
    owner = "root" if os.geteuid() == 0 else "this user"
    return f"Restore into a new folder that only {owner} may write to, and move it to its place afterwards."


def conflicts(staged: str, target: str, depth: int = 0) -> Iterator[str]:
    """The folders of a target where the staged tree has something else. Raises ArchiveError if they cannot be merged.

    Only a look: it finds before anything is moved what has been in the way for long.
    """
    if depth > MERGED_DEPTH:
        raise ArchiveError(
            f"{shown(target)} is {depth} folders deep, and a restore over what is there ends before that; "
            "restore into an empty folder. Nothing was changed."
        )
    for name in os.listdir(staged):
        here, there = os.path.join(staged, name), os.path.join(target, name)
        try:
            found = os.lstat(there)
        except OSError:
            continue
        if not stat.S_ISDIR(found.st_mode):
            continue
        if stat.S_ISDIR(os.lstat(here).st_mode):
            obstacle = trust.others_may_exchange(there, found)
            if obstacle is not None:
                raise not_safe(there, obstacle)
            yield from conflicts(here, there, depth + 1)
        else:
            yield there


@dataclass(frozen=True)
class _Folder:
    """A folder of the target that is open."""

    descriptor: int
    #: The names that lead to it from the top, and its path for a sentence.
    names: tuple[str, ...]
    path: str
    #: Whether other users may make things in it, and exchange what is theirs.
    shared: bool

    def entry(self, name: str) -> str:
        """A path to what is in it, for calls that take no descriptor. Must not be used where links are followed."""
        return f"{opened(self.descriptor)}/{name}"

    def look(self, name: str) -> os.stat_result | None:
        """What has a name in it now."""
        try:
            return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None


@dataclass
class _Later:
    """What a folder becomes when all is in its place: until then no other user gets into it."""

    folder: _Folder
    inode: tuple[int, int]
    present: dict[str, bytes]
    found: os.stat_result
    wanted: dict[str, bytes]


class Merge:
    """Moves what is in one folder into another one that is there, and is open."""

    def __init__(self, placed: Placed, path: str, top: int) -> None:
        self._placed = placed
        self._top = _Folder(top, (), path, shared=False)
        #: What is worked on, for the sentence about what stopped it.
        self.at = path
        #: Files of the backup that have several links: where the first of them, or its equal, is in the target. None if
        #: another user may exchange that: the other links come out of the staged tree, too.
        self._kept: dict[tuple[int, int], tuple[_Folder, str] | None] = {}
        self._later: list[_Later] = []

    def tree(self, staged: str) -> None:
        """Move all entries of the staged tree. Raises OSError, ArchiveError; what was moved until then stays."""
        self._folder(staged, self._top)

    def finish(self) -> None:
        """Give the folders that were there the attributes that they have in the backup. Raises OSError, ArchiveError."""
        for one in self._later:
            self.at = one.folder.path
            with self._again(one.folder) as folder:
                if _inode(os.fstat(folder.descriptor)) != one.inode:
                    raise OSError(errno.EAGAIN, _MEANWHILE, folder.path)
                set_attributes(opened(folder.descriptor), folder.path, one.present, one.found, one.wanted, self._placed)

    def _folder(self, staged: str, target: _Folder) -> None:
        for name in sorted(os.listdir(staged)):
            self.at = os.path.join(target.path, name)
            self._entry(os.path.join(staged, name), target, name)

    def _entry(self, here: str, target: _Folder, name: str) -> None:
        found, there = os.lstat(here), target.look(name)
        linked = found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode)
        if there is None:
            self._placed.written.add_tree(here, found)
            self._put(here, target, name, found if linked else None)
            self._placed.created += 1
        elif stat.S_ISDIR(found.st_mode) and stat.S_ISDIR(there.st_mode):
            self._folder_over(here, target, name)
        elif self._equal(here, target, name, found, there, linked):
            if linked:
                self._kept.setdefault(_inode(found), (target, name))
            self._placed.equal += 1
        else:
            if stat.S_ISDIR(found.st_mode) or (linked and self._kept.get(_inode(found)) is not None):
                os.unlink(name, dir_fd=target.descriptor)
            self._placed.written.add(found)
            self._put(here, target, name, found if linked else None)
            self._replaced(target, name)

    def _equal(
        self, here: str, target: _Folder, name: str, found: os.stat_result, there: os.stat_result, linked: bool
    ) -> bool:
        if linked != (there.st_nlink > 1):
            return False
        if linked:
            inode = _inode(found)
            if inode not in self._kept:
                if target.shared and not trust.is_own(there):
                    return False  # no other link can be made to what may be something else then
            else:
                first = self._kept[inode]
                if first is None:
                    return False
                with self._again(first[0]) as folder:
                    kept = folder.look(first[1])
                if kept is None or not os.path.samestat(kept, there):
                    return False
        return not same_file(here, target.entry(name), owner=os.geteuid() == 0)

    def _put(self, here: str, target: _Folder, name: str, linked: os.stat_result | None) -> None:
        """Move a file into the target, or link it to the first of its links that is there already."""
        first = None if linked is None else self._kept.get(_inode(linked))
        if first is not None:
            with self._again(first[0]) as folder:
                os.link(
                    first[1],
                    name,
                    src_dir_fd=folder.descriptor,
                    dst_dir_fd=target.descriptor,
                    follow_symlinks=False,
                )
            return
        copied = _move(here, target, name)
        if linked is not None:
            others = target.shared and not trust.is_own(linked)
            self._kept[_inode(linked)] = None if others else (target, name)
            if others and copied:
                message = "Its hard links are files of their own now: another user could have exchanged it."
                self._placed.not_restored.append({"path": shown(self.at), "message": message})

    def _folder_over(self, here: str, target: _Folder, name: str) -> None:
        with _enter(target, name) as folder:
            unlike = same_file(here, target.entry(name), owner=os.geteuid() == 0)
            present, wanted = attributes(target.entry(name)), attributes(here)
            let_owner_in(opened(folder.descriptor))
            with open_folder(here) as found:
                self._folder(here, folder)
            self.at = folder.path
            inode = _inode(os.fstat(folder.descriptor))
        self._later.append(_Later(folder, inode, present, found, wanted))
        if unlike:
            self._placed.written.add(found)
            self._replaced(target, name)
        else:
            self._placed.equal += 1

    @contextmanager
    def _again(self, folder: _Folder) -> Iterator[_Folder]:
        """A folder that was entered before, entered by the same way: they cannot all be kept open."""
        with ExitStack() as way:
            last = self._top
            for name in folder.names:
                last = way.enter_context(_enter(last, name))
            yield last

    def _replaced(self, target: _Folder, name: str) -> None:
        self._placed.replaced += 1
        if len(self._placed.replaced_paths) < LISTED_AT_MOST:
            self._placed.replaced_paths.append(shown(os.path.join(*target.names, name)))


def _inode(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


@contextmanager
def _enter(above: _Folder, name: str) -> Iterator[_Folder]:
    """Open a folder below an open one. Raises OSError; ArchiveError if others may exchange what is put into it."""
    path = os.path.join(above.path, name)
    if len(above.names) >= MERGED_DEPTH:
        raise OSError(errno.ELOOP, "It is too deep for a restore over what is there", path)
    try:
        descriptor = os.open(name, _ENTRY_FLAGS | os.O_DIRECTORY, dir_fd=above.descriptor)
    except (NotADirectoryError, FileNotFoundError):
        raise OSError(errno.EAGAIN, _MEANWHILE, path) from None
    try:
        found = os.fstat(descriptor)
        obstacle = trust.others_may_exchange(path, found, opened(descriptor))
        if obstacle is not None:
            raise ArchiveError(
                f"The restore stopped at {shown(path)}: {obstacle}, and files could be led somewhere else while they are "
                f"put there. What was put in place until then stays. {_what_is_safe()}"
            )
        shared = trust.others_may_change(path, found, opened(descriptor)) is not None
        yield _Folder(descriptor, (*above.names, name), path, shared)
    finally:
        os.close(descriptor)


def set_attributes(
    target: int | str,
    name: str,
    present: dict[str, bytes],
    found: os.stat_result,
    wanted: dict[str, bytes],
    placed: Placed,
) -> None:
    """Give an open folder, by its descriptor or a path to that, owner, mode, attributes and time of another one."""
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


def let_owner_in(folder: str) -> None:
    """Let this user into a folder, if it is a folder of this user's; `folder` must not lead through a link of others."""
    mode = stat.S_IMODE(os.stat(folder).st_mode)
    if os.geteuid() != 0 and mode & stat.S_IRWXU != stat.S_IRWXU:
        try:
            os.chmod(folder, mode | stat.S_IRWXU)
        except PermissionError:
            pass  # another user's: what cannot be done in it will be told


@contextmanager
def open_folder(folder: str) -> Iterator[os.stat_result]:
    """Let its owner move entries out of a staged folder, and give it back the mode and time that it had."""
    found = os.lstat(folder)
    let_owner_in(folder)
    yield found
    os.chmod(folder, stat.S_IMODE(found.st_mode))
    os.utime(folder, ns=(found.st_atime_ns, found.st_mtime_ns))


def _move(source: str, target: _Folder, name: str) -> bool:
    """Rename over whatever file is in an open folder; across file systems copy beside it first. Whether it was copied."""
    try:
        _rename(source, target.descriptor, name)
    except OSError as problem:
        if problem.errno != errno.EXDEV:
            raise
        _copy_over(source, target, name)
        return True
    return False


def _rename(source: str, target: int, name: str) -> None:
    mode = os.lstat(source).st_mode
    if os.geteuid() == 0 or not stat.S_ISDIR(mode) or mode & stat.S_IWUSR:
        os.rename(source, name, dst_dir_fd=target)
        return
    # Moving a folder writes its own "..", so its owner has to be let in.
    folder = os.open(source, _ENTRY_FLAGS)
    try:
        os.chmod(opened(folder), stat.S_IMODE(mode) | stat.S_IRWXU)
        try:
            os.rename(source, name, dst_dir_fd=target)
        finally:
            os.chmod(opened(folder), stat.S_IMODE(mode))
    finally:
        os.close(folder)


def _copy_over(source: str, target: _Folder, name: str) -> None:
    """Put a copy where a rename cannot lead, whole or not at all."""
    # In a folder of its own: what is copied may belong to another user, who must not get at it before it is whole.
    beside = f"{STAGING_PREFIX}{secrets.token_hex(4)}"
    os.mkdir(beside, 0o700, dir_fd=target.descriptor)
    try:
        descriptor = os.open(beside, _ENTRY_FLAGS | os.O_DIRECTORY, dir_fd=target.descriptor)
        try:
            if not trust.is_own(os.fstat(descriptor)):
                raise OSError(errno.EAGAIN, _MEANWHILE)
            folder = opened(descriptor)
            try:
                _copy(source, folder, os.path.join(target.path, name))
                _rename(f"{folder}/copy", target.descriptor, name)
            finally:
                _clear(folder)
        finally:
            os.close(descriptor)
    finally:
        os.rmdir(beside, dir_fd=target.descriptor)


def _copy(source: str, folder: str, path: str) -> None:
    """Copy to the name "copy" in a folder."""
    mode = os.lstat(source).st_mode
    if stat.S_ISDIR(mode):
        let_owner_in(source)
    copy = ["cp", "--archive", "--sparse=always", "--no-target-directory", "--", source, "copy"]
    done = process.run(copy, cwd=folder)
    if done.status != 0:
        raise ArchiveError(f"{shown(path)} cannot be copied to its file system: {done.first_words}.")
    if stat.S_ISDIR(mode):
        os.chmod(f"{folder}/copy", stat.S_IMODE(mode))


def _clear(folder: str) -> None:
    """Remove what is left of a copy that failed."""
    copied = f"{folder}/copy"
    if os.path.lexists(copied):
        if stat.S_ISDIR(os.lstat(copied).st_mode):
            let_owner_in(copied)
            make_writable(copied)
        done = process.run(["rm", "-rf", "--", "copy"], cwd=folder)
        if done.status != 0:
            raise ArchiveError(f"A copy that the restore needed cannot be removed: {done.first_words}.")
