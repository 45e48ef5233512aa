# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What a tree on disk is, and what patterns select of it: the words of the documentation, without any code of the engine."""

from __future__ import annotations

import hashlib
import os
import random
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

#: A pattern as an option has it, and whether it selects a name.
Pattern = tuple[str, Callable[[bytes], bool]]


class Entry(NamedTuple):
    """One path. Sizes are those of files, 0 for the rest."""

    kind: str
    mode: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    link: bytes
    content: str
    is_linked: bool


_KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "symbolic link", stat.S_IFIFO: "FIFO"}


def model_of(top: Path) -> dict[bytes, Entry]:
    """All paths of a tree by their names below it, the folder itself as an empty name."""
    root = os.fsencode(top)
    found = {b"": _entry(root)}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = os.path.join(folder, name)
            found[os.path.relpath(path, root)] = _entry(path)
    return found


def _entry(path: bytes) -> Entry:
    one = os.lstat(path)
    kind = _KINDS[stat.S_IFMT(one.st_mode)]
    link = os.readlink(path) if kind == "symbolic link" else b""
    content = ""
    if kind == "file":
        with open(path, "rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    size = one.st_size if kind == "file" else 0
    linked = kind != "folder" and one.st_nlink > 1
    return Entry(kind, stat.S_IMODE(one.st_mode), one.st_uid, one.st_gid, size, one.st_mtime_ns, link, content, linked)


def above(name: bytes) -> Iterator[bytes]:
    """The folders above a path, the top one included."""
    while name:
        name = name.rpartition(b"/")[0]
        yield name


def _escaped(name: bytes) -> bytes:
    return b"".join(b"\\" + bytes([one]) if one in b"\\*?[]" else bytes([one]) for one in name)


def literally(name: bytes) -> str:
    """The pattern that selects one path."""
    return os.fsdecode(b"./" + _escaped(name))


def a_pattern(choose: random.Random, names: list[bytes]) -> Pattern:
    """A pattern of one of the kinds that are documented, which selects some of these names."""
    name = choose.choice([one for one in names if one])
    parts = name.split(b"/")
    how = choose.randrange(5)
    if how == 0:  # at the top of what was backed up, with all that is below it
        return literally(name), lambda one: one == name or one.startswith(name + b"/")
    if how == 1:  # a name at any depth, with all that is below it
        base = parts[-1]
        return os.fsdecode(_escaped(base)), lambda one: base in one.split(b"/")
    if how == 2:  # a name in a folder, at any depth
        pair = parts[-2:]
        return os.fsdecode(_escaped(b"/".join(pair))), lambda one: _has_run(one.split(b"/"), pair)
    if how == 3:  # what begins so
        head = parts[-1][:1]
        return os.fsdecode(_escaped(head) + b"*"), lambda one: any(part.startswith(head) for part in one.split(b"/"))
    # One byte that may be another one. It may be a slash as well, so only names of one part are asked for.
    last = parts[-1]
    return (
        os.fsdecode(b"./" + b"?" * len(last)),
        lambda one: any(len(one[:end]) == len(last) for end in _ends(one)),
    )


def _has_run(parts: list[bytes], run: list[bytes]) -> bool:
    return any(parts[begin : begin + len(run)] == run for begin in range(len(parts)))


def _ends(name: bytes) -> list[int]:
    return [place for place, one in enumerate(name) if one == ord("/")] + [len(name)]


def restored_part(model: dict[bytes, Entry], include: list[Pattern], exclude: list[Pattern]) -> dict[bytes, bool]:
    """The names that a restore of a part brings back, each with whether it was wanted itself, and not for what is below it."""
    wanted = {
        name
        for name in model
        if name
        and (not include or any(matches(name) for _text, matches in include))
        and not any(matches(name) for _text, matches in exclude)
    }
    needed = {folder for name in wanted for folder in above(name)}
    return {name: name in wanted for name in wanted | needed}
