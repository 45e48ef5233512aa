# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The headers of the POSIX format, read as narrowly as GNU tar writes them.

tar itself is more lenient: it warns of a bad number, and goes on with another one. tar and this module could then disagree
about the start of the next member, so only one form of each number is accepted.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

from ..system.file_names import shown

BLOCK = 512
#: The most bytes of an extended header: it has the list of a folder, and the reader of snapshot files has the same limit.
MOST_EXTENDED = 128 << 20
_MOST = (1 << 63) - 1
_DIGITS = len(str(_MOST))
_ZERO, _LINE_BREAK = ord("0"), ord("\n")
_MAGIC = b"ustar\x0000"
#: The field ``prefix`` and the rest, which the POSIX format of GNU tar leaves empty.
_UNUSED = 345
_NOTHING = bytes(BLOCK - _UNUSED)
_KEYS = frozenset(
    {b"path", b"linkpath", b"size", b"mtime", b"atime", b"ctime", b"uid", b"gid", b"uname", b"gname", b"GNU.dumpdir"}
    | {b"GNU.sparse.major", b"GNU.sparse.minor", b"GNU.sparse.name", b"GNU.sparse.realsize", b"RHT.security.selinux"}
)
_KEY_BEGINNINGS = (b"SCHILY.xattr.", b"SCHILY.acl.")


class Strange(Exception):
    """A form that our writer's tar does not write."""


def padded(size: int) -> int:
    """The size of content in the stream, padded to blocks."""
    return (size + BLOCK - 1) & -BLOCK


#: name; mode, uid and gid; size; mtime; kind; link; owner and group; device.
Fields = tuple[bytes, bytes, bytes, bytes, int, bytes, bytes, bytes]
_STRUCT = struct.Struct("100s24s12s12s6s2sB100s8s64s16s167s")
_SUM, _BEHIND_SUM = 148, 156
#: The sum of its own field, which counts as blanks, less 1 for each of the two numbers from which Adler-32 begins.
_OWN_SUM = 8 * ord(" ") - 2


def fields_at(block: bytes, position: int) -> Fields:
    """The fields of the header that begins there. Raises Strange if tar would not accept it, or could read others from it."""
    name, ids, size, mtime, told, tail, kind, link, magic, owners, device, rest = _STRUCT.unpack_from(block, position)
    if magic != _MAGIC or rest != _NOTHING or tail != b"\0 " or not told.isdigit():
        raise Strange("something that is no header")
    # The lower half of Adler-32 is the sum of all bytes modulo 65521, and less than 256 bytes have a lower one.
    before = zlib.adler32(block[position : position + _SUM]) & 0xFFFF
    behind = zlib.adler32(block[position + _BEHIND_SUM : position + _UNUSED]) & 0xFFFF
    try:
        if before + behind + _OWN_SUM == int(told, 8):
            return name, ids, size, mtime, kind, link, owners, device
    except ValueError:
        pass
    raise Strange("a header with a wrong sum")


def octal(field: bytes) -> int:
    """The number in a field of a header: octal digits and a NUL, as many as it has room for. Raises Strange."""
    try:
        if field[-1] or not field[:-1].isdigit():
            raise ValueError
        return int(field[:-1], 8)
    except ValueError:
        raise Strange("a header with an odd number") from None


def number(value: bytes) -> int:
    """A decimal number as tar writes it, which fits in its type. Raises Strange."""
    if value.isdigit() and len(value) <= _DIGITS and (value[0] != _ZERO or len(value) == 1):
        result = int(value)
        if result <= _MOST:
            return result
    raise Strange("an odd number")


def text(value: bytes) -> bytes:
    """A name. Raises Strange if it has a NUL."""
    if b"\0" in value:
        raise Strange("a name with a NUL")
    return value


