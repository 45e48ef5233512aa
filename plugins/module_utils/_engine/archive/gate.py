# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The check of a stored stream: every header is read here before tar gets it.

tar protects itself against links that lead out of its folder, but only within one run. A chain takes one run for each
level, so a link of an earlier level could redirect a member of the next one. This check stops a level before the first
member that is not in a folder of the same level, or that has another form than our writer's tar writes: the POSIX format, at
most one extended header for each member, names below ``./``. Everything else is refused, so that tar and this module cannot
read one stream in two ways.
"""

from __future__ import annotations

from ..system.file_names import shown
from .errors import UnsafeArchive
from .headers import BLOCK, MOST_EXTENDED, SparseMap, Strange, number, padded, read_records, size_field, text, validate
from .members import TOP, Folders

_EXTENDED, _REGULAR, _HARD_LINK, _FOLDER = b"x015"
_KINDS = frozenset(b"0123456")
_SPARSE = frozenset({b"GNU.sparse.major", b"GNU.sparse.minor", b"GNU.sparse.name", b"GNU.sparse.realsize"})
#: The most bytes after the end of the archive: zeros up to the end of a record of tar.
_MOST_BEHIND = BLOCK + 131072
#: Letters in the list of a folder that make tar move a folder, or create a temporary one.
_MOVES = frozenset({b"R", b"T", b"X"})


class Gate:
    """Checks the tar stream of one level. The caller gives it every block before tar gets it.

    ``content_bytes`` is the size of all files so far, holes included, as in a catalogue.
    """

    def __init__(self, where: str, increment: bool) -> None:
        self._where, self._increment = where, increment
        self._folders = Folders()
        #: Paths that the list of their parent folder has as folders: tar has removed everything else there.
        self._listed = {TOP}
        #: The beginning of a member, and the number of bytes that its check needs.
        self._begun = bytearray()
        self._needed = 0
        self._to_skip = 0
        #: The current member, until it is complete.
        self._map: SparseMap | None = None
        self._ended = False
        self._behind = 0
        self._last = b"./"
        self.members = 0
        self.content_bytes = 0
        #: The bytes of content of the last member that are still to come.
        self._to_come = 0

    def check(self, block: bytes) -> int:
        """Check the next block; returns the number of its bytes that are contents of files.

        Raises UnsafeArchive if tar must not get it.
        """
        before = self.content_bytes
        try:
            self._check(block)
        except Strange as problem:
            raise self._refusal(f"after {_told(self._last)} comes {problem}, which its writer does not store") from None
        return self.content_bytes - before

    def finish(self) -> None:
        """Raise UnsafeArchive if the stream was not a whole archive; tar has then read it in another way."""
        if not self._ended:
            raise self._refusal(f"it has no end after {_told(self._last)}, which its writer always stores")

    def _check(self, block: bytes) -> None:
        self._count(0, len(block))  # the block ends a member, or no member has begun
        if self._begun:
            self._begun += block
            if len(self._begun) < self._needed:
                return
            block, self._begun = bytes(self._begun), bytearray()
        if self._map is not None:
            self._read_map(block[: self._to_skip])
        position, end = self._to_skip, len(block)
        self._needed = BLOCK
        while position + BLOCK <= end and not self._ended:
            header = block[position : position + BLOCK]
            if not header.strip(b"\0"):
                self._ended = True
                break
            validate(header)
            records: dict[bytes, bytes] = {}
            if header[156] == _EXTENDED:
                size = size_field(header)
                if size > MOST_EXTENDED:
                    raise Strange(f"an extended header of {size} bytes")
                begin = position + BLOCK
                self._needed = BLOCK + padded(size) + BLOCK
                if position + self._needed > end:
                    break
                self._needed = BLOCK
                records = read_records(block[begin : begin + size])
                position = begin + padded(size)
                header = block[position : position + BLOCK]
                validate(header)
            size = self._member(header, records)
            position += BLOCK
            self._count(size, end - position)
            if self._map is not None:
                self._read_map(block[position : position + padded(size)])
            position += padded(size)
        if not self._ended:
            self._begun += block[position:]
        else:
            self._behind += max(0, end - position)
            if block.count(0, position) != max(0, end - position) or self._behind > _MOST_BEHIND:
                raise Strange("something behind the end")
        self._to_skip = max(0, position - end)

    def _read_map(self, content: bytes) -> None:
        """Check the map of a sparse file as far as it was read: tar uses it, not the size, to find the next member."""
        try:
            if self._map is not None and self._map.complete(content):
                self._map = None
        except Strange as problem:
            raise self._misfit(problem) from None

    def _count(self, more: int, there: int) -> None:
        """Count content: `more` bytes belong to the stream, `there` bytes were read."""
        self._to_come += more
        come = min(self._to_come, there)
        self.content_bytes += come
        self._to_come -= come

    def _member(self, header: bytes, records: dict[bytes, bytes]) -> int:
        """Check one member; returns the number of bytes of content that follow."""
        kind = header[156]
        if kind not in _KINDS:
            raise Strange(f"a member of the kind {chr(kind)!r}")
        name = text(records.get(b"GNU.sparse.name", records.get(b"path", header[:100].partition(b"\0")[0])))
        is_folder = kind == _FOLDER
        last = (name[:-1] if is_folder and name.endswith(b"/") else name).rpartition(b"/")[2]
        if last in (b"", b".", b"..") and not (is_folder and name in (b".", b"./")):
            raise Strange(f"the name {_told(name)}")
        linked = None
        if kind == _HARD_LINK:
            linked = text(records.get(b"linkpath", header[157:257].partition(b"\0")[0]))
            if linked.rpartition(b"/")[2] in (b"", b".", b".."):
                raise Strange(f"a link to {_told(linked)}")
        sparse = _SPARSE & records.keys()
        if sparse and (
            kind != _REGULAR
            or sparse != _SPARSE
            or (records[b"GNU.sparse.major"], records[b"GNU.sparse.minor"]) != (b"1", b"0")
        ):
            raise Strange(f"a sparse file {_told(name)} of another form")
        self._last = name
        wrong = self._folders.obstacle(name, is_folder, linked)
        if wrong is not None:
            raise self._refusal(
                f"it brings {_told(name)}, and {_told(wrong)} is not the folder there that it has to be", wrong
            )
        if self._increment and not is_folder and name in self._listed:
            # The folder of the level below would stay, and be in the way of this member.
            raise self._refusal(f"{_told(name)} is no folder in it, and the folder above has it as one", name)
        dumpdir = records.get(b"GNU.dumpdir")
        if dumpdir is not None:
            if not is_folder:
                raise Strange("a list of names that does not belong to a folder")
            if self._increment:
                self._list(name.rstrip(b"/"), dumpdir)
        self.members += 1
        size = size_field(header)
        if kind == _REGULAR:
            try:
                size = number(records[b"size"]) if b"size" in records else size
                if sparse:
                    self._map = SparseMap(size)
                    self.content_bytes += number(records[b"GNU.sparse.realsize"]) - size  # its holes
            except Strange as problem:
                raise self._misfit(problem) from None
            return size
        if size or b"size" in records:
            raise Strange(f"content of {_told(name)}, which is no file")
        return 0

    def _list(self, folder: bytes, dumpdir: bytes) -> None:
        """Check the list of a folder: before tar makes the folder, it removes everything that is not in the list."""
        if folder not in self._listed:
            above = folder.rpartition(b"/")[0]
            raise self._refusal(
                f"{_told(folder)} is a folder in it, and {_told(above)} does not have it as one", folder
            )
        entries = dumpdir[:-1].split(b"\0")[:-1]
        if any(entry[:1] in _MOVES for entry in entries):
            raise self._refusal(f"{_told(folder)} in it asks for a folder to be moved", folder)
        names = {entry[1:] for entry in entries}
        # It ends with an empty entry; tar ignores everything after the first one.
        whole = dumpdir == b"\0" or dumpdir.endswith(b"\0\0")
        if not whole or len(names) != len(entries) or b"" in names or b"/" in dumpdir:
            raise Strange(f"a list of names of {_told(folder)} that is none")
        self._listed.update(folder + b"/" + entry[1:] for entry in entries if entry[:1] == b"D")

    def _misfit(self, problem: Strange) -> UnsafeArchive:
        # Our writer's tar writes this for a sparse file that changes its size while tar looks for the holes.
        return self._refusal(f"{_told(self._last)} comes with {problem}", self._last)

    def _refusal(self, why: str, path: bytes | None = None) -> UnsafeArchive:
        return UnsafeArchive(
            f"{self._where} is refused: {why}. To extract it could change files anywhere on this host. Restore an earlier "
            "backup (backup_id or restore_from_date), and take a new full one (no_incremental).",
            None if path is None else path.decode("utf-8", "surrogateescape"),
        )


def _told(name: bytes) -> str:
    return shown(name.decode("utf-8", "surrogateescape"))
