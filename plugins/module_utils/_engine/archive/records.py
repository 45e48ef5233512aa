# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The records of a catalogue: one for each member of a stream, and for each name that is gone since the parent.

A record is 13 fields, each ended by a NUL. They are read many at a time, column by column: that costs a microsecond or two for
each, of which a Python loop over every field would make ten.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import repeat
from operator import lt
from typing import Callable, NamedTuple, Protocol

from ..system.file_names import shown
from .errors import INSTEAD, DamagedCatalogue

FIELDS = 13
#: The most bytes of a name, and of what a link holds.
MOST_NAME_BYTES = 65536
#: The most bytes of the name of an owner or a group, and of a number.
_MOST_OWNER_BYTES = 1024
_MOST_NUMBER = (1 << 63) - 1
_MOST_DIGITS = len(str(_MOST_NUMBER))
#: What a record has at most: two names, two owners, and the rest.
MOST_RECORD_BYTES = 2 * MOST_NAME_BYTES + 2 * _MOST_OWNER_BYTES + 1024
#: Small, so that what is read stays in the caches of a processor.
_READ_BYTES = 1 << 16

_KINDS = frozenset({b"-", b"d", b"l", b"h", b"p", b"b", b"c"})
_LINKS = frozenset({b"l", b"h"})
_DEVICES = frozenset({b"b", b"c"})
GONE = b"x"
FOLDER = b"d"
FILE = b"-"
HARD_LINK = b"h"
_MODE = re.compile(rb"[0-7]{4}")
_DEVICE = re.compile(rb"(?:0|[1-9][0-9]{0,9}),(?:0|[1-9][0-9]{0,9})")
_TIME = re.compile(rb"-?[0-9]{1,19}(?:\.[0-9]{1,9})?")
_NANOSECONDS = 10**9
BLOCK = 512
#: The bytes by which a number is no whole number of blocks.
_within_block = (BLOCK - 1).__and__


class Readable(Protocol):
    """Something that gives bytes: at most so many, and none at its end."""

    def read(self, size: int, /) -> bytes: ...


class Member(NamedTuple):
    """One record, each field as the catalogue has it; properties give numbers.

    `name` is relative to what was backed up, without ``./`` and without a slash at its end; empty for the folder itself.
    Of a name that is gone (kind ``x``) all other fields are empty, and the properties raise ValueError.
    """

    kind: bytes
    mode: bytes
    uid: bytes
    gid: bytes
    owner: bytes
    group: bytes
    size: bytes
    mtime: bytes
    offset: bytes
    length: bytes
    map: bytes
    name: bytes
    link: bytes

    @property
    def permissions(self) -> int:
        """The mode without the type."""
        return int(self.mode, 8)

    @property
    def size_bytes(self) -> int:
        """The size of a file with its holes; 0 for everything else."""
        return 0 if self.kind in _DEVICES else int(self.size)

    @property
    def device(self) -> tuple[int, int] | None:
        """Major and minor number of a device."""
        if self.kind not in _DEVICES:
            return None
        major, minor = self.size.split(b",")
        return int(major), int(minor)

    @property
    def mtime_ns(self) -> int:
        """When it was changed, in nanoseconds since 1970."""
        whole, _point, fraction = self.mtime.partition(b".")
        nanoseconds = int(fraction.ljust(9, b"0")) if fraction else 0
        return int(whole) * _NANOSECONDS + (-nanoseconds if whole.startswith(b"-") else nanoseconds)

    @property
    def begin(self) -> int:
        """Where the member begins in the plain stream, its extended header included."""
        return int(self.offset)

    @property
    def end(self) -> int:
        """Where it ends there."""
        return int(self.offset) + int(self.length)

    @property
    def map_begin(self) -> int | None:
        """Where its map begins in the plain maps, if it has one."""
        return int(self.map) if self.map else None


def order_key(name: bytes) -> bytes:
    """What names are ordered by: so a folder is followed by all that is below it."""
    return name.replace(b"/", b"\0")


def encode(member: Member) -> bytes:
    """The record of a member as it is stored."""
    return b"\0".join(member) + b"\0"


_GONE = Member(GONE, b"", b"", b"", b"", b"", b"", b"", b"", b"", b"", b"", b"")


def gone(name: bytes) -> Member:
    """The record of a name that is gone."""
    return _GONE._replace(name=name)


class Batch(NamedTuple):
    """Some members that follow one another, with the keys of their order."""

    keys: Sequence[bytes]
    members: Sequence[Member]


def read_records(source: Readable, where: str, read_bytes: int = _READ_BYTES) -> Iterator[Batch]:
    """The members of a plain catalogue in their order; `where` is the name of its backup in messages.

    The memory that it takes is a dozen times `read_bytes`. Raises DamagedCatalogue where a record has another form, or another
    place, and what the source raises.
    """
    rest, before = b"", None
    while True:
        block = source.read(read_bytes)
        if not block:
            break
        fields = (rest + block).split(b"\0")
        whole = (len(fields) - 1) // FIELDS * FIELDS
        rest = b"\0".join(fields[whole:])
        if len(rest) > MOST_RECORD_BYTES:
            raise _Refused(where)("a record that is longer than any can be")
        if whole:
            batch = parse([fields[place:whole:FIELDS] for place in range(FIELDS)], where)
            if before is not None and not before < batch.keys[0]:
                raise _disorder(where, before, batch.keys[0], batch.members[0].name)
            before = batch.keys[-1]
            yield batch
    if rest:
        raise _Refused(where)("an end within a record")


