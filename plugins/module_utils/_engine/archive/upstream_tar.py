# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The tar stream of a level that upstream's agent left: members of the GNU format, as its incremental dumps have them.

tar itself is not run for them. They are read as narrowly as ``tar --create --listed-incremental`` writes them, and
`upstream_replay` makes the files, so that no two programs can read one stream in two ways. Every member comes after the
folders that it is in, with the list of their names; a level without one of them is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..repository.errors import DamagedArchive
from ..system.file_names import shown
from .errors import UnsafeArchive
from .headers import BLOCK, MOST_EXTENDED, Strange, octal, padded
from .members import TOP, Folders

REGULAR, HARD_LINK, SYMLINK, CHARACTER, DEVICE, _PLAIN_FOLDER, FIFO, FOLDER = b"0123456D"
_LONG_LINK, _LONG_NAME = b"KL"
_KINDS = frozenset((REGULAR, HARD_LINK, SYMLINK, CHARACTER, DEVICE, FIFO, FOLDER))
_WITH_CONTENT = frozenset((REGULAR, FOLDER))
_MAGIC, _POSIX = b"ustar  \0", b"ustar\x0000"
#: The most bytes of one path. A path of Linux has 4096; tar can store longer ones.
_MOST_NAME = 32 << 10
_MOST_NUMBER = (1 << 63) - 1
_MOST_ID = (1 << 32) - 2
#: Seconds from 1970, before and after.
_MOST_TIME = 1 << 38
#: The most bytes after the end of the archive: zeros up to the end of a record of tar.
_MOST_BEHIND = 1 << 20
_PIECE = 1 << 20


@dataclass(frozen=True)
class Member:
    """One file of a level. `name` is ``.`` or begins with ``./``; `mtime` is in seconds since 1970."""

    kind: int
    name: bytes
    mode: int
    uid: int
    gid: int
    mtime: int
    size: int
    #: The target of a symbolic link; the first name of a file, for a hard link.
    linked: bytes
    device: tuple[int, int]


