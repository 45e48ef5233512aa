# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Replay the levels that upstream's agent left into a folder: files, deletions and renamed folders, without running tar.

Every path is walked from the top by descriptors and never through a link, whatever the levels below have put there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Callable

from ..repository.errors import ArchiveError, DamagedArchive
from ..system.file_names import shown
from ..system.removal import remove_tree
from . import upstream_tar
from .extract import Extracted
from .members import TOP
from .upstream_tar import Level, Member

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_SET_ID = stat.S_ISUID | stat.S_ISGID
_NOT_STORED = "It is named in the backup and not stored: it was excluded, a socket, or not readable."
_NOT_READ = "It could not be read at this level; what an earlier level has of it was restored."
_NOT_FOLLOWED = (
    "A folder was given this name, and upstream's tar has stored it in a way that cannot be followed: what is in it may be "
    "missing, or be that of another folder."
)


class Replay:
    """Levels, lowest first, added to an empty folder that no other user can enter. A context.

    `beside` is another such folder on the same file system: folders that a level removes or moves are put there first.
    """

    def __init__(self, folder: str, beside: str) -> None:
        self._gone_path = beside
        self._top = os.open(folder, _FOLDER_FLAGS)
        self._gone = os.open(beside, _FOLDER_FLAGS)
        self._gone_count = 0
        #: The folder that was opened last, because the files of one folder come after each other.
        self._near: tuple[bytes, int] | None = None
        #: Each folder as its last level has it, and the lists of names of the last level.
        self._folders: dict[bytes, Member] = {}
        self._names: dict[bytes, bytes] = {}
        #: Where folders should be that a level moved, and that were not there to be moved. Upstream's own restore fails then.
        self._not_found: list[bytes] = []
        self._is_single: bool | None = None
        self._met = Extracted()

    def __enter__(self) -> Replay:
        return self

    def __exit__(self, *_problem: object) -> None:
        self._leave()
        os.close(self._gone)
        os.close(self._top)

    def level(self, level: Level) -> None:
        """Add one level. Raises DamagedArchive, StorageError, or ArchiveError if this host cannot make a file."""
        is_increment = bool(self._folders)
        self._names = {}
        last = TOP
        try:
            for member in level:
                last = member.name
                if member.kind == upstream_tar.FOLDER:
                    self._folder(member, level.names(), is_increment)
                else:
                    self._file(member, level.content())
            self._check_kind(level)
            self._leave()
            if self._gone_count:
                self._empty_gone()
        except OSError as problem:
            raise ArchiveError(
                f"{_told(last)} of {level.where} cannot be restored: {problem.strerror or problem}."
            ) from problem

    def _check_kind(self, level: Level) -> None:
        """Raise DamagedArchive for a level with nothing in it, or of a file where those below are of a folder."""
        if level.is_single is None and not self._is_single:
            raise DamagedArchive(
                f"{level.where} has nothing in it. Upstream's agent stores nothing of a file with a blank in its path."
            )
        if level.is_single is not None and self._is_single not in (None, level.is_single):
            raise DamagedArchive(f"{level.where} is of a file, or of a folder, and the levels below are of the other.")
        self._is_single = self._is_single if level.is_single is None else level.is_single

    def finish(self) -> Extracted:
        """Set the attributes of the folders, and return what could not be restored as it was. Raises ArchiveError."""
        self._leave()
        for target in self._not_found:
            self._met.not_restored.append({"path": _told(target), "message": _NOT_FOLLOWED})
        for path, names in self._names.items():
            self._compare(path, names)
        self._names = {}
        # The deepest first: a mode can take the right to enter.
        for path in sorted(self._folders, key=lambda name: name.count(b"/"), reverse=True):
            try:
                descriptor = self._open(path)
            except OSError:
                continue  # removed or moved by a later level
            try:
                self._attributes(self._folders[path], descriptor)
            finally:
                os.close(descriptor)
        return self._met

    # ------------------------------------------------------------------ folders

    def _folder(self, member: Member, listed: bytes, is_increment: bool) -> None:
        self._leave()
        names, moves = _parsed(member.name, listed)
        if moves and is_increment:
            # In a level 0 tar has written them for a folder that it reached in two ways.
            self._move(moves)
        descriptor = self._open(member.name, make=True)
        try:
            for name in map(os.fsencode, os.listdir(descriptor)):
                is_folder = stat.S_ISDIR(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode)
                kind = names.get(name)
                if kind is None or (kind != b"N" and is_folder != (kind == b"D")):
                    self._clear(descriptor, name)
        finally:
            os.close(descriptor)
        self._folders[member.name] = member
        self._names[member.name] = listed

    def _open(self, path: bytes, make: bool = False) -> int:
        """A descriptor of a folder; with `make`, folders take the place of what is no folder on the way. Raises OSError."""
        descriptor = os.dup(self._top)
        for part in path.split(b"/")[1:]:
            try:
                try:
                    below = os.open(part, _FOLDER_FLAGS, dir_fd=descriptor)
                except OSError:
                    if not make:
                        raise
                    self._clear(descriptor, part)
                    os.mkdir(part, 0o700, dir_fd=descriptor)
                    below = os.open(part, _FOLDER_FLAGS, dir_fd=descriptor)
            finally:
                os.close(descriptor)
            descriptor = below
        return descriptor

    def _enter(self, path: bytes) -> int:
        """As `_open`, and it stays open until another one is entered."""
        if self._near is None or self._near[0] != path:
            self._leave()
            self._near = (path, self._open(path))
        return self._near[1]

    def _leave(self) -> None:
        if self._near is not None:
            os.close(self._near[1])
            self._near = None

    def _clear(self, folder: int, name: bytes) -> None:
        """Remove an entry, if there is one."""
        try:
            os.unlink(name, dir_fd=folder)
        except FileNotFoundError:
            pass
        except OSError:
            self._put_away(folder, name)

    def _put_away(self, folder: int, name: bytes) -> str:
        """Move a folder out of the tree; returns its name among those that are gone."""
        self._gone_count += 1
        away = str(self._gone_count)
        os.rename(name, away, src_dir_fd=folder, dst_dir_fd=self._gone)
        return away

    def _empty_gone(self) -> None:
        os.close(self._gone)
        remove_tree(self._gone_path)
        os.mkdir(self._gone_path, 0o700)
        self._gone, self._gone_count = os.open(self._gone_path, _FOLDER_FLAGS), 0

    def _move(self, moves: list[tuple[bytes, bytes]]) -> None:
        """Follow the renames of folders, in the order of the level: from one path to another, empty is a temporary place."""
        aside: str | None = None
        #: What had to make room for another folder: a later move of that path means it.
        displaced: dict[bytes, str] = {}
        for source, target in moves:
            if not source:
                found, aside = aside, None
            else:
                found = displaced.pop(source, None) or self._taken(source)
            if not target:
                aside = found
            elif found is None:
                self._not_found.append(target)
            else:
                before = self._taken(target)
                if before is not None:
                    displaced[target] = before
                above, name = os.path.split(target)
                descriptor = self._open(above, make=True)
                try:
                    self._clear(descriptor, name)
                    os.rename(found, name, src_dir_fd=self._gone, dst_dir_fd=descriptor)
                finally:
                    os.close(descriptor)

    def _taken(self, path: bytes) -> str | None:
        """Take a folder out of the tree; its name among those that are gone, None if there is no such folder."""
        above, name = os.path.split(path)
        try:
            os.close(self._open(path))
            descriptor = self._open(above)
        except OSError:
            return None
        try:
            return self._put_away(descriptor, name)
        finally:
            os.close(descriptor)

    def _compare(self, path: bytes, listed: bytes) -> None:
        """Note what a folder should have and has not."""
        names, _moves = _parsed(path, listed)
        descriptor = self._open(path)
        try:
            there = set(map(os.fsencode, os.listdir(descriptor)))
            for name, kind in names.items():
                whole = path + b"/" + name
                if name not in there:
                    self._met.unreadable.append({"path": _told(whole), "message": _NOT_STORED})
                elif kind == b"N" and stat.S_ISDIR(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode):
                    self._met.unreadable.append({"path": _told(whole), "message": _NOT_READ})
        finally:
            os.close(descriptor)

    # ------------------------------------------------------------------ files

    def _file(self, member: Member, content: Iterator[bytes]) -> None:
        above, name = os.path.split(member.name)
        folder = self._enter(above)
        self._clear(folder, name)
        if member.kind == upstream_tar.REGULAR:
            self._regular(member, folder, name, content)
        elif member.kind == upstream_tar.HARD_LINK:
            self._link(member, folder, name)
        elif member.kind == upstream_tar.SYMLINK:
            os.symlink(member.linked, name, dir_fd=folder)
            if os.geteuid() == 0:
                self._try(
                    member,
                    "owner",
                    lambda: os.chown(name, member.uid, member.gid, dir_fd=folder, follow_symlinks=False),
                )
            os.utime(name, (member.mtime, member.mtime), dir_fd=folder, follow_symlinks=False)
        else:
            self._node(member, folder, name)

    def _regular(self, member: Member, folder: int, name: bytes, content: Iterator[bytes]) -> None:
        descriptor = os.open(name, _FILE_FLAGS, 0o600, dir_fd=folder)
        try:
            for piece in content:
                rest = memoryview(piece)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
            self._attributes(member, descriptor)
        finally:
            os.close(descriptor)

    def _link(self, member: Member, folder: int, name: bytes) -> None:
        above, first = os.path.split(member.linked)
        try:
            source = self._open(above)
        except OSError:
            raise _no_first(member) from None
        try:
            if stat.S_ISDIR(os.stat(first, dir_fd=source, follow_symlinks=False).st_mode):
                raise _no_first(member)
            os.link(first, name, src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            raise _no_first(member) from None
        finally:
            os.close(source)

    def _node(self, member: Member, folder: int, name: bytes) -> None:
        """A FIFO or a device."""
        kinds = {
            upstream_tar.CHARACTER: stat.S_IFCHR,
            upstream_tar.DEVICE: stat.S_IFBLK,
            upstream_tar.FIFO: stat.S_IFIFO,
        }

        def make() -> None:
            os.mknod(name, kinds[member.kind] | 0o600, os.makedev(*member.device), dir_fd=folder)

        if not self._try(member, "device", make):
            return
        if os.geteuid() == 0:
            self._try(
                member, "owner", lambda: os.chown(name, member.uid, member.gid, dir_fd=folder, follow_symlinks=False)
            )
        # The entry was made above, in a folder that is this user's alone, so it is no link.
        os.chmod(name, member.mode, dir_fd=folder)
        os.utime(name, (member.mtime, member.mtime), dir_fd=folder, follow_symlinks=False)

    def _attributes(self, member: Member, descriptor: int) -> None:
        """Owner, mode and time of an open file or folder."""
        mode = member.mode
        if os.geteuid() == 0:
            self._try(member, "owner", lambda: os.fchown(descriptor, member.uid, member.gid))
        elif mode & _SET_ID and member.kind == upstream_tar.REGULAR and member.uid != os.geteuid():
            # It would run with the rights of this user, who is another one than before.
            mode &= ~_SET_ID
            self._met.not_restored.append(
                {"path": _told(member.name), "message": "Cannot set its user id or group id bit."}
            )
        os.fchmod(descriptor, mode)
        os.utime(descriptor, (member.mtime, member.mtime))

    def _try(self, member: Member, what: str, do: Callable[[], object]) -> bool:
        """Whether it could be done; if not, it is noted."""
        try:
            do()
        except (OSError, OverflowError) as problem:
            why = getattr(problem, "strerror", None) or problem
            doing = "set its owner" if what == "owner" else "make the device"
            self._met.not_restored.append({"path": _told(member.name), "message": f"Cannot {doing}: {why}"})
            return False
        return True


def _parsed(path: bytes, listed: bytes) -> tuple[dict[bytes, bytes], list[tuple[bytes, bytes]]]:
    """The list of a folder: the letter of each name (Y: in this level, N: not in it, D: a folder), and the moves of folders.

    Raises DamagedArchive for another form.
    """
    names: dict[bytes, bytes] = {}
    moves: list[tuple[bytes, bytes]] = []
    entries = listed[:-1].split(b"\0")[:-1]
    odd = not (listed == b"\0" or listed.endswith(b"\0\0"))
    source: bytes | None = None
    for entry in entries:
        letter, name = entry[:1], entry[1:]
        if letter in (b"Y", b"N", b"D"):
            odd |= name in (b"", b".", b"..") or b"/" in name or name in names or source is not None
            names[name] = letter
        elif letter == b"R":
            odd |= source is not None or path != TOP
            source = name
        elif letter == b"T" and source is not None:
            odd |= not (source or name)
            moves.append((source, name))
            source = None
        else:
            odd |= letter != b"X" or path != TOP or source is not None
    odd |= source is not None or any(not _is_below(name) for move in moves for name in move if name)
    if odd:
        raise DamagedArchive(f"The list of names of {_told(path)} is none that upstream's tar writes.")
    return names, moves


def _is_below(path: bytes) -> bool:
    """Whether a path is ``./...`` and leads nowhere else."""
    parts = path.split(b"/")
    return parts[0] == b"." and len(parts) > 1 and not any(part in (b"", b".", b"..") for part in parts[1:])


def _no_first(member: Member) -> DamagedArchive:
    return DamagedArchive(f"{_told(member.name)} is a link to {_told(member.linked)}, and no such file is there.")


def _told(name: bytes) -> str:
    return shown(name.decode("utf-8", "surrogateescape"))
