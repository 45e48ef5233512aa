# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The containers of one action: whether they are those that they were, and which of them a backup has made."""

from __future__ import annotations

from collections.abc import Iterable

from . import container
from .base import Storage
from .container import KnownContainers, NotRemembered
from .errors import StorageError


class Containers:
    """What this host knows of containers, as one action has to do with them. `init` takes them as they are."""

    def __init__(self, init: bool) -> None:
        self._init = init
        self._known = KnownContainers()
        self.made: list[Storage] = []
        #: What went wrong beside the backup, as sentences.
        self.problems: list[str] = []

    def check(self, storage: Storage) -> None:
        """Raise StorageError if a container that was used from here is gone, or is another one. Writes nothing."""
        container.check(storage, self._init, self._known)

    def id_of(self, storage: Storage) -> str | None:
        """The id of a container that was used from here; None for another one. Raises StorageError."""
        return self._known.any_of(storage.identities())

    def lost(self, storages: Iterable[Storage]) -> dict[Storage, StorageError]:
        """Those that a backup cannot go to, and why. Writes nothing. Raises StorageError if that is all of them."""
        asked, found = 0, {}
        for storage in storages:
            asked += 1
            try:
                self.check(storage)
                storage.make(parents=self._init, dry_run=True)
            except StorageError as problem:
                found[storage] = problem
        if found and len(found) == asked:
            raise next(iter(found.values()))
        return found

    def prepare(self, storage: Storage) -> None:
        """Have a container ready for a backup, with its marker, and remember it. Raises StorageError."""
        try:
            made = container.prepare(storage, self._init, self._known)
        except NotRemembered as problem:
            self.problems.append(str(problem))
            made = problem.made
        if made:
            self.made.append(storage)
