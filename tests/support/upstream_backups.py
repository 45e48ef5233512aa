# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The backups in tests/data/upstream, which the agent of OpenStack's Freezer made, and what is in them.

``tests/data/upstream/make`` uses this file as well, without the collection, so it imports the standard library only.
"""

from __future__ import annotations

import functools
import json
import os
import stat
import tarfile
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[1] / "data" / "upstream"
HOST = "web1"
#: The first line of the file that the encrypted ones were made with.
PASSPHRASE = "correct horse battery staple"
ZEROS = 70000

#: What a folder has by path: kind and mode, owner, group, time, then content, target or numbers, then the first link.
Listing = dict[str, list[Any]]


def unpack(folder: Path) -> Path:
    """A new container with all the backups, in a folder."""
    with tarfile.open(DATA / "container.tar.xz") as packed:
        # Made here, of plain files and folders.
        packed.extractall(folder)
    return folder / "container"


def pass_file(folder: Path, content: str = PASSPHRASE) -> str:
    """A file with a passphrase, that of the backups if no other one is given."""
    path = folder / "passphrase"
    path.write_text(f"{content}\nand more lines\n")
    path.chmod(0o600)
    return str(path)


@functools.cache
def expected() -> dict[str, Listing]:
    """What is in the backups of each level."""
    found: dict[str, Listing] = json.loads((DATA / "expected.json").read_text())
    return found


def listed(top: Path | str) -> Listing:
    """What is in a folder. Owners are compared by root only, times of symbolic links not at all."""
    found: Listing = {}
    inodes: dict[int, list[str]] = {}
    root = os.fsencode(top)
    paths = [os.path.join(folder, name) for folder, folders, files in os.walk(root) for name in folders + files]
    for path in [root, *sorted(paths)]:
        about = os.lstat(path)
        name = os.path.relpath(path, root).decode("utf-8", "surrogateescape")
        entry: list[Any] = [stat.filemode(about.st_mode), about.st_uid, about.st_gid]
        if stat.S_ISLNK(about.st_mode):
            entry += [0, os.readlink(path).decode()]
        else:
            entry.append(about.st_mtime_ns // 10**9)
        if stat.S_ISCHR(about.st_mode):
            entry.append([os.major(about.st_rdev), os.minor(about.st_rdev)])
        if stat.S_ISREG(about.st_mode):
            with open(path, "rb") as file:
                content = file.read()
            entry.append("zeros" if content == bytes(ZEROS) else content.decode("utf-8", "surrogateescape"))
            if about.st_nlink > 1:
                inodes.setdefault(about.st_ino, []).append(name)
        found[name] = entry
    for first, *others in inodes.values():
        for name in (first, *others) if others else ():
            found[name].append(first)
    return found
