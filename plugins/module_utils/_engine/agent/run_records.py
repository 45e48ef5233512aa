# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Which runs over several hosts have begun and not ended, so that what a killed one has left is found and removed.

Each run has a file of its own, ``OWNER.WORKFLOW.NAME.json``: a run that begins never hides one that was killed before it. One that
has succeeded has ``OWNER.WORKFLOW.NAME.done`` in its place, so that it is known which backups there are: its name is taken then, and
no other run of that name begins or takes it off the record. A file is whole or not there, also after a power cut.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any

from ..errors import FreezerError, OptionError
from ..storage.local import LocalStorage

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
        """All runs that are under way or were killed, in the order of their names: none that is on record as having succeeded."""
        names = self._names()
        # Both are there where a run was killed between the two, and then it was over.
        return [self._read(name) for name in names if name.endswith(".json") and f"{name[:-5]}.done" not in names]

    def done(self) -> list[dict[str, Any]]:
        """All runs that are on record as having succeeded, with `ended_at` in seconds since 1970, the oldest first."""
        found = [self._read(name) for name in self._names() if name.endswith(".done")]
        return sorted(found, key=lambda run: (float(run.get("ended_at", 0)), str(run["snapshot_name"])))

    def finish(self, run: Run, ended_at: float) -> None:
        """Put it on record that a run has succeeded, and take it off the record as one that is under way."""
        self._storage.put(self._done_name(run), json.dumps({**run, "ended_at": ended_at}).encode())
        self.remove(run)

    def forget(self, run: Run) -> None:
        """Take a run off the record altogether, if it is there. One with a `run_id` means no other run of the same name."""
        for name in (self.file_name(run), self._done_name(run)):
            if name in self._names() and self.is_meant(run, self._read(name)):
                self._storage.delete(name)

    def put(self, run: Run) -> None:
        """Put a run on record: a dictionary with `workflow` and `snapshot_name`. It is on disk when this returns."""
        self.check_free(run)
        self._storage.put(self.file_name(run), json.dumps(run).encode())

    def check_free(self, run: Run) -> None:
        """Raise FreezerError where a run of this name has succeeded: to undo another one would take away what that has made."""
        if self._done_name(run) in self._names():
            raise FreezerError(
                f"There is a {run['workflow']} {run['snapshot_name']} on record already. Choose another snapshot_name, leave it out, or "
                f"remove that one first with remove_backup."
            )

    def remove(self, run: Run) -> None:
        """Take a run off the record, if it is there."""
        self._storage.delete(self.file_name(run))

    def is_meant(self, run: Run, recorded: Run) -> bool:
        """Whether a record is that of a run: of the same name, and where that has a `run_id` the same one."""
        is_named = self.file_name(run) == self.file_name(recorded)
        return is_named and ("run_id" not in run or run["run_id"] == recorded.get("run_id"))

    def file_name(self, run: Run) -> str:
        """The file of a run, the same for whatever else is said of it. Raises OptionError if that can be none."""
        workflow, name = str(run.get("workflow", "")), str(run.get("snapshot_name", ""))
        if not _WORD.fullmatch(workflow) or not _NAME.fullmatch(name):
            raise OptionError(
                f"A run has a workflow and a snapshot_name of letters, digits, dashes and underscores, the name with dots as well; "
                f"this one has {workflow!r} and {name!r}."
            )
        return f"{self._owner}.{workflow}.{name}.json"

    def _names(self) -> list[str]:
        if not os.path.isdir(self._storage.container):
            return []
        return [name for name in self._storage.children("") if name.startswith(f"{self._owner}.")]

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
