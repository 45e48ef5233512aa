# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Trees that are hard to back up, and random changes to them."""

from __future__ import annotations

import os
import random
import shutil
import socket
import stat
import struct
import subprocess
from pathlib import Path

#: Names that shells, line-wise lists, quoting and UTF-8 decoders stumble over.
NASTY_NAMES = [
    b"with space",
    b" leading and trailing ",
    b"'single' and \"double\"",
    b"line\nbreak",
    b"carriage\rreturn and\ttab",
    b"-leading-dash",
    b"--checkpoint-action=exec=touch pwned",
    b"back\\slash",
    b"back\\nslash n",
    b"\\xff that is text",
    b"not utf-8 \xff\xfe",
    b"latin-1 \xe4\xf6\xfc",
    "umlaut \u00e4, combined a\u0308, \U0001f4be".encode(),
    b"*?[glob]{a,b}",
    b"$HOME `id` $(id); & | > <",
    b"#hash %percent ~tilde",
    b"\x01\x1b[31m control \x7f",
    b"Directory is new",
    b": Cannot open: Permission denied",
    b"ends with colon:",
    b"..dots..",
    b"x" * 255,
]


def write(path: str | bytes | Path, content: bytes = b"content\n", mode: int = 0o644) -> None:
    """A file with this content and mode; its folders are made."""
    os.makedirs(os.path.dirname(os.fsencode(path)), exist_ok=True)
    with open(path, "wb") as stream:
        stream.write(content)
    os.chmod(path, mode)


def remember(tree: Path, copy: Path) -> None:
    """Copy a tree with everything that a restore has to bring back."""
    subprocess.run(["cp", "--archive", "--sparse=auto", "--", str(tree), str(copy)], check=True)


def access_acl(path: str | bytes | Path, user: int, default: bool = False) -> bool:
    """Give a user read access by a POSIX ACL, without the acl package; False where the file system has none.

    The value is that of linux/posix_acl_xattr.h: a version, then tag, permissions and id of each entry.
    """
    user_obj, named_user, group_obj, mask, other, undefined = 0x01, 0x02, 0x04, 0x10, 0x20, 0xFFFFFFFF
    entries = [(user_obj, 7, undefined), (named_user, 4, user), (group_obj, 5, undefined), (mask, 5, undefined)]
    entries.append((other, 0, undefined))
    value = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    try:
        os.setxattr(path, "system.posix_acl_default" if default else "system.posix_acl_access", value)
    except OSError:
        return False
    return True


def extended_attribute(path: str | bytes | Path, name: str = "user.freezer.test", value: bytes = b"\0\xff=\n") -> bool:
    """Set an extended attribute; False where the file system has none."""
    try:
        os.setxattr(path, name, value)
    except OSError:
        return False
    return True


