# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Read-only files with extended attributes, restored by a user who is not root.

GNU tar makes such a file with its final mode, may then neither set its attributes nor (but for sparse files of 1.35)
open it to write the content, and leaves it empty. A second tar writes the content of these files, and
their attributes are set from the headers of the archive.
"""

from __future__ import annotations

import io
import os
import stat
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Callable, cast

from ..system import file_names, process
from . import tar

_KEYWORD = "SCHILY.xattr."
#: An archive with these members (``./...``), and perhaps others, read again.
Again = Callable[[Sequence[bytes]], AbstractContextManager[Iterator[bytes]]]


def left_empty(folder: str, messages: tar.TarMessages) -> list[bytes]:
    """The members that tar left empty for this reason; none if tar had any other problem."""
    names = []
    for entry in messages.unreadable:
        found = _read_only(folder, entry["path"])
        # For a sparse file tar gives no reason.
        if entry["message"] not in ("Cannot open: Permission denied", "Cannot open") or not found:
            return []
        names += found
    return names


def without_attributes(folder: str, not_restored: Sequence[dict[str, str]]) -> list[bytes]:
    """The members that have their content, and lack their attributes because they are read-only."""
    told = [entry for entry in not_restored if tar.is_about_attribute(entry)]
    return [name for path in dict.fromkeys(entry["path"] for entry in told) for name in _read_only(folder, path)]


def others(not_restored: Sequence[dict[str, str]], names: Sequence[bytes]) -> list[dict[str, str]]:
    """All problems except those about attributes of these members. In messages of tar a line break ends the name."""
    first_lines = {file_names.shown(os.fsdecode(name)).partition("\n")[0] for name in names}
    return [entry for entry in not_restored if not (tar.is_about_attribute(entry) and entry["path"] in first_lines)]


def _read_only(folder: str, shown: str) -> list[bytes]:
    """The file name for a shown name, if it is that of a read-only file."""
    return [name for name in file_names.names_behind(shown) if _is_read_only(os.path.join(os.fsencode(folder), name))][
        :1
    ]


def _is_read_only(path: bytes) -> bool:
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and not found.st_mode & stat.S_IWUSR


def write_again(again: Again, folder: str, names: Sequence[bytes]) -> tar.TarMessages:
    """Extract these members again, over the files that exist; returns tar's message if it failed, else empty."""
    for name in names:
        path = os.path.join(os.fsencode(folder), name)
        os.chmod(path, stat.S_IMODE(os.lstat(path).st_mode) | stat.S_IWUSR)
    with tempfile.TemporaryFile() as listed:
        listed.write(b"".join(name + b"\0" for name in names))
        listed.seek(0)
        argv = tar.extract_members_argv(folder, listed.fileno())
        with tar.start(argv, process.PIPE, process.DISCARD, pass_fds=[listed.fileno()]) as writer:
            errors = tar.TarErrors(writer.stderr)
            sink = writer.stdin
            with again(names) as blocks:
                try:
                    for block in blocks:
                        sink.write(block)
                    sink.close()
                except BrokenPipeError:
                    pass
            status = writer.wait()
            errors.join()
    return errors.messages if status != 0 else tar.TarMessages()


class _Blocks(io.RawIOBase):
    """Blocks of bytes as a stream."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        super().__init__()
        self._blocks, self._rest = blocks, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        self._rest = self._rest or next(self._blocks, b"")
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def set_attributes(again: Again, folder: str, names: Sequence[bytes]) -> list[dict[str, str]]:
    """Set the extended attributes of these files from the archive; returns those that could not be set."""
    wanted = {os.fsdecode(name) for name in names}
    not_restored = []
    with again(names) as blocks:
        stream = io.BufferedReader(cast(io.RawIOBase, _Blocks(blocks)))
        with tarfile.open(fileobj=stream, mode="r|", encoding="utf-8", errors="surrogateescape") as archive:
            for member in archive:
                cast(Any, archive).members.clear()  # it would keep every header in memory
                if member.name in wanted:
                    not_restored += _set_attributes_of(os.path.join(folder, member.name), member)
    return not_restored


def _set_attributes_of(path: str, member: tarfile.TarInfo) -> list[dict[str, str]]:
    not_restored = []
    mode = stat.S_IMODE(os.lstat(path).st_mode)
    os.chmod(path, mode | stat.S_IWUSR)
    for keyword, value in member.pax_headers.items():
        if keyword.startswith(_KEYWORD):
            name = keyword[len(_KEYWORD) :]
            try:
                os.setxattr(path, name, value.encode("utf-8", "surrogateescape"))
            except OSError as problem:
                message = f"Cannot set the extended attribute {name}: {problem.strerror}"
                not_restored.append({"path": file_names.shown(member.name), "message": message})
    os.chmod(path, mode)
    return not_restored