def parse(columns: Sequence[Sequence[bytes]], where: str) -> Batch:
    """The members whose fields these columns have. Raises DamagedCatalogue."""
    refused = _Refused(where)
    names, links = columns[11], columns[12]
    members: list[Member] = list(map(tuple.__new__, repeat(Member), zip(*columns)))
    if GONE in columns[0]:
        present = [member for member in members if member.kind != GONE]
        for member in members:
            if member.kind == GONE and any(member[1:11] + member[12:]):
                raise refused("more than the name of what is gone", member.name)
        if not all(names[1:]) or (not names[0] and members[0].kind == GONE):
            raise refused("a name without a name")
        _check_forms(list(zip(*present)), refused)
    else:
        _check_forms(columns, refused)
    _check_names(names if names[0] else names[1:], refused)
    if links and max(map(len, links)) > MOST_NAME_BYTES:
        raise refused("a link that is too long")
    keys = [name.replace(b"/", b"\0") for name in names]
    if not all(map(lt, keys, keys[1:])):
        place = next(place for place in range(1, len(keys)) if not keys[place - 1] < keys[place])
        raise _disorder(where, keys[place - 1], keys[place], names[place])
    return Batch(keys, members)


class _Refused:
    """Makes the error for something in the catalogue of a backup."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __call__(self, what: str, name: bytes | None = None) -> DamagedCatalogue:
        path = None if name is None else name[:MOST_NAME_BYTES].decode("utf-8", "surrogateescape")
        about = "" if path is None else f" ({shown(path)[:200] or '.'})"
        return DamagedCatalogue(
            f"The catalogue of {self._where} has {what}{about}. Its writer does not store this: the backup is damaged. "
            f"{INSTEAD}",
            path,
        )


def _disorder(where: str, before: bytes, after: bytes, name: bytes) -> DamagedCatalogue:
    return _Refused(where)("a name twice" if before == after else "a name out of its order", name)


def _check_forms(columns: Sequence[Sequence[bytes]], refused: Callable[..., DamagedCatalogue]) -> None:
    """Check all fields but the names. Raises DamagedCatalogue."""
    if not columns:
        return
    kinds, modes, uids, gids, owners, groups, sizes, times, offsets, lengths, maps, names, links = columns
    found = set(kinds)
    if not found <= _KINDS:
        raise refused(f"the kind {shown((found - _KINDS).pop().decode('utf-8', 'surrogateescape'))[:20]!r}")
    if not all(map(_MODE.fullmatch, set(modes))):
        raise refused("an odd mode")
    for column in (set(uids), set(gids)):
        _check_numbers(list(column), refused)
    if max(map(len, {*owners, *groups})) > _MOST_OWNER_BYTES:
        raise refused("the name of an owner that is too long")
    if found & _DEVICES:
        if not all(_DEVICE.fullmatch(size) for kind, size in zip(kinds, sizes) if kind in _DEVICES):
            raise refused("a device with an odd number")
        sizes = [size for kind, size in zip(kinds, sizes) if kind not in _DEVICES]
    _check_numbers(sizes, refused)
    if not all(map(_TIME.fullmatch, times)):
        raise refused("an odd time")
    _check_numbers(offsets, refused)
    _check_numbers(lengths, refused)
    if any(map(_within_block, map(int, offsets))) or any(map(_within_block, map(int, lengths))) or b"0" in lengths:
        raise refused("a member that is not whole blocks")
    if any(maps):
        if not all(kind == FILE for kind, place in zip(kinds, maps) if place):
            raise refused("a map of what is no file")
        _check_numbers([place for place in maps if place], refused)
    _check_links(kinds, links, names, refused)


def _check_numbers(column: Sequence[bytes], refused: Callable[..., DamagedCatalogue]) -> None:
    """Check that each is decimal, without a sign or zeros before it, and below 2^63."""
    if not column:
        return
    joined = b"\0" + b"\0".join(column)
    longest = max(map(len, column))
    if (
        not all(column)
        or not joined.replace(b"\0", b"").isdigit()
        or joined.count(b"\x000") != column.count(b"0")
        or longest > _MOST_DIGITS
        or (longest == _MOST_DIGITS and max(map(int, column)) > _MOST_NUMBER)
    ):
        raise refused("an odd number")


def _check_links(
    kinds: Sequence[bytes], links: Sequence[bytes], names: Sequence[bytes], refused: Callable[..., DamagedCatalogue]
) -> None:
    leading = [kind for kind, link in zip(kinds, links) if link]
    if not _LINKS.issuperset(leading) or len(leading) != kinds.count(b"l") + kinds.count(b"h"):
        raise refused("a link that leads to nothing, or something else that leads somewhere")
    if HARD_LINK in leading:
        _check_names([link for kind, link in zip(kinds, links) if kind == HARD_LINK], refused)
        if any(kind == HARD_LINK and link == name for kind, link, name in zip(kinds, links, names)):
            raise refused("a link that leads to itself")


def _check_names(names: Sequence[bytes], refused: Callable[..., DamagedCatalogue]) -> None:
    """Check that no name has an empty part, ``.`` or ``..``, or is too long."""
    joined = b"/%b/" % b"/\0/".join(names)
    if names and (b"//" in joined or b"/./" in joined or b"/../" in joined):
        for name in names:
            if not {b"", b".", b".."}.isdisjoint(name.split(b"/")):
                raise refused("a name with a part that leads elsewhere", name)
    if names and max(map(len, names)) > MOST_NAME_BYTES:
        raise refused("a name that is too long", max(names, key=len))