class _Input:
    """Blocks of bytes as a stream of exact reads."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = b""

    def read(self, size: int) -> bytes:
        """Exactly so many bytes. Raises Strange if there are fewer."""
        parts = list(self.pieces(size))
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def pieces(self, size: int) -> Iterator[bytes]:
        """Exactly so many bytes in pieces. Raises Strange if there are fewer."""
        while size:
            piece = self._rest or next(self._blocks, b"")
            if not piece:
                raise Strange("an end in the middle of a file")
            self._rest = piece[size:]
            piece = piece[:size]
            size -= len(piece)
            yield piece

    def rest(self) -> Iterator[bytes]:
        """All that is left."""
        yield self._rest
        self._rest = b""
        yield from self._blocks


class Level:
    """The members of one level, checked. It is iterated over once; `content` and `names` read the current member.

    `is_single` is whether it is of a single file and not of a folder, None before the first member.
    """

    def __init__(self, where: str, blocks: Iterator[bytes]) -> None:
        """`where` names the level in messages."""
        self.where = where
        self.is_single: bool | None = None
        self._input = _Input(blocks)
        self._folders = Folders()
        self._last = b""
        #: Bytes of content of the current member that were not read, and the padding behind them.
        self._to_come = self._padding = 0

    def __iter__(self) -> Iterator[Member]:
        """Raises UnsafeArchive for a member that is not below the folders before it, DamagedArchive for an odd form."""
        try:
            while True:
                for _unread in self._pieces():
                    pass
                member = self._next()
                if member is None:
                    return
                yield member
        except Strange as problem:
            after = f"after {_told(self._last)} comes" if self._last else "it begins with"
            raise DamagedArchive(
                f"{self.where} cannot be read: {after} {problem}, which upstream's tar does not write."
            ) from None

    def content(self) -> Iterator[bytes]:
        """The content of the current member in pieces, as far as it was not read yet. Raises DamagedArchive."""
        try:
            yield from self._pieces()
        except Strange as problem:
            raise DamagedArchive(f"{self.where} cannot be read: {_told(self._last)} comes with {problem}.") from None

    def names(self) -> bytes:
        """The names in the current folder, each with a letter before it and a NUL behind it. Raises DamagedArchive."""
        return b"".join(self.content())

    def _pieces(self) -> Iterator[bytes]:
        while self._to_come:
            for piece in self._input.pieces(min(self._to_come, _PIECE)):
                self._to_come -= len(piece)
                yield piece
        padding, self._padding = self._padding, 0
        self._input.read(padding)

    def _next(self) -> Member | None:
        """The next member; None at the end. Raises Strange, UnsafeArchive."""
        long: dict[int, bytes] = {}
        header = self._input.read(BLOCK)
        if not header.strip(b"\0"):
            self._check_end()
            return None
        _validate(header)
        while header[156] in (_LONG_LINK, _LONG_NAME) and header[156] not in long:
            size = _number(header[124:136], _MOST_NAME)
            name = self._input.read(padded(size))[:size]
            if not name.endswith(b"\0") or b"\0" in name[:-1]:
                raise Strange("a long name without an end")
            long[header[156]] = name[:-1]
            header = self._input.read(BLOCK)
            _validate(header)
        if header[156] not in _KINDS:
            raise Strange(f"a member of the kind {chr(header[156])!r}")
        member = self._member(header, long)
        self._to_come = member.size if member.kind in _WITH_CONTENT else 0
        self._padding = padded(member.size) - member.size
        return member

    def _member(self, header: bytes, long: dict[int, bytes]) -> Member:
        kind = header[156]
        name = long.get(_LONG_NAME, header[:100].partition(b"\0")[0])
        linked = long.get(_LONG_LINK, header[157:257].partition(b"\0")[0])
        if self.is_single is None:
            self.is_single = kind != FOLDER
            if name != b"./" and not self.is_single:
                raise Strange(f"the folder {_told(name)}")
        elif self.is_single:
            raise Strange("a second file in an archive of one file")
        name = self._place(name, kind == FOLDER)
        if kind == HARD_LINK:
            linked = self._place(linked, False)
        elif kind != SYMLINK:
            linked = b""
        elif not linked:
            raise Strange(f"a link {_told(name)} to nothing")
        self._last = name
        size = _number(header[124:136], MOST_EXTENDED if kind == FOLDER else _MOST_NUMBER)
        if size and kind not in _WITH_CONTENT:
            raise Strange(f"content of {_told(name)}, which is no file")
        self._check_folders(name, kind == FOLDER, linked if kind == HARD_LINK else None)
        is_device = kind in (CHARACTER, DEVICE)
        return Member(
            kind,
            name,
            _number(header[100:108], 0o7777777) & 0o7777,
            _number(header[108:116], _MOST_ID),
            _number(header[116:124], _MOST_ID),
            _number(header[136:148], _MOST_TIME, -_MOST_TIME),
            size,
            linked,
            (_number(header[329:337], _MOST_ID), _number(header[337:345], _MOST_ID)) if is_device else (0, 0),
        )

    def _place(self, name: bytes, is_folder: bool) -> bytes:
        """A name as ``.`` or ``./...``. Raises Strange for one that upstream's tar does not write."""
        if self.is_single:
            if name in (b"", b".", b"..") or b"/" in name:
                raise Strange(f"the name {_told(name)}")
            return b"./" + name
        if is_folder and name == b"./":
            return TOP
        plain = name[:-1] if is_folder and name.endswith(b"/") else name
        parts = plain.split(b"/")
        if parts[0] != b"." or len(parts) < 2 or any(part in (b"", b".", b"..") for part in parts[1:]):
            raise Strange(f"the name {_told(name)}")
        return plain

    def _check_folders(self, name: bytes, is_folder: bool, linked: bytes | None) -> None:
        wrong = self._folders.obstacle(name, is_folder, linked)
        if wrong is not None:
            raise UnsafeArchive(
                f"{self.where} is refused: it brings {_told(name)}, and {_told(wrong)} is not the folder there that it has to "
                "be. To extract it could change files anywhere on this host. Restore an earlier backup (backup_id or "
                "restore_from_date).",
                wrong.decode("utf-8", "surrogateescape"),
            )

    def _check_end(self) -> None:
        behind = 0
        for block in self._input.rest():
            behind += len(block)
            if block.strip(b"\0") or behind > _MOST_BEHIND:
                raise Strange("something behind the end")


def _validate(header: bytes) -> None:
    """Raise Strange unless this is a header of the GNU format."""
    if header[257:265] == _POSIX:
        raise Strange("a header of tar's POSIX format")
    told = header[148:154]
    # The sum counts its own field as blanks.
    if header[257:265] != _MAGIC or header[154:156] != b"\0 " or not told.isdigit():
        raise Strange("something that is no header")
    try:
        right = sum(header) - sum(header[148:156]) + 8 * ord(" ") == int(told, 8)
    except ValueError:
        right = False
    if not right:
        raise Strange("a header with a wrong sum")


def _number(field: bytes, most: int, least: int = 0) -> int:
    """A number in a header: octal digits and a NUL, or binary where these have no room for it. Raises Strange."""
    if field[0] in (0x80, 0xFF):
        found = int.from_bytes(field[1:], "big") - ((1 << 8 * (len(field) - 1)) if field[0] == 0xFF else 0)
    else:
        found = octal(field)
    if not least <= found <= most:
        raise Strange("a header with an impossible number")
    return found


def _told(name: bytes) -> str:
    return shown(name.decode("utf-8", "surrogateescape"))
