# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What stands between a stored stream and the tar that extracts it: every header is read here before tar sees it.

tar protects itself against links that lead out of its folder within one run only. A chain is one run for each level,
so what an earlier level brought, links included, lies in the way of the next one. Here a level is stopped before its
first member that would not land among the folders of its own, or that is anything else than what our writer's tar
writes: the POSIX format, one extended header at most for each member, names below ``./``. What is not understood is
refused, so that tar and this module cannot read one stream in two ways.
"""

from __future__ import annotations

from .errors import UnsafeArchive
from .members import TOP, Folders
from .tar import shown

_BLOCK = 512
_MAGIC = b"ustar\x0000"
#: The field ``prefix`` and what follows it, which the POSIX format of GNU tar leaves empty.
_UNUSED = 345
_NOTHING = bytes(_BLOCK - _UNUSED)
_EXTENDED, _REGULAR, _HARD_LINK, _FOLDER = b"x015"
_KINDS = frozenset(b"0123456")
_KEYS = frozenset(
    {b"path", b"linkpath", b"size", b"mtime", b"atime", b"ctime", b"uid", b"gid", b"uname", b"gname", b"GNU.dumpdir"}
    | {b"GNU.sparse.major", b"GNU.sparse.minor", b"GNU.sparse.name", b"GNU.sparse.realsize", b"RHT.security.selinux"}
)
_KEY_BEGINNINGS = (b"SCHILY.xattr.", b"SCHILY.acl.")
#: In the list of a folder: tar would move a folder, or make one for the time being.
_MOVES = frozenset({b"R", b"T", b"X"})


class _Strange(Exception):
    """Something that our writer's tar does not write."""


class Gate:
    """Checks the tar stream of one level. Give it every block before tar gets it.

    ``content_bytes`` are the contents of files that have passed, holes included: what a catalogue counts as well.
    """

    def __init__(self, where: str, increment: bool) -> None:
        self._where, self._increment = where, increment
        self._folders = Folders()
        #: Folders that the list of the folder above has as such: tar has removed there whatever is none.
        self._listed = {TOP}
        self._begun = b""
        self._to_skip = 0
        self._ended = False
        self._last = b"./"
        self.members = 0
        self.content_bytes = 0
        #: So much content of the last member has not come yet.
        self._to_come = 0

    def check(self, block: bytes) -> int:
        """How many bytes of contents of files the next block of the stream brings.

        Raises UnsafeArchive if it holds something that tar must not get.
        """
        before = self.content_bytes
        try:
            self._check(block)
        except _Strange as problem:
            raise self._refusal(f"after {_told(self._last)} comes {problem}, which its writer does not store") from None
        return self.content_bytes - before

    def _check(self, block: bytes) -> None:
        self._count(0, len(block))  # a member ends with this block, or nothing of it has begun
        block = self._begun + block if self._begun else block
        position, end = self._to_skip, len(block)
        while position + _BLOCK <= end and not self._ended:
            header = block[position : position + _BLOCK]
            if not header.strip(b"\0"):
                self._ended = True
                break
            _validate(header)
            records: dict[bytes, bytes] = {}
            if header[156] == _EXTENDED:
                size = _size(header)
                begin = position + _BLOCK
                if begin + _padded(size) + _BLOCK > end:
                    break
                records = _records(block[begin : begin + size])
                position = begin + _padded(size)
                header = block[position : position + _BLOCK]
                _validate(header)
            size = self._member(header, records)
            position += _BLOCK
            self._count(size, end - position)
            position += _padded(size)
        if self._ended:
            if block.count(0, position) != max(0, end - position):
                raise _Strange("something behind the end")
            self._begun, self._to_skip = b"", max(0, position - end)
        else:
            self._begun, self._to_skip = block[position:], max(0, position - end)

    def _count(self, more: int, there: int) -> None:
        """Count content: so much more belongs to the stream, and so much of the stream is there."""
        self._to_come += more
        come = min(self._to_come, there)
        self.content_bytes += come
        self._to_come -= come

    def _member(self, header: bytes, records: dict[bytes, bytes]) -> int:
        """Check one member; returns how many bytes of content follow."""
        kind = header[156]
        if kind not in _KINDS:
            raise _Strange(f"a member of the kind {chr(kind)!r}")
        name = _text(records.get(b"GNU.sparse.name", records.get(b"path", header[:100].partition(b"\0")[0])))
        is_folder = kind == _FOLDER
        last = (name[:-1] if is_folder and name.endswith(b"/") else name).rpartition(b"/")[2]
        if last in (b"", b".", b"..") and not (is_folder and name in (b".", b"./")):
            raise _Strange(f"the name {_told(name)}")
        linked = None
        if kind == _HARD_LINK:
            linked = _text(records.get(b"linkpath", header[157:257].partition(b"\0")[0]))
            if linked.rpartition(b"/")[2] in (b"", b".", b".."):
                raise _Strange(f"a link to {_told(linked)}")
        self._last = name
        wrong = self._folders.obstacle(name, is_folder, linked)
        if wrong is not None:
            raise self._refusal(
                f"it brings {_told(name)}, and {_told(wrong)} is not the folder there that it has to be", wrong
            )
        if self._increment and not is_folder and name in self._listed:
            # The folder of the level below would stay, and be in its way.
            raise self._refusal(f"{_told(name)} is no folder in it, and the folder above has it as one", name)
        dumpdir = records.get(b"GNU.dumpdir")
        if dumpdir is not None:
            if not is_folder:
                raise _Strange("a list of names that does not belong to a folder")
            if self._increment:
                self._list(name.rstrip(b"/"), dumpdir)
        self.members += 1
        size = _size(header)
        if kind == _REGULAR:
            size = _number(records[b"size"]) if b"size" in records else size
            if b"GNU.sparse.realsize" in records:
                self.content_bytes += _number(records[b"GNU.sparse.realsize"]) - size  # its holes
            return size
        if size or b"size" in records or b"GNU.sparse.name" in records:
            raise _Strange(f"content of {_told(name)}, which is no file")
        return 0

    def _list(self, folder: bytes, dumpdir: bytes) -> None:
        """Check what a folder held: tar removes from it what is not in this list, before it makes the folder."""
        if folder not in self._listed:
            above = folder.rpartition(b"/")[0]
            raise self._refusal(
                f"{_told(folder)} is a folder in it, and {_told(above)} does not have it as one", folder
            )
        entries = dumpdir[:-1].split(b"\0")[:-1]
        if any(entry[:1] in _MOVES for entry in entries):
            raise self._refusal(f"{_told(folder)} in it asks for a folder to be moved", folder)
        names = {entry[1:] for entry in entries}
        # Its end is an empty entry: for tar, what comes after the first one does not count.
        whole = dumpdir == b"\0" or dumpdir.endswith(b"\0\0")
        if not whole or len(names) != len(entries) or b"" in names or b"/" in dumpdir:
            raise _Strange(f"a list of names of {_told(folder)} that is none")
        self._listed.update(folder + b"/" + entry[1:] for entry in entries if entry[:1] == b"D")

    def _refusal(self, why: str, path: bytes | None = None) -> UnsafeArchive:
        return UnsafeArchive(
            f"{self._where} is refused: {why}. To extract it could change files anywhere on this host. Restore an earlier "
            "backup (backup_id or restore_from_date), and take a new full one (no_incremental).",
            None if path is None else path.decode("utf-8", "surrogateescape"),
        )


