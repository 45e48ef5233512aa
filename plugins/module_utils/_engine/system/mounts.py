# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What is mounted where, from the kernel's own table (proc(5), /proc/PID/mountinfo)."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import NamedTuple

from .errors import HostError

_TABLE = "/proc/self/mountinfo"
_ESCAPE = re.compile(r"\\([0-7]{3})")


#: Kinds of file systems that hold no files of anybody: what the kernel or a program says, in the form of files.
WITHOUT_FILES = frozenset(
    [
        "autofs", "binder", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devfs", "devpts",
        "devtmpfs", "efivarfs", "fusectl", "hugetlbfs", "mqueue", "nfsd", "nsfs", "proc", "pstore", "resctrl",
        "rpc_pipefs", "securityfs", "selinuxfs", "smackfs", "sysfs", "tracefs", "xenfs", "fuse.gvfsd-fuse",
        "fuse.lxcfs", "fuse.portal",
    ]
)  # fmt: skip


class Mount(NamedTuple):
    """One mount. `root` is the folder of the file system that is seen at the mount point: not ``/`` for a bind mount.

    One that is unbindable is not in a copy of the mounts around it.
    """

    device: str
    root: str
    point: str
    kind: str
    source: str
    unbindable: bool = False


def _plain(field: str) -> str:
    """A field without the table's octal escapes; undecodable bytes stay surrogates."""
    return _ESCAPE.sub(lambda match: chr(int(match.group(1), 8)), field)


def read_mounts() -> list[Mount]:
    """All mounts, in the order in which they were made."""
    mounts = []
    with open(_TABLE, encoding="utf-8", errors="surrogateescape") as table:
        for line in table:
            before, _dash, after = line.rstrip("\n").partition(" - ")
            fields, more = before.split(" "), after.split(" ")
            unbindable = "unbindable" in fields[6:]
            mounts.append(Mount(fields[2], _plain(fields[3]), _plain(fields[4]), more[0], _plain(more[1]), unbindable))
    return mounts


def is_below(path: str, folder: str) -> bool:
    """Whether a path is a folder or in it; both absolute, without links."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def mount_of(path: str, mounts: Sequence[Mount]) -> Mount:
    """The mount that a path, absolute and without links, is on. Of several at one point the last covers the others."""
    found: Mount | None = None
    for mount in mounts:
        if is_below(path, mount.point) and (found is None or len(mount.point) >= len(found.point)):
            found = mount
    if found is None:
        raise HostError(f"No mount is known for {path}.")
    return found


def mounted_below(path: str, mounts: Sequence[Mount]) -> list[str]:
    """The mount points inside a folder, each once."""
    inside = {mount.point for mount in mounts if mount.point != path and is_below(mount.point, path)}
    return sorted(inside)


def without_files(path: str, mounts: Sequence[Mount]) -> list[Mount]:
    """What is mounted inside a folder and holds no files, without what is mounted below that again."""
    covering = {mount.point: mount for mount in mounts if mount.point != path and is_below(mount.point, path)}
    found: list[Mount] = []
    for point in sorted(covering):
        if covering[point].kind in WITHOUT_FILES and not any(is_below(point, one.point) for one in found):
            found.append(covering[point])
    return found


def device_number(mount: Mount) -> str:
    """``major:minor`` of the block device under a mount. btrfs shows a number of its own in the table."""
    if mount.kind != "btrfs":
        return mount.device
    try:
        number = os.stat(mount.source).st_rdev
    except OSError as problem:
        raise HostError(f"The device {mount.source} of {mount.point} is not there: {problem.strerror}.") from None
    return f"{os.major(number)}:{os.minor(number)}"
