# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The number of files and folders that a level protects together with the levels below it, and of those that were deleted.

tar's snapshot files have the names. To save memory, only a hash of 8 bytes is kept for each name. Sockets count as files,
because a snapshot file does not distinguish them.
"""

from __future__ import annotations

import os
from array import array

from .scan import left_out
from .tar import Source

#: Sets are compared in this many parts, one after the other.
_PARTS = 256
_MASK = (1 << 64) - 1


class _Names:
    """The hashes of many names."""

    def __init__(self) -> None:
        self._parts = [array("Q") for _part in range(_PARTS)]

    def add(self, name: bytes) -> None:
        number = hash(name) & _MASK
        self._parts[number % _PARTS].append(number)

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def missing_in(self, other: _Names) -> int:
        """The number of names that `other` lacks."""
        return sum(len(set(mine).difference(theirs)) for mine, theirs in zip(self._parts, other._parts))


class _Side:
    """The names in one snapshot file."""

    def __init__(self, source: Source) -> None:
        self._source = source if source.exclude or source.own_output else None
        self.files, self.folders = _Names(), _Names()

    def add(self, folder: bytes) -> None:
        """Count a folder of a snapshot file: five fields, its name, and a letter and a name for each entry."""
        fields = folder.split(b"\0", 6)
        self.folders.add(fields[5])
        if len(fields) > 6:
            above = fields[5] + b"/"
            for entry in fields[6].split(b"\0"):
                # D is a folder, which has an entry of its own. N is an unchanged file, or one that is left out.
                if entry[:1] in (b"Y", b"N") and not self._is_left_out(above, entry[1:]):
                    self.files.add(above + entry[1:])

    def _is_left_out(self, above: bytes, name: bytes) -> bool:
        return self._source is not None and left_out(self._source, os.fsdecode(above + name), os.fsdecode(name))


class Census:
    """The names of a level, compared with those of its parent."""

    def __init__(self, source: Source) -> None:
        self.before, self.now = _Side(source), _Side(source)

    def all_excluded(self, source: Source) -> bool:
        """Whether the backup has the folder only, because everything in it was excluded."""
        if not source.exclude or source.single_file is not None or self.now.files or len(self.now.folders) > 1:
            return False
        try:
            names = os.listdir(source.folder)
        except OSError:
            return False
        return any(left_out(source, f"./{name}", name) for name in names if f"./{name}" not in source.own_output)

    @property
    def deleted_files(self) -> int:
        """The number of files of the parent that were deleted."""
        return self.before.files.missing_in(self.now.files)

    @property
    def deleted_folders(self) -> int:
        """The number of folders of the parent that were deleted."""
        return self.before.folders.missing_in(self.now.folders)
