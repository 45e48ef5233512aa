# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The medium fs: files and folders of this host as archives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from ...action.options import Options
from ...archive import restore_target
from ...archive.open_backup import with_details
from ...archive.sealed import Sealing
from ...archive.selection import Selection
from ...archive.written import Placed
from ...consistency.live import Live
from ...progress import Progress
from ...repository.backup_set import BackupSet, StoredBackup, contents
from ...repository.errors import ArchiveError, DamagedArchive, DamagedBackup, UnbelievedBackup
from ...repository.signatures import Author
from ...sealing.errors import SealingError
from ...storage.base import Storage
from ...storage.choose import storage_for
from ...storage.errors import StorageError
from ...system.file_names import shown
from .. import results
from . import file_copies, parts, upstream_copies
from .base import Copy, Medium
from .copied_files import CopiedFiles, Tree
from .reading_keys import ReadingKeys
from .sealed_sets import described, sealed_with


class Files(CopiedFiles, Medium[BackupSet, Tree]):
    """The medium ``fs``."""

    def __init__(self, options: Options) -> None:
        super().__init__(options, storage_for, _reading(options))
        self._keys = ReadingKeys(options, self._held, self.containers)
        self._authors: dict[BackupSet, Author] = {}
        #: What this host remembers otherwise of the backups that were found, as sentences.
        self._odd: list[str] = []

    def lists_containers(self) -> bool:
        """Whether neither a name, a host nor a container is given."""
        options = self.options
        containers = (options.container, *(one.get("container") for one in options.storages))
        return not any((options.backup_name, options.hostname, *containers))

    def find(self, one: BackupSet) -> Copy[Any]:
        """With the details of each level; also among what upstream's agent left there, by the same name of the same host."""
        found = upstream_copies.newest_of(super().find, one, self.wanted_id)
        if upstream_copies.is_upstreams(found):
            if self._believes_only():
                raise UnbelievedBackup(
                    f"{found.stored.folder} of {one.storage.describe()} looks like one by the agent of OpenStack's Freezer, which signs "
                    "nothing, and trusted_signers or recorded_manifests says what is believed. Choose another backup; if it is to be read "
                    "all the same, leave them out.",
                    found.manifest.timestamp,
                )
            return found
        if self.wanted_id is None and self.options.restore_from_date is None:
            self._odd += self._keys.remarks(one)
        # Before anything of it is opened.
        self._authors[one] = self._author(one, found.stored)
        try:
            sealing = self.sealing_of(one.storage, found.stored)
            read = parts.details_if_whole if self.options.salvage else with_details
            return Copy(one, [read(one.storage, level, sealing) for level in found.chain])
        except DamagedArchive as problem:
            raise DamagedBackup(str(problem), found.stored.manifest.timestamp) from problem

    def _author(self, one: BackupSet, backup: StoredBackup) -> Author:
        """Who has written a backup. A salvage takes what is not proven too, unless signers are named."""
        try:
            return self._keys.author(one.storage, backup)
        except UnbelievedBackup as problem:
            if not self.options.salvage or self._believes_only():
                raise
            return Author(None, str(problem))

    def _believes_only(self) -> bool:
        """Whether the action says whom it believes."""
        return bool(self.options.trusted_signers or self.options.recorded_manifests)

    def sealing_of_data(self, storage: Storage, backup: StoredBackup) -> Sealing:
        """How all of a backup is sealed. Raises SealingError without the right key, DamagedArchive, StorageError."""
        return self._keys.sealing(storage, backup)

    def sealing_of(self, storage: Storage, backup: StoredBackup) -> Sealing:
        """How details and catalogues of a backup are sealed. Raises SealingError without the right key, ArchiveError, StorageError."""
        return self._keys.sealing_of_details(storage, backup)

    def check_target(self) -> None:
        """Raises OptionError or ArchiveError, the latter also for one that is not empty, unless ``overwrite``."""
        restore_target.check_target(self._target())
        self._refuse_full()

    def _target(self) -> str:
        return os.path.abspath(self.options.need("restore_abs_path", "say which folder to restore into"))

    def _refuse_full(self) -> bool:
        """Whether the target is empty. Raises ArchiveError if it is not, unless ``overwrite``."""
        target = self._target()
        is_empty = restore_target.is_empty(target)
        if not (self.options.overwrite or is_empty):
            raise ArchiveError(
                f"{shown(target)} is not empty, so nothing was restored into it. Choose another folder, or set overwrite: "
                "files of the backup then replace files of the same name, and other files stay."
            )
        return is_empty

    def restore(self, copy: Copy[BackupSet], progress: Progress, dry_run: bool) -> dict[str, Any]:
        """The target becomes visible as a whole. Raises ArchiveError for one that is not empty, unless ``overwrite``."""
        target = self._target()
        is_empty = self._refuse_full()
        about = {"restore_abs_path": shown(target)}
        part = parts.selection(self.options, copy)
        # Also a dry run refuses what has no key.
        levels = self._levels(copy, part)
        if dry_run and is_empty and part is None and not parts.wants_in_place(self.options):
            return {**about, "changed": True, "outcome": "planned"}
        in_place = parts.in_place(self.options, copy, part)
        if dry_run:
            if in_place is not None and isinstance(levels, file_copies.OwnLevels):
                met, would = file_copies.would_change(levels, target, in_place)
            else:
                met, would = file_copies.would_place(levels, target, progress)
            remarks = {"remarks": would.remarks} if would.remarks else {}
            return {**about, **_placed(would), **parts.counted(met), **remarks, "outcome": "planned"}
        if in_place is not None and isinstance(levels, file_copies.OwnLevels):
            met, placed = file_copies.restore_in_place(levels, target, in_place, progress)
        else:
            met, placed = file_copies.restore_into(levels, target, progress)
        not_restored = met.not_restored + placed.not_restored
        unreadable = [*parts.unreadable(copy), *met.unreadable]
        return {
            **about,
            **_placed(placed),
            **parts.counted(met),
            "outcome": "partial" if not_restored else "success",
            "not_restored_count": len(not_restored),
            "not_restored": not_restored[: results.LISTED_AT_MOST],
            "remarks": [*self._remarks(copy), *met.warnings, *placed.remarks],
            "unreadable_count": len(unreadable),
            "unreadable": unreadable[: results.LISTED_AT_MOST],
        }

    def newest_remembered(self, one: BackupSet) -> str | None:
        known = self._keys.known(one.storage, one.folder)
        return known.levels[-1].folder if known is not None and known.levels else None

    def prove(self, copy: Copy[BackupSet], check: str, compare_to: str | None, progress: Progress) -> list[str]:
        """Check sizes and hashes, or read the chain through tar, or restore it into a scratch folder."""
        if not upstream_copies.is_upstreams(copy):
            for level in copy.chain[:-1]:
                self._keys.check_signature(copy.backup_set.storage, level)
        return file_copies.prove(self._levels(copy), check, compare_to, progress)

    def _levels(self, copy: Copy[Any], selection: Selection | None = None) -> file_copies.Levels:
        if upstream_copies.is_upstreams(copy):
            return upstream_copies.UpstreamLevels(copy, self.options.encrypt_pass_file)
        kind = file_copies.SalvagedLevels if self.options.salvage else file_copies.OwnLevels
        storage = copy.backup_set.storage
        return kind(storage, copy.chain, self.sealing_of_data(storage, copy.stored), selection)

    def describe(self, stored: Any) -> dict[str, Any]:
        """Host, name, id, level, time, and whether upstream's agent made it."""
        own = {} if upstream_copies.is_upstream(stored) else described(stored)
        return {**super().describe(stored), **own, **upstream_copies.described(stored)}

    def describe_author(self, copy: Copy[Any]) -> dict[str, Any]:
        """Who has signed it, or why that is not known."""
        author = self._authors.get(copy.backup_set)
        if author is None or upstream_copies.is_upstreams(copy):
            return {}
        about: dict[str, Any] = {"signed_by": author.signed_by, "signed_by_reason": author.reason}
        return about if author.is_recorded is None else {**about, "is_recorded": author.is_recorded}

    def _remarks(self, copy: Copy[Any]) -> list[str]:
        return [*upstream_copies.remarks(copy), *self._odd]

    def prove_twin(self, copy: Copy[BackupSet], check: str, progress: Progress) -> None:
        """As `prove` does, without a comparison."""
        self.prove(copy, check, None, progress)

    def describe_proof(self, copy: Copy[BackupSet]) -> dict[str, Any]:
        """The size of the chain."""
        said = self._remarks(copy)
        stored_bytes = sum(one.manifest.stored_bytes for one in copy.chain)
        return {"stored_bytes": stored_bytes, **({"remarks": said} if said else {})}

    def left_alone(self) -> str:
        """About what upstream's agent left."""
        return upstream_copies.left_alone(self.sets())

    def list(self) -> dict[str, list[Any]]:
        """The backups of one name, or without a name of every name."""
        options = self.options
        backups: list[dict[str, Any]] = []
        incomplete: list[str] = []
        damaged: list[str] = []
        for storage in self.storages():
            self.containers.check(storage)
            found = contents(storage, self.may_be_meant)
            surveys = list(found.orphans.values())
            for (hostname, backup_name), survey in found.sets.items():
                if options.backup_name in (None, backup_name) and options.hostname in (None, hostname):
                    surveys.append(survey)
            for survey in surveys:
                for one in survey.backups:
                    try:
                        backups.append(self._line(storage, one))
                    except (DamagedArchive, StorageError) as problem:
                        damaged.append(str(problem))
                incomplete += survey.incomplete
                damaged += survey.damaged
            theirs = upstream_copies.listed(storage, options.hostname, options.backup_name)
            backups += theirs["backups"]
            incomplete += theirs["incomplete"]
            damaged += theirs["damaged"]
        return {"backups": backups, "incomplete": incomplete, "damaged": damaged}

    def _line(self, storage: Storage, backup: StoredBackup) -> dict[str, Any]:
        """One backup as a line of a list, without what cannot be opened here. Raises DamagedArchive or StorageError."""
        sealed = sealed_with(backup)
        # With a passphrase alone each takes a third of a second, so a list would take minutes.
        is_cheap = sealed is None or sealed.key_id is not None
        if is_cheap and not self._keys.is_tried_enough(storage, backup):
            try:
                backup = with_details(storage, backup, self.sealing_of(storage, backup))
            except (SealingError, UnbelievedBackup):
                pass  # the key of another backup, or none
        return {**results.listed(storage, backup), **described(backup)}

    def storages(self) -> Iterator[Storage]:
        """The storages of the action, each checked. Raises OptionError or StorageError."""
        for kind, container in self.options.locations():
            storage = self._storage_for(kind, container, self.options.access(kind, container))
            self.containers.check(storage)
            yield storage

    def may_be_meant(self, folder: str) -> bool:
        """Whether the name of a set's folder matches the host and the name of the action."""
        host, name = self.options.hostname, self.options.backup_name
        return (host is None or folder.startswith(f"{host}_")) and (name is None or folder.endswith(f"_{name}"))


def _reading(options: Options) -> Live:
    """What reads the source of an action: the live one, or at one point in time."""
    if options.mode == "fs" and not options.wants_snapshot:
        return Live()
    from ...consistency.source import (
        Consistent,
    )  # LVM and all databases, which take a third of a short backup to import

    return Consistent()


def _placed(done: Placed) -> dict[str, Any]:
    """The changes that a restore made in its target, or would make."""
    return {
        "changed": bool(done.created or done.replaced or done.removed),
        "created": done.created,
        "replaced": done.replaced,
        "equal": done.equal,
        "counts": done.written.counts,
        "restored_bytes": done.written.content_bytes,
        "replaced_paths": done.replaced_paths,
        "created_paths": done.created_paths,
        "removed": done.removed,
        "removed_paths": done.removed_paths,
        **({} if done.undo_folder is None else {"undo_folder": shown(done.undo_folder)}),
    }
