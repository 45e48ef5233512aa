# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The number of files and folders that a level protects together with the levels below it, and of those that were deleted.

tar stores with every folder the names in it, also of files that did not change, and its snapshot file has those of the parent.
Sockets count as files, because these lists do not distinguish them.
"""

from __future__ import annotations

import os

from .gone import ParentNames
from .member_stream import FoundMember
from .patterns import matcher
from .tar import Source

_FOLDER = b"D"
_FILES = (b"Y", b"N")


class Census:
    """Counts the names in the folders of a new stream, and those of the parent (`before`) that are gone."""

    def __init__(self, source: Source, before: ParentNames) -> None:
        self._before = before
        self._excluded = matcher(map(os.fsencode, source.exclude)) if source.exclude else None
        self._own_output = frozenset(os.fsencode(path)[2:] for path in source.own_output)
        self.files = self.folders = self.deleted_files = self.deleted_folders = 0

    def see(self, found: FoundMember) -> None:
        """Count a folder and the files that its list has; other members are ignored."""
        if found.kind == b"d":
            self.folders += 1
            self.files += self._files(found.name.rstrip(b"/"), found.records.get(b"GNU.dumpdir", b""))

    def gone(self, name: bytes, was_folder: bool) -> None:
        """Count a name, as a catalogue has it, that was deleted, with all that the parent had below it."""
        if not was_folder:
            self.deleted_files += not self._is_left_out(name)
            return
        pending = [b"./" + name]
        while pending:
            folder = pending.pop()
            self.deleted_folders += 1
            names = self._before.of(folder)
            self.deleted_files += self._files(folder, names)
            pending += [folder + b"/" + entry[1:] for entry in names.split(b"\0") if entry[:1] == _FOLDER]

    def all_excluded(self, source: Source) -> bool:
        """Whether the backup has the folder only, because everything in it was excluded."""
        if self._excluded is None or source.single_file is not None or self.files or self.folders > 1:
            return False
        try:
            names = [os.fsencode(name) for name in os.listdir(source.folder)]
        except OSError:
            return False
        return any(self._excluded(name) for name in names if name not in self._own_output)

    def _files(self, folder: bytes, names: bytes) -> int:
        """The number of files in a list of names: a letter and a name for each, with a NUL behind or between them."""
        count = names.count(b"\0Y") + names.count(b"\0N") + names.startswith(_FILES)
        if self._excluded is None and not self._own_output:
            return count
        # What is left out stands there as unchanged.
        above = folder[2:] + b"/" if folder[2:] else b""
        return count - sum(entry[:1] == b"N" and self._is_left_out(above + entry[1:]) for entry in names.split(b"\0"))

    def _is_left_out(self, name: bytes) -> bool:
        return name in self._own_output or (self._excluded is not None and self._excluded(name))