def _told(name: bytes) -> str:
    return shown(name.decode("utf-8", "surrogateescape"))


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _validate(header: bytes) -> None:
    """Raise _Strange if tar would not take this for a header, or could take other fields from it than we do."""
    told = header[148:154]
    if header[257:265] != _MAGIC or header[_UNUSED:] != _NOTHING or not told.isdigit():
        raise _Strange("something that is no header")
    try:
        # The sum counts its own field as blanks.
        if sum(header) - sum(header[148:156]) + 8 * ord(" ") != int(told, 8):
            raise _Strange("a header with a wrong sum")
    except ValueError:
        raise _Strange("a header with a wrong sum") from None


def _size(header: bytes) -> int:
    field = header[124:136]
    try:
        if field[11] or not field[:11].isdigit():
            raise ValueError
        return int(field[:11], 8)
    except ValueError:
        raise _Strange("a header with an odd size") from None


def _number(text: bytes) -> int:
    if not text.isdigit():
        raise _Strange("a header with an odd size")
    return int(text)


def _text(value: bytes) -> bytes:
    if b"\0" in value:
        raise _Strange("a name with a NUL")
    return value


def _records(body: bytes) -> dict[bytes, bytes]:
    """The records of an extended header: a length, a blank, a key, an equals sign, a value, a line break."""
    found: dict[bytes, bytes] = {}
    position = 0
    while position < len(body):
        blank = body.find(b" ", position, position + 20)
        length = body[position : max(blank, position)]
        end = position + int(length) if length.isdigit() else 0
        key, equals, value = body[blank + 1 : end - 1].partition(b"=")
        if not (blank < end <= len(body)) or body[end - 1 : end] != b"\n" or not equals or key in found:
            raise _Strange("an extended header that is none")
        if key not in _KEYS and (not key.startswith(_KEY_BEGINNINGS) or b"\0" in key):
            raise _Strange(f"a record {_told(key)[:60]!r}")
        found[key] = value
        position = end
    return found
