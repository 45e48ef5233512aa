# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The catalogue of a new backup: made from the members as they stream by, and sorted and checked at the end.

In the order of a catalogue every folder is followed by all that is below it. So whether each member lies in a folder of the same
level, and each hard link leads to a file of it, shows in one pass with little memory. A member that does not was read, or would
be written, through something else with the name of its folder, such as a link.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack

from ..system.file_names import shown
from .errors import UnsafeArchive
from .external_sort import ExternalSort
from .headers import Strange, octal
from .member_stream import FoundMember, told
from .records import FOLDER, GONE, HARD_LINK, MOST_NAME_BYTES, order_key

KINDS = {
    "-": "files",
    "d": "directories",
    "l": "symbolic_links",
    "h": "hard_links",
    "p": "fifos",
    "b": "devices",
    "c": "devices",
}
TOP = b"."
_BELOW = b"./"
#: What ends the key of an item: no key has it, because no part of a name is empty.
_END = b"\0\0"
_OWNERS = frozenset({b"uid", b"gid", b"uname", b"gname"})
_TIME = re.compile(rb"-?[0-9]{1,19}(?:\.[0-9]{1,9})?")
_DEVICES = (b"b", b"c")
_NOWHERE = frozenset({b"", b".", b".."})
_PERMISSIONS = re.compile(rb"0{3}[0-7]{4}\0")
_KNOWN_OWNERS = 4096
_BATCH_BYTES = 1 << 16
_NO_FIELDS = b"\0" * 11


class HeaderFacts:
    """What a catalogue says of a member besides its name, place and link: mode, owner, size and time."""

    def __init__(self) -> None:
        #: The fields 2 to 6 of a record by those of the header.
        self._owners: dict[bytes, bytes] = {}

    def of(self, found: FoundMember) -> bytes:
        """The fields 2 to 8 of a record, each ended by a NUL. Raises Strange for a form that a catalogue does not have."""
        fields, records = found.fields, found.records
        if _OWNERS.isdisjoint(records):
            ids = fields[1] + fields[6]
            owner = self._owners.get(ids)
            if owner is None:
                owner = self._owner(fields[1], fields[6], {})
                if len(self._owners) < _KNOWN_OWNERS:
                    self._owners[ids] = owner
        else:
            owner = self._owner(fields[1], fields[6], records)
        mtime = records.get(b"mtime")
        if mtime is None:
            mtime = b"%d" % octal(fields[3])
        elif not _TIME.fullmatch(mtime):
            raise Strange(f"an odd time of {told(found.name)}")
        if found.kind in _DEVICES:
            return b"%b%d,%d\0%b\0" % (owner, octal(fields[7][:8]), octal(fields[7][8:]), mtime)
        return b"%b%d\0%b\0" % (owner, found.size, mtime)

    @staticmethod
    def _owner(ids: bytes, names: bytes, records: dict[bytes, bytes]) -> bytes:
        """The fields 2 to 6 of a record, each ended by a NUL. Raises Strange."""
        if not _PERMISSIONS.fullmatch(ids[:8]):
            raise Strange("a header with an odd mode")
        uid = _decimal(records[b"uid"]) if b"uid" in records else octal(ids[8:16])
        gid = _decimal(records[b"gid"]) if b"gid" in records else octal(ids[16:24])
        owner = records.get(b"uname", names[:32].partition(b"\0")[0])
        group = records.get(b"gname", names[32:].partition(b"\0")[0])
        if b"\0" in owner or b"\0" in group or max(len(owner), len(group)) > 1024:
            raise Strange("an odd name of an owner")
        return b"%b\0%d\0%d\0%b\0%b\0" % (ids[3:7], uid, gid, owner, group)


