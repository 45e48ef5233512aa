# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Two trees compared: names, types, contents, modes, owners, times, links, extended attributes and ACLs."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from .tar import shown

# Labels and capabilities that the kernel sets by itself or that only some mounts carry.
_BLOCK_BYTES = 1 << 20
_KERNELS_OWN = ("security.selinux", "security.evm", "security.ima")


def attributes(path: str) -> dict[str, bytes]:
    """Extended attributes, ACLs included, that belong to the data; empty where the file system has none."""
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError:
        return {}
    return {name: os.getxattr(path, name, follow_symlinks=False) for name in names if name not in _KERNELS_OWN}


def _same_content(left: str, right: str) -> bool:
    with open(left, "rb") as one, open(right, "rb") as other:
        while True:
            block = one.read(_BLOCK_BYTES)
            if block != other.read(_BLOCK_BYTES):
                return False
            if not block:
                return True


def same_file(left: str, right: str, owner: bool = True) -> list[str]:
    """How two paths differ, leaving out what is inside folders; empty if they are alike.

    The words are type, content, mode, owner, mtime, target, device, xattrs.
    """
    a, b = os.lstat(left), os.lstat(right)
    if stat.S_IFMT(a.st_mode) != stat.S_IFMT(b.st_mode):
        return ["type"]
    differences = []
    if stat.S_ISREG(a.st_mode):
        if a.st_size != b.st_size or not _same_content(left, right):
            differences.append("content")
    elif stat.S_ISLNK(a.st_mode):
        if os.readlink(left) != os.readlink(right):
            differences.append("target")
    elif (stat.S_ISCHR(a.st_mode) or stat.S_ISBLK(a.st_mode)) and a.st_rdev != b.st_rdev:
        differences.append("device")
    if not stat.S_ISLNK(a.st_mode) and stat.S_IMODE(a.st_mode) != stat.S_IMODE(b.st_mode):
        differences.append("mode")
    if owner and (a.st_uid, a.st_gid) != (b.st_uid, b.st_gid):
        differences.append("owner")
    if a.st_mtime_ns != b.st_mtime_ns:
        differences.append("mtime")
    if attributes(left) != attributes(right):
        differences.append("xattrs")
    return differences


def _walk(top: str) -> Iterator[str]:
    """Every path below a folder, relative to it; sockets are left out because archives do not hold them."""
    pending = [""]
    while pending:
        folder = pending.pop()
        with os.scandir(os.path.join(top, folder)) as found:
            for entry in sorted(found, key=lambda entry: entry.name):
                path = os.path.join(folder, entry.name)
                if entry.is_dir(follow_symlinks=False):
                    pending.append(path)
                elif stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode):
                    continue
                yield path


def _link_groups(top: str, paths: list[str]) -> dict[str, tuple[str, ...]]:
    """For every path that shares its inode with others of the tree, all paths of that group."""
    inodes: dict[tuple[int, int], list[str]] = {}
    for path in paths:
        found = os.lstat(os.path.join(top, path))
        if found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
            inodes.setdefault((found.st_dev, found.st_ino), []).append(path)
    groups = (tuple(sorted(group)) for group in inodes.values() if len(group) > 1)
    return {path: group for group in groups for path in group}


def differences(left: str, right: str, owner: bool = True) -> list[str]:
    """What distinguishes two trees, one sentence fragment for each path; empty if a restore gave the same again.

    Owners are compared unless `owner` is false (a user who is not root cannot restore them).
    """
    found = []
    here, there = list(_walk(left)), list(_walk(right))
    found += [f"{shown(path)}: only in {left}" for path in sorted(set(here) - set(there))]
    found += [f"{shown(path)}: only in {right}" for path in sorted(set(there) - set(here))]
    groups, other_groups = _link_groups(left, here), _link_groups(right, there)
    for path in ["", *sorted(set(here) & set(there))]:
        unlike = same_file(os.path.join(left, path), os.path.join(right, path), owner)
        if groups.get(path) != other_groups.get(path):
            unlike.append("hard links")
        if unlike:
            found.append(f"{shown(path) or '.'}: {', '.join(unlike)}")
    return found
