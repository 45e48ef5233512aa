# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The counts and sizes of what a restore writes."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field

#: The most replaced paths that a result lists.
LISTED_AT_MOST = 200


@dataclass
class Written:
    """Counts as those of a backup: every hard link counts, its bytes once; holes count as bytes."""

    counts: dict[str, int] = field(default_factory=dict)
    content_bytes: int = 0
    _linked: set[tuple[int, int]] = field(default_factory=set)

    def add(self, found: os.stat_result) -> None:
        """Count one path by its status."""
        kind = _kind(found.st_mode)
        if kind != "directories" and found.st_nlink > 1:
            inode = (found.st_dev, found.st_ino)
            if inode in self._linked:
                self._add("hard_links")
                return
            self._linked.add(inode)
        self._add(kind)
        if kind == "files":
            self.content_bytes += found.st_size

    def add_tree(self, path: str, found: os.stat_result) -> bool:
        """Count a path and all below it; returns whether a file below it has several links. Raises OSError."""
        has_links = False
        self.add(found)
        pending = [path] if stat.S_ISDIR(found.st_mode) else []
        while pending:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    found = os.lstat(entry.path)
                    self.add(found)
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    elif found.st_nlink > 1:
                        has_links = True
        return has_links

    def _add(self, kind: str) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + 1


def _kind(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "files"
    if stat.S_ISDIR(mode):
        return "directories"
    if stat.S_ISLNK(mode):
        return "symbolic_links"
    if stat.S_ISFIFO(mode):
        return "fifos"
    return "devices" if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else "others"


@dataclass
class Placed:
    """The paths that a restore created, replaced, or found equal. A new folder counts once, with all its contents."""

    created: int = 0
    replaced: int = 0
    equal: int = 0
    #: Everything that was written, also below new folders.
    written: Written = field(default_factory=Written)
    #: The first created paths, relative to the target.
    created_paths: list[str] = field(default_factory=list)
    #: Paths that the backup does not have, and that were removed; and the first of them.
    removed: int = 0
    removed_paths: list[str] = field(default_factory=list)
    #: The first replaced paths, relative to the target; the target itself, ".", comes first.
    replaced_paths: list[str] = field(default_factory=list)
    #: The folder with what was replaced and removed, if there was anything.
    undo_folder: str | None = None
    #: Sentences on what was left as it is.
    remarks: list[str] = field(default_factory=list)
    #: Folders of another user, whose contents are restored, but not their own mode, owner and time.
    not_restored: list[dict[str, str]] = field(default_factory=list)