class CatalogueWriter:
    """Collects the members of one level, and what is gone. A context, in which its scratch files exist.

    `where` is the name of the backup in messages. ``counts`` and ``content_bytes`` are those of a manifest.
    """

    def __init__(self, where: str, scratch: str) -> None:
        self._where = where
        self._items, self._links = ExternalSort(scratch), ExternalSort(scratch)
        self._stack = ExitStack()
        self._facts = HeaderFacts()
        self._numbers = dict.fromkeys([b"-", b"d", b"l", b"h", b"p", b"b", b"c"], 0)
        self.content_bytes = 0

    def __enter__(self) -> CatalogueWriter:
        self._stack.enter_context(self._items)
        self._stack.enter_context(self._links)
        return self

    def __exit__(self, *_problem: object) -> None:
        self._stack.close()

    @property
    def counts(self) -> dict[str, int]:
        """The number of members of each kind."""
        counts = dict.fromkeys([*dict.fromkeys(KINDS.values()), "others"], 0)
        for kind, number in self._numbers.items():
            counts[KINDS[kind.decode()]] += number
        return counts

    def add(self, found: FoundMember, map_begin: int | None = None) -> None:
        """Add a member of the stream; `map_begin` is where its map begins in the plain maps.

        Raises UnsafeArchive if it has a form that a catalogue does not have, and OSError.
        """
        kind, name, link, size, begin, length, _fields, _records = found
        try:
            below = relative(name)
            if kind == b"h":
                link = relative(link)
                self._links.add(b"%b\0\0%020d%b" % (order_key(link), begin, below))
            if kind not in _DEVICES:
                self.content_bytes += size
            facts = self._facts.of(found)
        except Strange as problem:
            raise UnsafeArchive(
                f"{self._where} is refused: it brings {problem}, which its writer does not store."
            ) from None
        place = b"" if map_begin is None else b"%d" % map_begin
        self._numbers[kind] += 1
        self._items.add(b"%b\0\0%b\0%b%d\0%d\0%b\0%b" % (order_key(below), kind, facts, begin, length, place, link))

    def gone(self, name: bytes) -> None:
        """Add a name (relative, as in a catalogue) that the parent had and this level has not.

        It does not count where a member of this name comes as well.
        """
        self._items.add(b"%b\0\0%b%b" % (order_key(name), GONE, _NO_FIELDS))

    def records(self) -> Iterator[bytes]:
        """The plain catalogue, in blocks. Raises UnsafeArchive if a member is not in a folder of this level, and OSError."""
        targets = self._links.sorted()
        target = next(targets, None)
        #: The key of the folder that the last member lies in or is, and of those above.
        folders, current = [b""], b""
        before: bytes | None = None
        batch: list[bytes] = []
        size = 0
        for item in self._items.sorted():
            key, _end, rest = item.partition(_END)
            kind = rest[:1]
            if key == before:
                if kind == GONE:
                    continue  # it comes behind all others, because of its letter
                raise self._refusal("brings it twice", key)
            if target is not None and target.partition(_END)[0] <= key:
                target = self._resolve(key, rest, target, targets)
            parent = key.rpartition(b"\0")[0]
            if parent != current:
                while current and parent != current and not parent.startswith(current + b"\0"):
                    folders.pop()
                    current = folders[-1]
                if parent != current:
                    raise self._refusal(
                        f"brings {told(_name(key))}, and this is not the folder there that it has to be",
                        _first_missing(parent, current),
                    )
            if kind == FOLDER and key:
                folders.append(key)
                current = key
            elif not key and kind != FOLDER:
                raise self._refusal("brings it as no folder", key)
            fields, _nul, link = rest.rpartition(b"\0")
            record = b"%b\0%b\0%b\0" % (fields, _name(key), link)
            batch.append(record)
            size += len(record)
            if size >= _BATCH_BYTES:
                yield b"".join(batch)
                batch, size = [], 0
            before = key
        if target is not None:
            raise self._missing_link(target)
        yield b"".join(batch)

    def _resolve(self, key: bytes, rest: bytes, target: bytes | None, targets: Iterator[bytes]) -> bytes | None:
        """Compare the hard links up to this key with the member of it; returns the next one."""
        while target is not None:
            wanted, _end, link = target.partition(_END)
            if wanted > key:
                break
            if wanted < key or rest[:1] in (GONE, FOLDER, HARD_LINK):
                raise self._missing_link(target)
            if int(rest.split(b"\0", 9)[8]) >= int(link[:20]):
                raise self._missing_link(target)
            target = next(targets, None)
        return target

    def _missing_link(self, target: bytes) -> UnsafeArchive:
        wanted, _end, link = target.partition(_END)
        return self._refusal(f"brings {told(link[20:])} as a link to it, and no such file before", wanted)

    def _refusal(self, why: str, key: bytes) -> UnsafeArchive:
        path = (_BELOW + _name(key) if key else TOP).decode("utf-8", "surrogateescape")
        return UnsafeArchive(f"{self._where} is refused for {shown(path)}: it {why}.", path)


def _decimal(value: bytes) -> int:
    if not value.isdigit() or len(value) > 18:
        raise Strange("an odd number of an owner")
    return int(value)


def relative(name: bytes) -> bytes:
    """A name of tar (``./a/b``, ``./a/``) as a catalogue has it. Raises Strange if it leads elsewhere."""
    if name in (TOP, _BELOW):
        return b""
    below = name[2:-1] if name[-1:] == b"/" else name[2:]
    if name[:2] != _BELOW or len(name) > MOST_NAME_BYTES or b"//" in name:
        raise Strange(f"the name {told(name[:MOST_NAME_BYTES])}")
    if (b"/." in below or below[:1] in b".") and not _NOWHERE.isdisjoint(below.split(b"/")):
        raise Strange(f"the name {told(name)}")
    return below


def _name(key: bytes) -> bytes:
    return key.replace(b"\0", b"/")


def _first_missing(parent: bytes, current: bytes) -> bytes:
    """The highest path above a member, below the folder `current`, that is no folder."""
    end = parent.find(b"\0", len(current) + 1 if current else 0)
    return parent if end < 0 else parent[:end]
