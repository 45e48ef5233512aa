# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What a backup leaves out because another user replaces it during every attempt: as little as possible."""

from __future__ import annotations

import os
import stat

from ..system import trust

#: The most entries of a folder with the sticky bit that are left out before the folder itself is.
_MOST_ENTRIES = 3


def wider(top: str, path: str) -> list[str]:
    """The paths to leave out because of a path, in the order of attempts: the path itself, then wider ones.

    If another user can change the path, the widest one is the highest folder that others may change. In a folder with the
    sticky bit, the user's own entry comes first, then the folder, because a user can make any number of entries.
    """
    parts = path.split("/")
    for length in range(2, len(parts)):
        above = "/".join(parts[:length])
        try:
            found = os.lstat(os.path.join(top, above))
            if trust.others_may_change(os.path.join(top, above), found) is None:
                continue
        except OSError:
            return [path, above]  # it does not exist now: it is the path that is being replaced
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
    """Leave out the next path in this order that has not been left out in vain."""

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
