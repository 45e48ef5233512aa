# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Merge a staged tree into a folder that is not empty.

A check of the target beforehand is not enough: in a folder with the sticky bit other users can make entries, and exchange
their own, at any time. So its folders are used as `target_folder` says. The staged tree is in a folder that only this user can
enter, so there paths are safe.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Callable

from ..repository.errors import ArchiveError
from ..system import trust
from ..system.file_names import shown
from .moving import move
from .target_folder import (
    MEANWHILE,
    MERGED_DEPTH,
    STAGING_PREFIX,
    Folder,
    close_to_others,
    enter,
    let_owner_in,
    not_safe,
    open_folder,
    opened,
    set_attributes,
)
from .tree_comparison import attributes, same_file
from .written import LISTED_AT_MOST, Placed


def conflicts(staged: str, target: str, depth: int = 0) -> Iterator[str]:
    """The folders of a target where the staged tree has no folder. Raises ArchiveError if the trees cannot be merged.

    This finds conflicts before anything is moved; later changes of the target are checked while moving.
    """
    if depth > MERGED_DEPTH:
        raise ArchiveError(
            f"{shown(target)} is {depth} folders deep, and that is too deep for a restore over existing files; "
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


@dataclass
class _Later:
    """The attributes that a folder gets at the end; until then it is closed to those whom the backup does not let in."""

    folder: Folder
    inode: tuple[int, int]
    present: dict[str, bytes]
    found: os.stat_result
    wanted: dict[str, bytes]


#: Moves an entry of a folder away.
Keep = Callable[[Folder, str], None]


class Merge:
    """Moves the entries of one folder into another one, which is open."""

    def __init__(
        self, placed: Placed, path: str, top: int, above: Collection[str] = (), keep: Keep | None = None
    ) -> None:
        """`above` are folders (relative names) that keep their attributes where the target has them. `keep` moves an entry
        away, in place of its loss.
        """
        self._placed, self._above, self._keep = placed, above, keep
        self.top = Folder(top, (), path, shared=False)
        #: The current path, for the message of an error.
        self.at = path
        #: The place in the target of the first link of files with several links, or of an equal file. None if another
        #: user may exchange it: the other links are then taken from the staged tree.
        self._kept: dict[tuple[int, int], tuple[Folder, str] | None] = {}
        self._later: list[_Later] = []

    def tree(self, staged: str) -> None:
        """Move all entries of the staged tree. After an OSError or ArchiveError the entries moved so far stay."""
        self._folder(staged, self.top)

    def finish(self) -> None:
        """Set the attributes of existing folders as in the backup. Raises OSError, ArchiveError."""
        while self._later:
            self.at = self._later[-1].folder.path
            self._finish(self._later[-1])
            self._later.pop()

    def abandon(self) -> None:
        """The same after a failure, as far as it goes: a folder that is left out stays closed to others."""
        while self._later:
            with suppress(OSError, ArchiveError):
                self._finish(self._later.pop())

    def _finish(self, one: _Later) -> None:
        with self._again(one.folder) as folder:
            if _inode(os.fstat(folder.descriptor)) != one.inode:
                raise OSError(errno.EAGAIN, MEANWHILE, folder.path)
            set_attributes(opened(folder.descriptor), folder.path, one.present, one.found, one.wanted, self._placed)

    def _folder(self, staged: str, target: Folder) -> None:
        for name in sorted(os.listdir(staged)):
            self.at = os.path.join(target.path, name)
            self._entry(os.path.join(staged, name), target, name)

    def _entry(self, here: str, target: Folder, name: str) -> None:
        found, there = os.lstat(here), target.look(name)
        linked = found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode)
        if there is None:
            if self._placed.written.add_tree(here, found):
                self._join_links(here, target, name)
            self._put(here, target, name, found if linked else None)
            self._placed.created += 1
            if len(self._placed.created_paths) < LISTED_AT_MOST:
                self._placed.created_paths.append(shown(os.path.join(*target.names, name)))
        elif stat.S_ISDIR(found.st_mode) and stat.S_ISDIR(there.st_mode):
            self._folder_over(here, target, name)
        elif self._equal(here, target, name, found, there, linked):
            if linked:
                self._kept.setdefault(_inode(found), (target, name))
            self._placed.equal += 1
        else:
            if self._keep is not None:
                self._keep(target, name)
            elif stat.S_ISDIR(found.st_mode) or (linked and self._kept.get(_inode(found)) is not None):
                os.unlink(name, dir_fd=target.descriptor)
            self._placed.written.add(found)
            self._put(here, target, name, found if linked else None)
            self._replaced(target, name)

    def _join_links(self, staged: str, target: Folder, name: str) -> None:
        """Before a new folder is moved: link the files in it to other links that are in the target already, or remember them."""
        pending = [(staged, (*target.names, name))]
        new = set()
        while pending:
            folder, names = pending.pop()
            if trust.others_may_change(folder, os.lstat(folder)) is not None or len(names) > MERGED_DEPTH:
                continue  # another user could exchange what is in it before the next link is made
            with open_folder(folder):
                for entry in sorted(os.listdir(folder)):
                    here = os.path.join(folder, entry)
                    found = os.lstat(here)
                    inode = _inode(found)
                    if stat.S_ISDIR(found.st_mode):
                        pending.append((here, (*names, entry)))
                    elif found.st_nlink > 1 and inode not in self._kept:
                        above = os.path.join(self.top.path, *names)
                        self._kept[inode] = (Folder(-1, names, above, shared=False), entry)
                        new.add(inode)
                    elif found.st_nlink > 1 and inode not in new:
                        self._link_anew(here, self._kept[inode])

    def _link_anew(self, here: str, kept: tuple[Folder, str] | None) -> None:
        """Replace a staged file by a link to one that is in the target already."""
        if kept is None:
            return
        beside = f"{here}{STAGING_PREFIX}"
        with self._again(kept[0]) as folder:
            there = folder.look(kept[1])
            if there is None or os.path.samestat(there, os.lstat(here)):
                return
            try:
                os.link(kept[1], beside, src_dir_fd=folder.descriptor, follow_symlinks=False)
            except OSError as problem:
                if problem.errno != errno.EXDEV:
                    raise
                return  # a file system that is mounted in the target
        os.rename(beside, here)

    def _equal(
        self, here: str, target: Folder, name: str, found: os.stat_result, there: os.stat_result, linked: bool
    ) -> bool:
        if linked != (there.st_nlink > 1):
            return False
        if linked:
            inode = _inode(found)
            if inode not in self._kept:
                if target.shared and not trust.is_own(there):
                    return False  # another user may exchange this file before the next link is made
            else:
                first = self._kept[inode]
                if first is None:
                    return False
                with self._again(first[0]) as folder:
                    kept = folder.look(first[1])
                if kept is None or not os.path.samestat(kept, there):
                    return False
        return not same_file(here, target.entry(name), owner=os.geteuid() == 0)

    def _put(self, here: str, target: Folder, name: str, linked: os.stat_result | None) -> None:
        """Move a file into the target, or link it to one of its links that is there already."""
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
        copied = move(here, target, name)
        if linked is not None:
            others = target.shared and not trust.is_own(linked)
            self._kept[_inode(linked)] = None if others else (target, name)
            if others and copied:
                message = (
                    "Its hard links were restored as separate files, because another user could have exchanged it."
                )
                self._placed.not_restored.append({"path": shown(self.at), "message": message})

    def _folder_over(self, here: str, target: Folder, name: str) -> None:
        if os.path.join(*target.names, name) in self._above:
            self._into_folder(here, target, name)
            return
        with enter(target, name) as folder:
            unlike = same_file(here, target.entry(name), owner=os.geteuid() == 0)
            present, wanted = attributes(target.entry(name)), attributes(here)
            there = os.fstat(folder.descriptor)
            with open_folder(here) as found:
                # Folders are finished from the last one on, so what is in this one comes before it.
                self._later.append(_Later(folder, _inode(there), present, found, wanted))
                let_owner_in(opened(folder.descriptor))
                close_to_others(folder.descriptor, present, found, wanted)
                self._folder(here, folder)
        if unlike:
            self._placed.written.add(found)
            self._replaced(target, name)
        else:
            self._placed.equal += 1

    def _into_folder(self, here: str, target: Folder, name: str) -> None:
        """Move what is in a staged folder into one of the target, which stays as it is otherwise."""
        with enter(target, name) as folder:
            mode = stat.S_IMODE(os.fstat(folder.descriptor).st_mode)
            let_owner_in(opened(folder.descriptor))
            let_owner_in(here)
            self._folder(here, folder)
            if stat.S_IMODE(os.fstat(folder.descriptor).st_mode) != mode:
                os.chmod(opened(folder.descriptor), mode)

    @contextmanager
    def _again(self, folder: Folder) -> Iterator[Folder]:
        """A folder that was entered before, opened again in the same way, because not all can stay open."""
        with ExitStack() as way:
            last = self.top
            for name in folder.names:
                last = way.enter_context(enter(last, name))
            yield last

    def _replaced(self, target: Folder, name: str) -> None:
        self._placed.replaced += 1
        if len(self._placed.replaced_paths) < LISTED_AT_MOST:
            self._placed.replaced_paths.append(shown(os.path.join(*target.names, name)))


def _inode(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino
