# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Two trees compared: names, types, contents, modes, owners, times, links, extended attributes and ACLs."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..system.file_names import shown

_BLOCK_BYTES = 1 << 20
# Labels that the kernel sets by itself, or that only some mounts have.
_KERNELS_OWN = ("security.selinux", "security.evm", "security.ima")


def attributes(path: str | bytes) -> dict[str, bytes]:
    """Extended attributes, ACLs included, that belong to the data; empty where the file system has none."""
    found = {}
    try:
        for name in os.listxattr(path, follow_symlinks=False):
            if name not in _KERNELS_OWN:
                found[name] = os.getxattr(path, name, follow_symlinks=False)
    except OSError:
        pass  # none, or not readable for this user
    return found


def _next_data(descriptor: int, offset: int, size: int) -> int:
    try:
        return os.lseek(descriptor, offset, os.SEEK_DATA)
    except OSError as problem:
        return size if problem.errno == errno.ENXIO else offset


@contextmanager
def _opened(path: str) -> Iterator[int]:
    """A descriptor of a file. Raises OSError, also if the file was exchanged since it was looked at."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EAGAIN, "It was replaced while it was compared", path)
        yield descriptor
    finally:
        os.close(descriptor)


def _same_content(left: str, right: str) -> bool:
    """Whether two files of one size have the same contents; holes of both are not read."""
    with _opened(left) as here, _opened(right) as there:
        size, offset = os.fstat(here).st_size, 0
        while True:
            offset = min(_next_data(here, offset, size), _next_data(there, offset, size))
            block = os.pread(here, _BLOCK_BYTES, offset)
            if block != os.pread(there, _BLOCK_BYTES, offset):
                return False
            if not block:
                return True
            offset += len(block)


def same_file(left: str, right: str, owner: bool = True) -> list[str]:
    """The differences of two paths, without the contents of folders; empty if they are equal.

    These are type, content, mode, owner, mtime, target, device, xattrs, and unreadable for content that this user may not
    read.
    """
    a, b = os.lstat(left), os.lstat(right)
    if stat.S_IFMT(a.st_mode) != stat.S_IFMT(b.st_mode):
        return ["type"]
    differences = []
    if stat.S_ISREG(a.st_mode):
        try:
            if a.st_size != b.st_size or not _same_content(left, right):
                differences.append("content")
        except PermissionError:
            differences.append("unreadable")
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


def _walk(top: str, unreadable: set[str]) -> Iterator[str]:
    """Every path below a folder, relative to it; sockets are left out because archives do not have them."""
    pending = [""]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(os.path.join(top, folder)) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError:
            unreadable.add(folder)
            continue
        for entry in entries:
            path = os.path.join(folder, entry.name)
            if entry.is_dir(follow_symlinks=False):
                pending.append(path)
            elif _is_socket(os.path.join(top, path)):
                continue
            yield path


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.lstat(path).st_mode)
    except OSError:
        return False  # removed meanwhile: the comparison reports it


def _link_groups(top: str, paths: list[str]) -> dict[str, tuple[str, ...]]:
    """For every path with hard links in the tree, all paths of its inode."""
    inodes: dict[tuple[int, int], list[str]] = {}
    for path in paths:
        try:
            found = os.lstat(os.path.join(top, path))
        except OSError:
            continue
        if found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
            inodes.setdefault((found.st_dev, found.st_ino), []).append(path)
    groups = (tuple(sorted(group)) for group in inodes.values() if len(group) > 1)
    return {path: group for group in groups for path in group}


@dataclass
class Comparison:
    """Two trees beside each other; paths are relative, and the top is the empty one."""

    only_left: list[str]
    only_right: list[str]
    #: Paths that differ, with the kinds of their differences.
    unlike: dict[str, list[str]]
    equal: int


def compare(left: str, right: str, owner: bool = True) -> Comparison:
    """Compare two trees. Owners are compared unless `owner` is false (a user who is not root cannot restore them)."""
    unreadable: set[str] = set()
    here, there = list(_walk(left, unreadable)), list(_walk(right, unreadable))
    both = set(here) & set(there)
    found = Comparison(sorted(set(here) - both), sorted(set(there) - both), {}, 0)
    groups, other_groups = _link_groups(left, here), _link_groups(right, there)
    for path in ["", *sorted(both)]:
        try:
            unlike = same_file(os.path.join(left, path), os.path.join(right, path), owner)
        except OSError as problem:  # the tree changed while it was compared
            unlike = [problem.strerror or str(problem)]
        if groups.get(path) != other_groups.get(path):
            unlike.append("hard links")
        if path in unreadable:
            unlike.append("unreadable")
        if unlike:
            found.unlike[path] = unlike
        else:
            found.equal += 1
    return found


def differences(left: str, right: str, owner: bool = True, right_name: str | None = None) -> list[str]:
    """The differences of two trees, a sentence part for each path; empty if they are equal.

    `right_name` is the name of the right tree in these, by default its path.
    """
    found = compare(left, right, owner)
    return [
        *(f"{shown(path)}: only in {left}" for path in found.only_left),
        *(f"{shown(path)}: only in {right_name or right}" for path in found.only_right),
        *(f"{shown(path) or '.'}: {', '.join(words)}" for path, words in found.unlike.items()),
    ]
