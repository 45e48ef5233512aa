# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The catalogues of stored backups of files, opened when they are read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

from ...action.options import Options
from ...archive import chain as chains
from ...archive.open_backup import open_backup
from ...archive.plan import Catalogue
from ...archive.sealed import Sealing
from ...repository.backup_set import Contents, StoredBackup
from ...repository.errors import ArchiveError
from ...storage.base import Storage
from ...system.file_names import shown


@contextmanager
def _plain(storage: Storage, backup: StoredBackup, sealing: Sealing) -> Iterator[BinaryIO]:
    with open_backup(storage, backup, sealing) as opened, opened.plain("catalogue") as source:
        yield source


def catalogues(storage: Storage, chain: Sequence[StoredBackup], sealing: Sealing) -> list[Catalogue]:
    """The catalogues of a chain, the lowest level first. Raises ArchiveError for one of version 1, which has none."""
    if chains.is_first_version(chain):
        raise ArchiveError(
            f"{chain[-1].folder} was made by an earlier release, which stored no list of what is in a backup that could be read by "
            "itself. Restore it, and look at that."
        )
    return [Catalogue(one.folder, partial(_plain, storage, one, sealing)) for one in chain]


def path_in(given: str, backup: StoredBackup) -> bytes | None:
    """A path as a catalogue has it: relative to what was backed up. None if it is not below that.

    An absolute one is a path of the host that was backed up; the details have to be known.
    """
    path = os.fsencode(given)
    if path.startswith(b"/"):
        known = backup.known
        folder = known.path if known.single_file is None else os.path.dirname(known.path)
        top, path = os.path.normpath(os.fsencode(folder)), os.path.normpath(path)
        if path != top and not path.startswith(top.rstrip(b"/") + b"/"):
            return None
        path = path[len(top) :]
    path = os.path.normpath(path.lstrip(b"/") or b".")
    if path == b".." or path.startswith(b"../"):
        return None
    return b"" if path == b"." else path


@dataclass(frozen=True)
class SearchedSet:
    """The backups of one name of one host in one storage, the oldest first, each with its chain."""

    storage: Storage
    hostname: str
    backup_name: str
    chains: Sequence[Sequence[StoredBackup]]
    #: Sentences about backups that cannot be searched.
    problems: Sequence[str]

    def describe(self) -> str:
        """How messages name it."""
        return f"{self.backup_name} of {self.hostname} in {self.storage.describe()}"


def sets_of(storage: Storage, found: Contents, options: Options) -> Iterator[SearchedSet]:
    """The sets of a container that an action names by host and name, or all of them."""
    for (hostname, backup_name), survey in sorted(found.sets.items()):
        if options.backup_name not in (None, backup_name) or options.hostname not in (None, hostname):
            continue
        problems = [f"Not searched: {one}" for one in survey.damaged]
        of_earlier = sum(chains.is_first_version([one]) for one in survey.backups)
        if of_earlier:
            problems.append(
                f"Not searched: {of_earlier} backups of {backup_name} of {hostname} by an earlier release, which have no list that "
                "could be read by itself."
            )
        known: dict[str, list[StoredBackup]] = {}
        for one in sorted(survey.backups, key=lambda one: one.manifest.timestamp):
            parent = one.manifest.parent
            below = [] if parent is None else known.get(parent.folder)
            if chains.is_first_version([one]):
                continue
            if below is None or (parent is not None and below[-1].manifest_sha256 != parent.manifest_sha256):
                problems.append(
                    f"Not searched: {one.folder}, because what it continues is missing or is not that backup."
                )
                continue
            known[one.manifest.folder] = [*below, one]
        yield SearchedSet(storage, shown(hostname), shown(backup_name), list(known.values()), problems)


def described(backup: StoredBackup) -> dict[str, Any]:
    """Which backup an entry of a search is of."""
    manifest = backup.manifest
    return {
        "hostname": manifest.hostname,
        "backup_name": manifest.backup_name,
        "backup_id": manifest.backup_id,
        "level": manifest.level,
        "timestamp": manifest.began,
    }
