# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What is gone since the parent: the names that its folders had, compared with those that tar now stores with every folder.

tar's snapshot file has the names of the parent, and each folder in the new stream has a list of its names as they are now, also of
those that did not change. A name of the parent that its folder does not have any more is gone, with all that was below it.
"""

from __future__ import annotations

import os
import stat
import tempfile
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import Callable

from ..system.file_names import names_behind
from .catalogue_writer import relative
from .errors import UnsafeArchive
from .member_stream import FoundMember, told
from .records import FOLDER, Member
from .snar import CannotContinue

#: The folders are in this many parts by their hashes, and one part is searched for a folder.
_PARTS = 4096
_MASK = (1 << 64) - 1
_FOLDER = b"D"
_CHANGED = b"Y"
#: Letters in the list of a folder that make tar move a folder, or create a temporary one.
_MOVES = (b"R", b"T", b"X")
#: Behind the name of a folder in a snapshot file: a NUL, or nothing if it holds nothing.
_ENDS = (b"", b"\0")
#: The lists of larger folders are not compared as a whole first: that takes memory for a few of them.
_SMALL_BYTES = 1 << 20
_WINDOW_BYTES = 1 << 16


class ParentNames:
    """The names in all folders of a snapshot file: in a file without a name, with 24 bytes in memory for each folder.

    A context, in which that file exists; `scratch` is a folder that only this user may look into.
    """

    def __init__(self, scratch: str) -> None:
        self._stack = ExitStack()
        self._file = self._stack.enter_context(tempfile.TemporaryFile(dir=scratch))  # noqa: SIM115
        #: For each part the hashes of the names of folders, and where in the file each begins and ends.
        self._parts: dict[int, tuple[array[int], array[int], array[int]]] = {}
        self._end = 0

    def __enter__(self) -> ParentNames:
        return self

    def __exit__(self, *_problem: object) -> None:
        self._stack.close()

    def add(self, folder: bytes) -> None:
        """Add a folder of a snapshot file: five fields, its name, and a letter and a name for each entry."""
        begin = 0
        for _field in range(5):
            begin = folder.index(b"\0", begin) + 1
        end = folder.find(b"\0", begin)
        part, number = _part(folder[begin:] if end < 0 else folder[begin:end])
        found = self._parts.get(part)
        if found is None:
            found = self._parts[part] = array("Q"), array("Q"), array("Q")
        numbers, begins, ends = found
        numbers.append(number)
        begins.append(self._end)
        self._end += self._file.write(memoryview(folder)[begin:])
        ends.append(self._end)

    def done(self) -> None:
        """Nothing more comes, and the names are read."""
        self._file.flush()

    def place(self, folder: bytes) -> tuple[int, int, bytes] | None:
        """Where the names of a folder (``./...``) begin and end, for `read`, and the first of them, all if they are few.

        None if the parent did not have it.
        """
        part, number = _part(folder)
        found = self._parts.get(part)
        if found is None:
            return None
        numbers, begins, ends = found
        for index in _places(numbers, number):
            begin, end = begins[index], ends[index]
            behind = begin + len(folder) + 1
            read = self.read(begin, min(end, behind + _SMALL_BYTES))
            if read.startswith(folder) and read[len(folder) : len(folder) + 1] in _ENDS:
                return min(end, behind), end, read[len(folder) + 1 :]
        return None

    def read(self, begin: int, end: int) -> bytes:
        """The names between two places: a letter and a name for each entry, with a NUL between them."""
        return os.pread(self._file.fileno(), end - begin, begin)

    def of(self, folder: bytes) -> bytes:
        """The names of a folder (``./...``), as `read` gives them; empty if the parent did not have it."""
        place = self.place(folder)
        if place is None:
            return b""
        begin, end, first = place
        return first if len(first) == end - begin else self.read(begin, end)


def _windows(listed: bytes) -> Iterator[bytes]:
    """The pieces of a list as tar stores it, without the two NULs at its end."""
    end = len(listed) - 2
    return (listed[start : min(end, start + _WINDOW_BYTES)] for start in range(0, max(0, end), _WINDOW_BYTES))


def _split(windows: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for window in windows:
        *whole, rest = (rest + window).split(b"\0")
        yield from whole
    if rest:
        yield rest


def _as_read(names: bytes) -> bytes:
    """The same list as if tar had read all files in it."""
    return (b"\0" + names).replace(b"\0N", b"\0Y")


def _is_another_kind(before: bytes, now: bytes) -> bool:
    """Whether one entry is a folder and the other is not; of what tar could not look at, it says that it did not change."""
    return (before[:1] == _FOLDER) != (now[:1] == _FOLDER) and now[:1] in (_FOLDER, _CHANGED)


def _part(name: bytes) -> tuple[int, int]:
    number = hash(name) & _MASK
    return number % _PARTS, number


def _places(numbers: array[int], number: int) -> Iterator[int]:
    try:
        first = numbers.index(number)
    except ValueError:
        return
    yield first  # almost always the only one
    yield from (place for place, one in enumerate(numbers) if one == number and place != first)


class Gone:
    """Compares the folders of a new stream with those of its parent.

    `report` is called with each name that is gone, as a catalogue has it, and whether it was a folder. A name that became another
    kind is reported as well: where the stream has a member of it, that one counts. `unread` are the names (``./...``) that the
    parent could not read: what was in such a folder is known from the levels below only, so it is in ``unknown`` until
    `complete`.
    """

    def __init__(
        self, where: str, parent: ParentNames, report: Callable[[bytes, bool], None], unread: Collection[bytes] = ()
    ) -> None:
        self._where, self._parent, self._report = where, parent, report
        self._unread = frozenset(unread)
        #: The names that are now in folders of which the parent knows nothing, though there may have been something.
        self.unknown: dict[bytes, frozenset[bytes]] = {}

    def see(self, found: FoundMember) -> None:
        """Compare a folder; other members are ignored.

        Raises UnsafeArchive for a list that cannot be right, or with which tar would move a folder.
        """
        now = found.records.get(b"GNU.dumpdir")
        if now is None:
            return
        folder = found.name[:-1] if found.name[-1:] == b"/" else found.name
        if now != b"\0" and now[-2:] != b"\0\0":
            raise self._odd(folder)
        if now[:1] in _MOVES or b"\0R" in now or b"\0T" in now or b"\0X" in now:
            path = folder.decode("utf-8", "surrogateescape")
            raise UnsafeArchive(f"{self._where} is refused: {told(folder)} in it asks for a folder to be moved.", path)
        place = self._parent.place(folder)
        if place is None:
            if folder in self._unread or (self.unknown and folder[2:].rpartition(b"/")[0] in self.unknown):
                self.unknown[folder[2:]] = frozenset(entry[1:] for entry in self._entries(_windows(now), folder))
            return
        begin, end, first = place
        if end - begin == len(first) == max(0, len(now) - 2) and _as_read(first) == _as_read(now[:-2]):
            return
        self._compare(folder, begin, end, now)

    def complete(self, state: Iterable[Member]) -> None:
        """Report what is gone of the folders that the parent could not read; `state` is all of the parent's final state."""
        for member in state:
            folder, _slash, last = member.name.rpartition(b"/")
            names = self.unknown.get(folder)
            if names is not None and last not in names and member.name:
                self._report(member.name, member.kind == FOLDER)

    def _compare(self, folder: bytes, begin: int, end: int, now: bytes) -> None:
        prefix = b"" if folder == b"." else folder[2:] + b"/"
        entries = self._entries(_windows(now), folder)
        present = next(entries, None)
        before = (
            self._parent.read(start, min(end, start + _WINDOW_BYTES)) for start in range(begin, end, _WINDOW_BYTES)
        )
        for entry in self._entries(before, folder):
            name = entry[1:]
            while present is not None and present[1:] < name:
                present = next(entries, None)
            if present is None or present[1:] != name or _is_another_kind(entry, present):
                self._report(prefix + name, entry[:1] == _FOLDER)
        for _rest in entries:
            pass  # its order is looked at as well

    def _entries(self, windows: Iterable[bytes], folder: bytes) -> Iterator[bytes]:
        """The entries of a list that comes in pieces: a letter and a name each, in the order of the names."""
        last = b""
        for entry in _split(windows):
            name = entry[1:]
            if not last < name or b"/" in name:
                raise self._odd(folder)
            last = name
            yield entry

    def _odd(self, folder: bytes) -> CannotContinue:
        return CannotContinue(f"the names of the folder {told(folder)} are not in the form that tar writes")


def sockets(warnings: Sequence[dict[str, str]], top: str) -> Iterator[bytes]:
    """The names, as a catalogue has them, of sockets that tar did not archive, from the warnings of a manifest.

    A file that was in the place of one is gone, which the lists of names do not show.
    """
    for warning in warnings:
        if warning["kind"] in ("socket", "door"):
            for name in names_behind(warning["path"]):
                try:
                    mode = os.lstat(os.path.join(os.fsencode(top), name)).st_mode
                except OSError:
                    continue
                if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
                    yield relative(name)
