# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Backups that the agent of OpenStack's Freezer left in a folder, for list, restore and verify. Nothing else touches them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Callable

from ...archive.extract import Extracted
from ...archive.upstream_replay import Replay
from ...archive.upstream_stream import upstream_stream
from ...archive.upstream_tar import Level
from ...progress import Progress
from ...repository import upstream
from ...repository.backup_set import BackupSet
from ...repository.errors import ArchiveError, DamagedArchive, DamagedBackup
from ...repository.ids import only_one
from ...repository.upstream import UpstreamBackup, UpstreamSet
from ...sealing.passphrase import Passphrase, read_passphrase
from ...storage.base import Storage
from ...system.file_names import shown
from .base import Copy

_NOT_PROVEN = (
    "The agent of OpenStack's Freezer made this backup. It has no hashes and no signature, so only the checksums of its "
    "compression and the form of its archive could be checked: who can write to its container can change it unnoticed."
)


def is_upstream(stored: Any) -> bool:
    """Whether upstream's agent made a backup."""
    return isinstance(stored, UpstreamBackup)


def is_upstreams(copy: Copy[Any]) -> bool:
    """The same of a copy."""
    return is_upstream(copy.stored)


def described(stored: Any) -> dict[str, Any]:
    """The key ``format`` of a result, for a backup by upstream's agent."""
    return {"format": upstream.FORMAT} if isinstance(stored, UpstreamBackup) else {}


def remarks(copy: Copy[Any]) -> list[str]:
    """What cannot be proven of a backup by upstream's agent, as sentences."""
    return [_NOT_PROVEN] if is_upstreams(copy) else []


class UpstreamLevels:
    """A chain by upstream's agent, as `file_copies` takes it."""

    def __init__(self, copy: Copy[Any], pass_file: str | None) -> None:
        self._storage: Storage = copy.backup_set.storage
        self._chain: list[UpstreamBackup] = list(copy.chain)
        self._pass_file = pass_file
        #: The size of the files is known at the end only.
        self.progress_bytes = self.unpacked_bytes = sum(one.manifest.stored_bytes for one in self._chain)

    @cached_property
    def _passphrase(self) -> Passphrase | None:
        """Raises UnusableKey."""
        return read_passphrase(self._pass_file) if self._pass_file else None

    @cached_property
    def whole_folder(self) -> bool:
        """Whether it is of a folder: the first member tells."""
        with self._opened(self._chain[0], Progress()) as level:
            next(iter(level), None)
            return not level.is_single

    def extract(self, folder: str, beside: str, progress: Progress) -> Extracted:
        """Replay all levels."""
        with Replay(folder, beside) as replay:
            for one in self._chain:
                with self._opened(one, progress) as level:
                    replay.level(level)
            return replay.finish()

    def check(self, check: str, progress: Progress) -> None:
        """Read every stream to its end, since nothing else shows whether it is whole. A restore does that itself."""
        for one in self._chain if check != "restore" else ():
            with self._opened(one, progress) as level:
                for _member in level:
                    pass

    def check_bytes(self, check: str) -> int:
        return 0 if check == "restore" else self.progress_bytes

    @contextmanager
    def _opened(self, one: UpstreamBackup, progress: Progress) -> Iterator[Level]:
        with upstream_stream(self._storage, one, self._passphrase, progress) as blocks:
            yield Level(f"{one.folder} of {self._storage.describe()}", blocks)


def newest_of(find: Callable[[Any], Copy[Any]], one: BackupSet, wanted_id: str | None) -> Copy[Any]:
    """What `find` finds in a set, or in the one by upstream's agent of the same host and name: the newer of the two.

    Raises the ArchiveError of the one that may have a newer backup, and what `find` raises where neither has one.
    """
    if not upstream.may_hold(one.storage):
        return find(one)
    found: list[Copy[Any]] = []
    problems: list[ArchiveError] = []
    for each in (one, UpstreamSet(one.storage, one.hostname, one.backup_name)):
        try:
            found.append(find(each))
        except ArchiveError as problem:
            problems.append(problem)
    if wanted_id is not None and found:
        whole = [copy for copy in found if copy.manifest.backup_id == wanted_id]
        chosen = only_one(wanted_id, whole or found)
    else:
        chosen = max(found, key=lambda copy: copy.manifest.timestamp, default=None)
    worst = max(problems, key=_newest_behind, default=None)
    if worst is not None and (
        chosen is None or (wanted_id is None and _newest_behind(worst) > chosen.manifest.timestamp)
    ):
        raise worst
    if chosen is None:
        raise ArchiveError(f"There is no backup with the id {wanted_id!r}.")
    return chosen


def _newest_behind(problem: ArchiveError) -> float:
    """The time of the newest backup that may be behind a problem."""
    if not isinstance(problem, DamagedArchive):
        return -math.inf
    return problem.timestamp if isinstance(problem, DamagedBackup) else math.inf


def left_alone(sets: Sequence[BackupSet]) -> str:
    """A sentence about backups by upstream's agent of the same host and name, with a blank before it; or nothing.

    Raises StorageError.
    """
    theirs = (UpstreamSet(one.storage, one.hostname, one.backup_name) for one in sets if upstream.may_hold(one.storage))
    if not any(one.names() for one in theirs):
        return ""
    return " What the agent of OpenStack's Freezer left there is not removed; remove it with that agent, or by hand."


def listed(storage: Storage, hostname: str | None, backup_name: str | None) -> dict[str, list[Any]]:
    """``backups``, ``incomplete`` and ``damaged`` of upstream's agent in a container, as a list has them.

    Without names, the host is what stands before the first underscore, which the name of a host cannot have.
    """

    def owner_of(folder: str) -> tuple[str, str] | None:
        host, name = hostname, backup_name
        if host is None:
            host = folder.partition("_")[0] if name is None else folder[: -len(f"_{name}")]
        if name is None:
            name = folder[len(host) + 1 :]
        return (host, name) if f"{host}_{name}" == folder else None

    found = upstream.contents(storage, owner_of)
    backups, incomplete, damaged = [], [], list(found.unread)
    for one, survey in found.sets:
        for backup in survey.backups:
            backups.append(_line(storage, one, backup))
        incomplete += survey.incomplete
        damaged += survey.damaged
    return {"backups": backups, "incomplete": incomplete, "damaged": damaged}


def _line(storage: Storage, one: UpstreamSet, backup: UpstreamBackup) -> dict[str, Any]:
    """One backup as a line of a list."""
    manifest = backup.manifest
    try:
        chain = one.chain(backup)
        parent_id = chain[-2].manifest.backup_id if len(chain) > 1 else None
    except ArchiveError:
        parent_id = None  # a restore tells what is missing
    return {
        "backup_id": manifest.backup_id,
        "hostname": shown(manifest.hostname),
        "backup_name": shown(manifest.backup_name),
        "level": manifest.level,
        "timestamp": manifest.began,
        "path_to_backup": None,
        "outcome": manifest.outcome,
        "source_bytes": None,
        "stored_bytes": manifest.stored_bytes,
        "compression": manifest.compression,
        "parent_backup_id": parent_id,
        "storage": storage.kind,
        "container": storage.container,
        "folder": shown(backup.folder),
        **described(backup),
    }