def read_records(block: bytes, begin: int, size: int) -> dict[bytes, bytes]:
    """The records of an extended header: a length, a blank, a key, an equals sign, a value, a line break. Raises Strange.

    It begins at a place in the block, and may be large: nothing of it is copied but the values.
    """
    if size < 100:
        body = block[begin : begin + size]
        if body[2:9] == b" mtime=" and body[:2] == b"%d" % size and body.find(b"\n") == size - 1:
            return {b"mtime": body[9:-1]}  # as almost always
    found: dict[bytes, bytes] = {}
    position, end = begin, begin + size
    while position < end:
        blank = block.find(b" ", position, min(end, position + _DIGITS + 1))
        behind = position + number(block[position : max(blank, position)])
        if not blank < behind <= end or block[behind - 1] != _LINE_BREAK:
            raise Strange("an extended header that is none")
        equals = block.find(b"=", blank + 1, behind - 1)
        key = block[blank + 1 : equals]
        if equals < 0 or key in found:
            raise Strange("an extended header that is none")
        if key not in _KEYS and (not key.startswith(_KEY_BEGINNINGS) or b"\0" in key):
            raise Strange(f"a record {shown(key.decode('utf-8', 'surrogateescape'))[:60]!r}")
        found[key] = block[equals + 1 : behind - 1]
        position = behind
    return found


def written(fields: Fields) -> bytes:
    """A header with these fields, as `fields_at` reads it."""
    name, ids, size, mtime, kind, link, owners, device = fields
    plain = _STRUCT.pack(name, ids, size, mtime, b" " * 6, b"  ", kind, link, _MAGIC, owners, device, _NOTHING)
    return plain[:_SUM] + b"%06o\0 " % sum(plain) + plain[_BEHIND_SUM:]


def written_records(records: Mapping[bytes, bytes]) -> bytes:
    """An extended header with these records, its own header included."""
    body = b"".join(_record(key, value) for key, value in records.items())
    ids = b"0000644\0" + 2 * b"0000000\0"
    head: Fields = (
        b"./PaxHeaders/x",
        ids,
        b"%011o\0" % len(body),
        b"0" * 11 + b"\0",
        ord("x"),
        b"",
        b"",
        2 * b"0000000\0",
    )
    return written(head) + body + bytes(padded(len(body)) - len(body))


def _record(key: bytes, value: bytes) -> bytes:
    rest = b" %b=%b\n" % (key, value)
    length = len(rest) + 1
    while len(b"%d" % length) + len(rest) != length:
        length = len(b"%d" % length) + len(rest)
    return b"%d%b" % (length, rest)


class SparseMap:
    """The map before the content of a sparse file: the number of regions, then offset and length of each, in lines.

    To find the next member, tar uses the size when it lists a sparse file, and this map when it extracts it. Both have to
    agree. The offsets may be beyond the size: a file that grows while it is read has such regions.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._rest = b""
        self._given = 0
        self._lines = 0
        #: The number of lines still to come; at first the line with the number of regions.
        self._to_come = 1
        self._map_bytes = 0
        self._offset = 0
        #: The bytes of all regions.
        self.data_bytes = 0
        self._padded_bytes = 0

    def complete(self, content: bytes) -> bool:
        """Add content; True if the map is complete and matches the size. Raises Strange if it does not match."""
        self._given += len(content)
        content = self._rest + content
        position = 0
        while self._to_come:
            end = content.find(b"\n", position, position + _DIGITS + 1)
            if end < 0:
                break
            self._take(number(content[position:end]))
            self._map_bytes += end + 1 - position
            position = end + 1
        self._rest = content[position:]
        if self._to_come:
            if len(self._rest) > _DIGITS or self._given >= self._size:
                raise Strange("a map of its holes that does not end")
            return False
        self._rest = b""
        of_map = padded(self._map_bytes)
        if of_map + self.data_bytes != self._size or of_map + self._padded_bytes != padded(self._size):
            raise Strange("a map of its holes that does not fit its size")
        return True

    def _take(self, value: int) -> None:
        self._to_come -= 1
        self._lines += 1
        if self._lines == 1:
            self._to_come = 2 * value
            if 4 * value > self._size:  # two lines for each
                raise Strange("a map of its holes that is longer than its content")
        elif self._lines % 2 == 0:
            self._offset = value
        else:
            if self._offset + value > _MOST:
                raise Strange("a map of its holes that leads beyond any file")
            self.data_bytes += value
            self._padded_bytes += padded(value)
