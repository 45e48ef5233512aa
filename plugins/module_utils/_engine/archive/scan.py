# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""An estimate of how much a backup will read, for progress."""

from __future__ import annotations

import fnmatch
import os
import stat

from .tar import Source


def expected_size(source: Source, since: float | None = None) -> tuple[int, int]:
    """The bytes of contents, holes included, and the members of a backup; with `since` only of files changed after that time.

    Unreadable files do not count. As tar does, it leaves out other file systems, excluded names and our own output.
    """
    if source.single_file is not None:
        return os.stat(os.path.join(source.folder, source.single_file)).st_size, 1
    size, members = 0, 0
    device = os.stat(source.folder).st_dev
    waiting = [(source.folder, ".")]
    while waiting:
        folder, shown = waiting.pop()
        members += 1
        try:
            entries = list(os.scandir(folder))
        except OSError:
            continue
        for entry in entries:
            try:
                found = entry.stat(follow_symlinks=source.dereference in ("soft", "all"))
            except OSError:
                continue
            name = f"{shown}/{entry.name}"
            if (source.one_file_system and found.st_dev != device) or left_out(source, name, entry.name):
                continue
            if stat.S_ISDIR(found.st_mode):
                if not entry.is_symlink() and name not in source.not_entered:
                    waiting.append((entry.path, name))
            elif since is None or max(found.st_mtime, found.st_ctime) >= since:
                members += 1
                size += found.st_size if stat.S_ISREG(found.st_mode) else 0
    return size, members


def left_out(source: Source, path: str, name: str) -> bool:
    """Whether tar leaves out a path (``./...``) with this last name: excluded, or our own output."""
    if path in source.own_output:
        return True
    return any(fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(path, pattern) for pattern in source.exclude)
