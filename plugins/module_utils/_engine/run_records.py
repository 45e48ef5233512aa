# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Which runs over several hosts have begun and not ended, so that what a killed one has left is found and removed.

Each run has a file of its own, ``OWNER.WORKFLOW.NAME.json``: a run that begins never hides one that was killed before it. One that
has succeeded has ``OWNER.WORKFLOW.NAME.done`` in its place, so that it is known which backups there are.
A file is whole or not there, also after a power cut.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any

from .errors import FreezerError, OptionError
from .storage.local import LocalStorage

Run = Mapping[str, Any]

_RECORD_BYTES = 1 << 20
_WORD = re.compile(r"[A-Za-z0-9_-]+")
#: What a backup may be called, as the playbooks have it.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}")


class RunRecords:
    """The records of one owner in a folder, which is made with the first of them.

    `owner` tells records apart that are in one folder and of different hosts: letters, digits, dashes and underscores. Raises
    OptionError where that is not so, and FreezerError where a file or the folder cannot be used.
    """

    def __init__(self, folder: str, owner: str) -> None:
        if not _WORD.fullmatch(owner):
            raise OptionError(
                f"An owner of records cannot be called {owner!r}: letters, digits, dashes and underscores."
            )
        self._storage = LocalStorage(folder)
        self._owner = owner

    def runs(self) -> list[dict[str, Any]]:
        """All runs that are on record, in the order of their names."""
        if not os.path.isdir(self._storage.container):
            return []
        names = self._storage.children("")
        return [self._read(name) for name in names if name.startswith(f"{self._owner}.") and name.endswith(".json")]

    def done(self) -> list[dict[str, Any]]:
        """All runs that are on record as having succeeded, with `ended_at` in seconds since 1970, the oldest first."""
        if not os.path.isdir(self._storage.container):
            return []
        names = self._storage.children("")
        found = [self._read(name) for name in names if name.startswith(f"{self._owner}.") and name.endswith(".done")]
        return sorted(found, key=lambda run: (float(run.get("ended_at", 0)), str(run["snapshot_name"])))

    def finish(self, run: Run, ended_at: float) -> None:
        """Put it on record that a run has succeeded, and take it off the record as one that is under way."""
        self._storage.put(self._done_name(run), json.dumps({**run, "ended_at": ended_at}).encode())
        self.remove(run)

    def forget(self, run: Run) -> None:
        """Take a run off the record altogether, if it is there."""
        self.remove(run)
        self._storage.delete(self._done_name(run))

    def put(self, run: Run) -> None:
        """Put a run on record: a dictionary with `workflow` and `snapshot_name`. It is on disk when this returns."""
        self._storage.put(self.file_name(run), json.dumps(run).encode())

    def remove(self, run: Run) -> None:
        """Take a run off the record, if it is there."""
        self._storage.delete(self.file_name(run))

    def file_name(self, run: Run) -> str:
        """The file of a run, the same for whatever else is said of it. Raises OptionError if that can be none."""
        workflow, name = str(run.get("workflow", "")), str(run.get("snapshot_name", ""))
        if not _WORD.fullmatch(workflow) or not _NAME.fullmatch(name):
            raise OptionError(
                f"A run has a workflow and a snapshot_name of letters, digits, dashes and underscores, the name with dots as well; "
                f"this one has {workflow!r} and {name!r}."
            )
        return f"{self._owner}.{workflow}.{name}.json"

    def _done_name(self, run: Run) -> str:
        return self.file_name(run)[: -len(".json")] + ".done"

    def _read(self, name: str) -> dict[str, Any]:
        text = self._storage.read(name, _RECORD_BYTES)
        try:
            run = json.loads(text)
            if name in (self.file_name(run), self._done_name(run)):
                return dict(run)
        except (ValueError, AttributeError, RecursionError, OptionError):
            pass
        raise FreezerError(
            f"{self._storage.container}/{name} is not the record of a run. Its name says which run it was: remove what that may "
            f"have left, then the file."
        )