def make_socket(path: Path) -> None:
    """A socket in the file system; its path may be longer than sockets take."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)


def make_everything(top: Path) -> None:
    """A folder with one of everything that can be restored by a user who is not root."""
    root = os.fsencode(top)
    os.makedirs(root, exist_ok=True)
    for name in NASTY_NAMES:
        write(os.path.join(root, b"files", name), b"in " + name)
        write(os.path.join(root, b"folders", name, name), b"in " + name)
        os.makedirs(os.path.join(root, b"links"), exist_ok=True)
        os.symlink(name, os.path.join(root, b"links", name))
    (top / "empty folder").mkdir()
    (top / "empty file").touch()
    write(top / "linked" / "first", b"linked")
    os.link(top / "linked" / "first", top / "linked" / "second")
    os.link(top / "linked" / "first", top / "third")
    os.symlink("nowhere/at all", top / "dangling")
    os.symlink("/etc/hostname", top / "absolute")
    os.symlink("linked", top / "to a folder")
    os.symlink("to itself", top / "to itself")
    os.link(top / "dangling", top / "link to a link", follow_symlinks=False)
    os.mkfifo(top / "fifo", 0o640)
    with open(top / "sparse", "wb") as sparse:
        sparse.truncate(20 << 20)
        sparse.seek(10 << 20)
        sparse.write(b"in the middle")
    with open(top / "huge hole", "wb") as sparse:
        sparse.write(b"first")
        sparse.truncate((5 << 30) + 1)
        sparse.seek(5 << 30)
        sparse.write(b"last")
    write(top / "setuid", b"#!/bin/sh\n", 0o4755)
    write(top / "setgid", b"#!/bin/sh\n", 0o2755)
    (top / "sticky").mkdir()
    os.chmod(top / "sticky", 0o1777)
    write(top / "no rights", b"secret", 0o400)
    write(top / "read only" / "file", b"", 0o444)
    for name, mtime in {
        "before 1970": -1_000_000_000_123_456_789,
        "just before 1970": -1,
        "at 1970": 0,
        "nanoseconds": 1_600_000_000_000_000_001,
        "almost a second": 1_600_000_000_999_999_999,
        "future": 7_258_118_400_500_000_000,
    }.items():
        write(top / "times" / name, name.encode())
        os.utime(top / "times" / name, ns=(0, mtime))
    os.utime(top / "dangling", ns=(0, 1_234_567_890_123_456_789), follow_symlinks=False)
    write(top / "attributes" / "xattr")
    extended_attribute(top / "attributes" / "xattr")
    extended_attribute(top / "attributes")
    write(top / "attributes" / "acl")
    access_acl(top / "attributes" / "acl", 12345)
    (top / "attributes" / "default acl").mkdir()
    access_acl(top / "attributes" / "default acl", 12345, default=True)
    os.chmod(top / "read only", 0o555)
    os.utime(top / "empty folder", ns=(0, -5_000_000_001))
    os.utime(top, ns=(0, 1_500_000_000_123_456_789))


def open_for_removal(top: Path) -> None:
    """Let the owner into all folders, so that pytest can remove them."""
    for path, folders, _files in os.walk(os.fsencode(top)):
        for name in folders:
            below = os.path.join(path, name)
            if not os.path.islink(below):
                os.chmod(below, 0o700)


class RandomTree:
    """A folder that changes at random, the same way for the same seed.

    `outside` is a folder beside it, from which things come in and where they go, all with old times.
    """

    def __init__(self, top: Path, outside: Path, seed: int) -> None:
        self.top, self.outside = top, outside
        self.random = random.Random(seed)
        self.log: list[str] = []
        self._names = [os.fsencode(name) for name in "abcdefgh"] + NASTY_NAMES[:9]
        os.makedirs(top)
        os.makedirs(outside)
        for _count in range(self.random.randint(5, 25)):
            self._create(self._any_folder())
        for count in range(4):
            self._create(os.fsencode(outside), kind="folder")
            write(os.path.join(os.fsencode(outside), b"old%d" % count, b"sub", b"f"), b"old %d" % count)
        shared = os.path.join(os.fsencode(outside), b"old0", b"sub", b"f")
        os.link(shared, os.path.join(os.fsencode(outside), b"old1", b"linked"))

    def _paths(self, kind: str = "any", top: Path | None = None) -> list[bytes]:
        found = []
        for folder, folders, files in os.walk(os.fsencode(top or self.top)):
            for name in sorted(folders):
                path = os.path.join(folder, name)
                if kind == "any" or (kind == "folder") == (not os.path.islink(path)):
                    found.append(path)
            if kind != "folder":
                found += [os.path.join(folder, name) for name in sorted(files)]
        return sorted(found)

    def _pick(self, kind: str = "any", top: Path | None = None) -> bytes | None:
        found = self._paths(kind, top)
        return self.random.choice(found) if found else None

    def _any_folder(self) -> bytes:
        return self.random.choice([os.fsencode(self.top), *self._paths("folder")])

    def _free_name(self, folder: bytes) -> bytes:
        free = [name for name in self._names if not os.path.lexists(os.path.join(folder, name))]
        return os.path.join(folder, self.random.choice(free or [b"n%d" % self.random.randrange(10**6)]))

    def _create(self, folder: bytes, kind: str | None = None) -> None:
        path = self._free_name(folder)
        kind = (
            kind
            or self.random.choices(["file", "folder", "symlink", "fifo", "hole", "hard link"], [10, 8, 2, 1, 1, 3])[0]
        )
        if kind == "folder":
            os.mkdir(path, self.random.choice([0o755, 0o700, 0o2770]))
        elif kind == "symlink":
            os.symlink(self.random.choice(self._names), path)
        elif kind == "fifo":
            os.mkfifo(path)
        elif kind == "hole":
            with open(path, "wb") as stream:
                stream.truncate(self.random.randrange(1, 1 << 22))
        elif kind == "hard link":
            target = self._pick("file")
            # GNU tar archives linked FIFOs as so many FIFOs.
            if target is not None and not stat.S_ISFIFO(os.lstat(target).st_mode):
                os.link(target, path, follow_symlinks=False)
        else:
            write(path, self.random.randbytes(self.random.choice([0, 1, 500, 5000])))

    # One method for each kind of change. They may find nothing to do.

    def create(self) -> None:
        self._create(self._any_folder())

    def delete(self) -> None:
        path = self._pick()
        if path is not None:
            _remove(path)

    def rename_file(self) -> None:
        path = self._pick("file")
        if path is not None:
            os.rename(path, self._free_name(os.path.dirname(path)))

    def rename_folder(self) -> None:
        path = self._pick("folder")
        if path is not None:
            os.rename(path, self._free_name(os.path.dirname(path)))

    def move(self) -> None:
        path = self._pick()
        folder = self._any_folder()
        if path is not None and not (folder + b"/").startswith(path + b"/"):
            os.rename(path, self._free_name(folder))

    def exchange(self) -> None:
        one, other = self._pick(), self._pick()
        if (
            one is None
            or other is None
            or (one + b"/").startswith(other + b"/")
            or (other + b"/").startswith(one + b"/")
        ):
            return
        aside = os.path.join(os.fsencode(self.outside), b"aside")
        os.rename(one, aside)
        os.rename(other, one)
        os.rename(aside, other)

    def swap_with_parent(self) -> None:
        nested = [path for path in self._paths("folder") if os.path.dirname(path) != os.fsencode(self.top)]
        if nested:
            child = self.random.choice(nested)
            parent = os.path.dirname(child)
            aside = os.path.join(os.fsencode(self.outside), b"aside")
            os.rename(child, aside)
            os.rename(parent, os.path.join(aside, b"parent %d" % self.random.randrange(10**9)))
            os.rename(aside, parent)

    def replace(self) -> None:
        path = self._pick()
        if path is not None:
            folder = os.path.dirname(path)
            _remove(path)
            free, self._names = self._names, [os.path.basename(path)]
            self._create(folder)
            self._names = free

    def change(self) -> None:
        path = self._pick_regular()
        if path is not None:
            with open(path, "r+b") as stream:
                stream.seek(self.random.randrange(0, os.path.getsize(path) + 1))
                stream.write(self.random.randbytes(3))

    def change_and_keep_mtime(self) -> None:
        path = self._pick_regular()
        if path is not None and os.path.getsize(path):
            before = os.stat(path)
            with open(path, "r+b") as stream:
                stream.write(self.random.randbytes(1))
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    def chmod(self) -> None:
        path = self._pick()
        if path is not None and not os.path.islink(path):
            modes = [0o755, 0o711, 0o1777] if os.path.isdir(path) else [0o644, 0o600, 0o4755, 0o444]
            os.chmod(path, self.random.choice(modes))

    def touch(self) -> None:
        path = self._pick()
        if path is not None:
            os.utime(path, ns=(0, self.random.randrange(-(10**18), 2 * 10**18)), follow_symlinks=False)

    def hard_link(self) -> None:
        self._create(self._any_folder(), kind="hard link")

    def attribute(self) -> None:
        path = self._pick_regular()
        if path is not None:
            extended_attribute(path, value=self.random.randbytes(5))

    def come_in(self) -> None:
        path = self._pick(top=self.outside)
        if path is not None:
            os.rename(path, self._free_name(self._any_folder()))

    def come_in_over(self) -> None:
        path, place = self._pick("folder", self.outside), self._pick("folder")
        if path is not None and place is not None:
            _remove(place)
            os.rename(path, place)

    def go_out(self) -> None:
        path = self._pick()
        if path is not None:
            os.rename(path, os.path.join(os.fsencode(self.outside), b"out%d" % self.random.randrange(10**9)))

    def recreate(self) -> None:
        path = self._pick("folder")
        if path is not None:
            aside = os.path.join(os.fsencode(self.outside), b"aside")
            os.rename(path, aside)
            os.mkdir(path)
            for name in sorted(os.listdir(aside)):
                if self.random.random() < 0.7:
                    os.rename(os.path.join(aside, name), os.path.join(path, name))
            _remove(aside)

    def _pick_regular(self) -> bytes | None:
        modes = {path: os.lstat(path).st_mode for path in self._paths("file")}
        regular = [path for path, mode in modes.items() if stat.S_ISREG(mode) and mode & stat.S_IWUSR]
        return self.random.choice(regular) if regular else None

    def mutate(self) -> None:
        """A few changes, one after the other."""
        changes = [
            *(self.create, self.delete, self.rename_file, self.rename_folder, self.rename_folder, self.move, self.move),
            *(self.exchange, self.swap_with_parent, self.replace, self.replace, self.change),
            *(self.change_and_keep_mtime, self.chmod, self.touch, self.hard_link, self.attribute),
            *(self.come_in, self.come_in_over, self.go_out, self.recreate),
        ]
        for _count in range(self.random.randint(0, 12)):
            change = self.random.choice(changes)
            self.log.append(change.__name__)
            change()


def _remove(path: bytes) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)
