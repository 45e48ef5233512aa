# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The check of a stored stream of version 1: every header is read here before tar gets it.

tar protects itself against links that lead out of its folder, but only within one run. A chain takes one run for each
level, so a link of an earlier level could redirect a member of the next one. This check stops a level before the first
member that is not in a folder of the same level, or that has another form than our writer's tar writes (``member_stream``).
"""

from __future__ import annotations

from .headers import Strange
from .member_stream import FoundMember, MemberStream, told
from .members import TOP, Folders

#: Letters in the list of a folder that make tar move a folder, or create a temporary one.
_MOVES = frozenset({b"R", b"T", b"X"})


class Gate(MemberStream):
    """Checks the tar stream of one level. The caller gives it every block before tar gets it."""

    def __init__(self, where: str, increment: bool) -> None:
        super().__init__(where, self._path)
        self._increment = increment
        self._folders = Folders()
        #: Paths that the list of their parent folder has as folders: tar has removed everything else there.
        self._listed = {TOP}

    def _path(self, found: FoundMember) -> None:
        """Check the place of one member."""
        name, is_folder = found.name, found.kind == b"d"
        wrong = self._folders.obstacle(name, is_folder, found.link if found.kind == b"h" else None)
        if wrong is not None:
            raise self.refusal(
                f"it brings {told(name)}, and {told(wrong)} is not the folder there that it has to be", wrong
            )
        if not self._increment:
            return
        if not is_folder:
            if name in self._listed:
                # The folder of the level below would stay, and be in the way of this member.
                raise self.refusal(f"{told(name)} is no folder in it, and the folder above has it as one", name)
            return
        dumpdir = found.records.get(b"GNU.dumpdir")
        if dumpdir is not None:
            self._list(name.rstrip(b"/"), dumpdir)

    def _list(self, folder: bytes, dumpdir: bytes) -> None:
        """Check the list of a folder: before tar makes the folder, it removes everything that is not in the list."""
        if folder not in self._listed:
            above = folder.rpartition(b"/")[0]
            raise self.refusal(f"{told(folder)} is a folder in it, and {told(above)} does not have it as one", folder)
        entries = dumpdir[:-1].split(b"\0")[:-1]
        if any(entry[:1] in _MOVES for entry in entries):
            raise self.refusal(f"{told(folder)} in it asks for a folder to be moved", folder)
        names = {entry[1:] for entry in entries}
        # It ends with an empty entry; tar ignores everything after the first one.
        whole = dumpdir == b"\0" or dumpdir.endswith(b"\0\0")
        if not whole or len(names) != len(entries) or b"" in names or b"/" in dumpdir:
            raise Strange(f"a list of names of {told(folder)} that is none")
        self._listed.update(folder + b"/" + entry[1:] for entry in entries if entry[:1] == b"D")
