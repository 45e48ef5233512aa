# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The order in which the members of an archive have to come: no member before the folder that it lies in.

GNU tar archives every folder at every level, before what is in it. A member without its folders was read, or would be
written, through something else that stood there: a link for example, which leads anywhere.
"""

from __future__ import annotations

TOP = b"."


class Folders:
    """The folders that one level has brought so far. Names are as in the archive (``./a/b``), or all of them quoted."""

    def __init__(self) -> None:
        self._brought = {TOP}

    def obstacle(self, name: bytes, is_folder: bool, linked: bytes | None = None) -> bytes | None:
        """Take a member into account; the path in its way that is not a folder (or is one, and must not be), or None.

        `linked` is the first name of a file of which the member is another hard link.
        """
        if is_folder:
            name = name[:-1] if name.endswith(b"/") else name
            if name == TOP:
                return None
        wrong = self._above(name)
        if wrong is None and is_folder:
            self._brought.add(name)
        elif wrong is None and name in self._brought:
            return name  # a folder a moment ago: what comes below it would go through this
        if wrong is None and linked is not None:
            return linked if linked in self._brought else self._above(linked)
        return wrong

    def _above(self, name: bytes) -> bytes | None:
        """The highest path on the way to a name that was not brought as a folder."""
        above = name.rpartition(b"/")[0]
        if above in self._brought:
            return None
        while above:
            higher = above.rpartition(b"/")[0]
            if higher in self._brought:
                return above
            above = higher
        return name
