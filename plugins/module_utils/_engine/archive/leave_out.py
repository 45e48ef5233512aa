# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What a backup leaves out that another user replaces whenever it is read: as little as will do."""

from __future__ import annotations

import os
import stat

from ..system import trust

#: So many entries of a folder with the sticky bit are left out, and then the folder.
_MOST_ENTRIES = 3


def wider(top: str, path: str) -> list[str]:
    """What can be left out because of a path: itself, and if another user can change it, what is that user's, and then more.

    That is the highest folder that others may change. In one with the sticky bit it is the user's own entry, and then the folder,
    because a user can make ever more entries.
    """
    parts = path.split("/")
    for length in range(2, len(parts)):
        above = "/".join(parts[:length])
        try:
            found = os.lstat(os.path.join(top, above))
            if trust.others_may_change(os.path.join(top, above), found) is None:
                continue
        except OSError:
            return [path, above]  # gone for the moment: what moves is just this
        if not (trust.is_own(found) and found.st_mode & stat.S_ISVTX):
            return [path, above]
        entry = "/".join(parts[: length + 1])
        try:
            if trust.is_own(os.lstat(os.path.join(top, entry))):
                continue
        except OSError:
            pass  # as above
        return [path, entry, above]
    return [path]


def and_also(given_up: list[str], ways: list[str]) -> list[str]:
    """Leave one more out: as little as has not been of use before."""

    def inside(folder: str) -> list[str]:
        return [one for one in given_up if one == folder or one.startswith(f"{folder}/")]

    path = ways[0]
    if any(path == one or path.startswith(f"{one}/") for one in given_up):
        return given_up
    chosen = path
    if len(ways) > 1 and inside(ways[1]):
        chosen = ways[1]
    if len(ways) > 2 and len(set(inside(ways[2])) - set(inside(ways[1]))) >= _MOST_ENTRIES:
        chosen = ways[2]
    return [one for one in given_up if one not in inside(chosen)] + [chosen]
