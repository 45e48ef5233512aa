# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The order of the members of an archive: every member comes after its folder.

GNU tar archives every folder at every level, before its contents. A member without its folders was read, or would be
written, through something else with that name, such as a link.
"""

from __future__ import annotations

TOP = b"."


class Folders:
    """The folders of one level so far. Names are as in the archive (``./a/b``), or all of them quoted."""

    def __init__(self) -> None:
        self._brought = {TOP}

    def obstacle(self, name: bytes, is_folder: bool, linked: bytes | None = None) -> bytes | None:
        """Add a member; returns None, or the path in its way that is not a folder (or must not be one).

        `linked` is the first name of the file if the member is another hard link.
        """
        if is_folder:
            name = name[:-1] if name.endswith(b"/") else name
            if name == TOP:
                return None
        wrong = self._above(name)
        if wrong is None and is_folder:
            self._brought.add(name)
        elif wrong is None and name in self._brought:
            return name  # it was a folder before: members below it would be written through this one
        if wrong is None and linked is not None:
            return linked if linked in self._brought else self._above(linked)
        return wrong

    def _above(self, name: bytes) -> bytes | None:
        """The highest path above a name that is not a folder of this level."""
        above = name.rpartition(b"/")[0]
        if above in self._brought:
            return None
        while above:
            higher = above.rpartition(b"/")[0]
            if higher in self._brought:
                return above
            above = higher
        return name
