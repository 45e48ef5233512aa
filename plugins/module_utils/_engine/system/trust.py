# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Whether another user can exchange what we are about to write into: folders on the way to a path, by owner and mode.

Names lead somewhere else once another user renames a folder or puts a link in its place. Where only root and the user
who runs this may do so, a path that has been looked at stays what it is.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from typing import Any, Callable

from .file_names import shown

_MOST_LINKS = 40


def own_way(path: str) -> tuple[str, str | None]:
    """Where an absolute path leads to, and which folder on the way, itself included, others may change, and why.

    Links count by where they are. What does not exist yet is as safe as the folder that it will be made in. Raises
    OSError if the way ends at something else than a folder, or cannot be looked at.
    """
    real, links = "/", 0
    waiting = path.split("/")[::-1]
    above = os.lstat(real)
    while waiting:
        name = waiting.pop()
        if name in ("", "."):
            continue
        if name == "..":
            real = os.path.dirname(real)
            above = os.lstat(real)
            continue
        here = os.path.join(real, name)
        try:
            found: os.stat_result | None = os.lstat(here)
        except FileNotFoundError:
            found = None
        why = others_may_replace(real, above, found, name)
        if why is not None:
            return here, why
        if found is None:
            return os.path.normpath(os.path.join(here, *waiting[::-1])), None
        if stat.S_ISLNK(found.st_mode):
            links += 1
            if links > _MOST_LINKS:
                raise OSError(f"too many links on the way to {shown(path)}")
            leads_to = os.readlink(here)
            waiting += leads_to.split("/")[::-1]
            if leads_to.startswith("/"):
                real = "/"
                above = os.lstat(real)
            continue
        if not stat.S_ISDIR(found.st_mode):
            raise NotADirectoryError(f"{shown(here)} is not a folder")
        real, above = here, found
    return real, others_may_change(real, above)


def others_may_change(path: str, found: os.stat_result, opened: str | None = None) -> str | None:
    """The users besides root and this one who may change entries of a folder, as a sentence part; None if there are none.

    `opened` is a path to its descriptor, if it is open.
    """
    if not is_own(found):
        return f"{shown(path)} belongs to the user {_named(pwd.getpwuid, found.st_uid)}"
    if found.st_mode & stat.S_IWOTH:
        return f"every user may write to {shown(path)}"
    # The group of this user is as good as the user: so are folders made where the umask is 002.
    if found.st_mode & stat.S_IWGRP and (found.st_gid != os.getegid() or _has_acl(opened or path)):
        return f"users of the group {_named(grp.getgrgid, found.st_gid)} or of an ACL may write to {shown(path)}"
    return None


def others_may_exchange(path: str, found: os.stat_result, opened: str | None = None) -> str | None:
    """The same of what root or this user has in a folder: with the sticky bit others may make things in it, and no more."""
    if is_own(found) and found.st_mode & stat.S_ISVTX:
        return None
    return others_may_change(path, found, opened)


def others_may_replace(
    folder: str, above: os.stat_result, entry: os.stat_result | None, name: str, opened: str | None = None
) -> str | None:
    """The same of one entry of a folder, which has the status `above`; the entry need not exist."""
    if entry is not None and is_own(above) and above.st_mode & stat.S_ISVTX and not is_own(entry):
        return f"{shown(os.path.join(folder, name))} belongs to the user {_named(pwd.getpwuid, entry.st_uid)}"
    return others_may_exchange(folder, above, opened)


def is_own(found: os.stat_result) -> bool:
    """Whether something belongs to root or to this user."""
    return found.st_uid in (0, os.geteuid())


def is_ours(found: os.stat_result) -> bool:
    """Whether something belongs to this user."""
    return found.st_uid == os.geteuid()


def _has_acl(path: str) -> bool:
    try:
        return "system.posix_acl_access" in os.listxattr(path)
    except OSError:
        return False


def _named(lookup: Callable[[int], tuple[Any, ...]], number: int) -> str:
    """The name of a user or group, or its number where it has none."""
    try:
        return str(lookup(number)[0])
    except KeyError:
        return str(number)
