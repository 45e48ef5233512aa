# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Which earlier backup a new one continues, if any.

An increment has to restore. If a chain is broken, damaged, different between storages, or if tar would overlook a change,
the next backup is a full one, with the reason.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ...action.options import Options
from ...archive.tar import Source
from ...repository.backup_set import BackupSet, StoredBackup
from ...repository.errors import DamagedArchive, ForeignBackup
from ...repository.levels import LevelPlan, LevelPolicy, plan_level
from ...repository.manifest import Manifest
from ...repository.segments import open_verified
from ...storage.base import Storage
from ...storage.errors import StorageError
from ...system.file_names import shown


def generation(backup_set: BackupSet) -> list[StoredBackup]:
    """The newest level 0 of a set and all backups after it, oldest first; empty if the container does not exist yet.

    Raises DamagedArchive, ForeignBackup or StorageError.
    """
    try:
        return backup_set.generation()
    except StorageError:
        if backup_set.storage.kind == "local" and not os.path.lexists(backup_set.storage.container):
            return []
        raise


def newest(backup_set: BackupSet) -> StoredBackup | None:
    """The newest backup of a set that could be continued, or None."""
    try:
        found = generation(backup_set)
    except (DamagedArchive, ForeignBackup, StorageError):
        return None
    return found[-1] if found else None


def plan_backup(
    options: Options, sets: Sequence[BackupSet], source: Source, path: str, now: float
) -> tuple[LevelPlan[Manifest], StoredBackup | None]:
    """The level of the next backup and the backup that it continues, the same one in every storage.

    `path` is the path to back up, `now` is in seconds since 1970. Raises ForeignBackup if the folder of the backup
    belongs to another set.
    """
    policy = LevelPolicy(options.max_level, options.always_level, options.restart_always_level, options.no_incremental)
    if not policy.incremental:
        return plan_level(policy, [], now), None
    try:
        generations = [generation(backup_set) for backup_set in sets]
    except (DamagedArchive, ForeignBackup, StorageError) as problem:
        if isinstance(problem, ForeignBackup):
            for backup_set in sets:
                backup_set.check_owner()
        return _full(f"the earlier backups cannot be continued: {problem}")
    hashes = [[backup.manifest_sha256 for backup in one] for one in generations]
    if any(other != hashes[0] for other in hashes[1:]):
        return _full("the storages do not hold the same earlier backups")
    earlier = generations[0]
    plan = plan_level(policy, [backup.manifest for backup in earlier], now)
    if plan.parent is None:
        return plan, None
    parent = next(backup for backup in earlier if backup.manifest is plan.parent)
    obstacle = _blind_to_changes(parent, source, path) or _broken(sets[0], parent)
    return _full(obstacle) if obstacle else (plan, parent)


def _full(reason: str) -> tuple[LevelPlan[Manifest], None]:
    return LevelPlan(0, None, reason), None


def _blind_to_changes(parent: StoredBackup, source: Source, path: str) -> str | None:
    """The reason why tar, which compares names, inodes of folders and times, would overlook a change since the parent."""
    manifest = parent.manifest
    if manifest.path != shown(path):
        return "the earlier backups are of another path"
    if manifest.real_path != shown(os.path.realpath(path)):
        return f"{shown(path)} leads to another path than before"
    if source.dereference in ("soft", "all"):
        return "a symbolic link with a new target would not be noticed"
    # tar treats excluded files as seen, and would keep the old state of files that are excluded now.
    changed = _changes(manifest.selection, source, shown(path))
    return f"the selection of files has changed: {', and '.join(changed)}" if changed else None


def _changes(before: Mapping[str, Any], source: Source, path: str) -> list[str]:
    """The changes of what selects files, as sentence parts."""
    now = source.selection()
    changed = []
    if before["exclude"] != now["exclude"]:
        changed.append("exclude has changed")
    if before["dereference"] != now["dereference"]:
        changed.append("dereference_symlink has changed")
    if before["one_file_system"] and not now["one_file_system"]:
        # The option has changed, or a file system was mounted there meanwhile.
        changed.append(f"file systems mounted below {path} are read now, and were not before")
    if now["one_file_system"] and not before["one_file_system"]:
        changed.append(f"file systems mounted below {path} were read before, and are not now")
    return changed


def _broken(backup_set: BackupSet, parent: StoredBackup) -> str | None:
    """The reason why an increment on the parent could not be restored, as far as metadata tell."""
    storage: Storage = backup_set.storage
    try:
        backup_set.chain(parent)
        open_verified(storage, parent.folder, parent.manifest.snar).close()
    except (DamagedArchive, StorageError) as problem:
        return f"the earlier backups cannot be continued: {problem}"
    return None
