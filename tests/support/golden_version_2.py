# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The backups in tests/data/version_2, and what is in them.

``tests/data/version_2/make`` uses this file as well, by its path, so it imports the standard library only.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import stat
import tarfile
from pathlib import Path
from typing import Any, NamedTuple

DATA = Path(__file__).parents[1] / "data" / "version_2"
HOST = "web1"
#: The first line of `passphrase` in the folder of the keys.
PASSPHRASE = "correct horse battery staple"

#: What a folder has by path: kind and mode, owner, group, time in nanoseconds; of a file its size, SHA-256 and attributes, of a link
#: its target; then the first name of a file with several.
Listing = dict[str, list[Any]]


class Golden(NamedTuple):
    """The backups of one name."""

    name: str
    levels: int
    #: ``none``, ``age`` or ``aes-256-cfb``.
    encryption: str = "none"
    #: ``key``, ``passphrase`` or ``nobody``.
    signed_by: str = "nobody"
    compression: str = "zstd"
    #: Of age, the forms of the secret half.
    forms: tuple[str, ...] = ()
    #: Whether a file was backed up, not a folder.
    is_file: bool = False

    @property
    def source(self) -> str:
        """Which of the listings it is of."""
        return "file" if self.is_file else "folder"


SETS = (
    Golden("zstd", 5, signed_by="key"),
    Golden("gzip", 5, compression="gzip"),
    Golden("bzip2", 2, compression="bzip2"),
    Golden("xz", 2, signed_by="key", compression="xz"),
    Golden("none", 3, signed_by="passphrase", compression="none"),
    Golden("file", 2, is_file=True),
    Golden("age", 5, "age", "key", forms=("passphrase.age", "recipients.age")),
    Golden("age for a passphrase", 2, "age", "passphrase", "gzip", ("passphrase.age",)),
    Golden("age for recipients", 2, "age", "key", forms=("recipients.age",)),
    Golden("aes-256-cfb", 2, "aes-256-cfb", "passphrase"),
)
LEVELS = [(one, level) for one in SETS for level in range(one.levels)]
#: Those that each reader restores: where every object is a fifth of a second of work the last level is enough, which reads the others.
READ = [(one, level) for one, level in LEVELS if one.encryption != "aes-256-cfb" or level == one.levels - 1]


class Unpacked:
    """A container with all the backups, and the keys that open and prove them, in a folder."""

    def __init__(self, folder: Path) -> None:
        with tarfile.open(DATA / "golden.tar.xz") as packed:
            # Made here, of plain files and folders.
            packed.extractall(folder)
        self.container = folder / "container"
        self.keys = folder / "keys"
        for path in self.keys.iterdir():
            path.chmod(0o600)

    def folder_of(self, golden: Golden, level: int) -> Path:
        """Where a backup lies."""
        (found,) = (self.container / f"{HOST}_{golden.name}").glob(f"*_{level}")
        return found

    def key(self, name: str) -> str:
        """The path of ``passphrase``, ``identity`` or ``allowed_signers``."""
        return str(self.keys / name)


@functools.cache
def _expected() -> dict[str, Listing]:
    found: dict[str, Listing] = json.loads((DATA / "expected.json").read_text())
    return found


def expected(golden: Golden, level: int) -> Listing:
    """What is in a backup, as `comparable` has it."""
    return comparable(_expected()[f"{golden.source} {level}"])


def comparable(listing: Listing) -> Listing:
    """What every user can restore; root brings owners back as well."""
    first = 1 if os.geteuid() == 0 else 3
    return {path: [entry[0], *entry[first:]] for path, entry in listing.items()}


def listed(top: Path | str) -> Listing:
    """What is in a folder, or a file of one by its name alone. Times of symbolic links are none."""
    found: Listing = {}
    inodes: dict[int, list[str]] = {}
    root = os.fsencode(top)
    paths = [os.path.join(folder, name) for folder, folders, files in os.walk(root) for name in folders + files]
    for path in [root, *sorted(paths)]:
        about = os.lstat(path)
        name = os.fsdecode(os.path.relpath(path, root))
        entry: list[Any] = [stat.filemode(about.st_mode), about.st_uid, about.st_gid]
        entry.append(0 if stat.S_ISLNK(about.st_mode) else about.st_mtime_ns)
        if stat.S_ISLNK(about.st_mode):
            entry.append(os.fsdecode(os.readlink(path)))
        if stat.S_ISREG(about.st_mode):
            with open(path, "rb") as file:
                entry += [about.st_size, hashlib.file_digest(file, "sha256").hexdigest()]
            names = [name for name in sorted(os.listxattr(path)) if name.startswith("user.")]  # not those of the host
            entry.append({name: os.getxattr(path, name).hex() for name in names})
            if about.st_nlink > 1:
                inodes.setdefault(about.st_ino, []).append(name)
        found[name] = entry
    for first, *others in inodes.values():
        for name in (first, *others) if others else ():
            found[name].append(first)
    return found
