# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a backup continues an earlier one, and which: an increment has to restore, or it is not taken.

Wherever a chain is broken, damaged, different between storages, or blind to a change, the answer is a full backup and
the reason why.
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
    """The newest level 0 of a set and what came after it, oldest first; empty where the container is still to be made.

    Raises DamagedArchive, ForeignBackup or StorageError.
    """
    try:
        return backup_set.generation()
    except StorageError:
        if backup_set.storage.kind == "local" and not os.path.lexists(backup_set.storage.container):
            return []
        raise


def newest(backup_set: BackupSet) -> StoredBackup | None:
    """The newest backup of a set, or None if there is none that could be continued, or that can be read."""
    try:
        found = generation(backup_set)
    except (DamagedArchive, ForeignBackup, StorageError):
        return None
    return found[-1] if found else None


def plan_backup(
    options: Options, sets: Sequence[BackupSet], source: Source, path: str, now: float
) -> tuple[LevelPlan[Manifest], StoredBackup | None]:
    """The level to take and the backup that it continues, the same one in every storage.

    `path` is what is to be backed up, `now` is in seconds since 1970. Raises ForeignBackup if a folder that the backup
    would go to holds another set.
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
    """Why tar would overlook something that changed since the parent: it looks at names, inodes of folders, times."""
    manifest = parent.manifest
    if manifest.path != shown(path):
        return "the earlier backups are of another path"
    if manifest.real_path != shown(os.path.realpath(path)):
        return f"{shown(path)} leads somewhere else than before"
    if source.dereference in ("soft", "all"):
        return "a symbolic link that leads somewhere else than before would not be noticed"
    # tar counts what was excluded among what it has seen, and would keep the old state of what is excluded now.
    changed = _changes(manifest.selection, source, shown(path))
    return f"other files are meant than before: {', and '.join(changed)}" if changed else None


def _changes(before: Mapping[str, Any], source: Source, path: str) -> list[str]:
    """What decides otherwise than before which files are read."""
    now = source.selection()
    changed = []
    if before["exclude"] != now["exclude"]:
        changed.append("exclude has changed")
    if before["dereference"] != now["dereference"]:
        changed.append("dereference_symlink has changed")
    if before["one_file_system"] and not now["one_file_system"]:
        # Because the option says so, or because something was mounted there meanwhile.
        changed.append(f"what is mounted below {path} is read now, and was not before")
    if now["one_file_system"] and not before["one_file_system"]:
        changed.append(f"what was mounted below {path} was read before, and is no longer")
    return changed


def _broken(backup_set: BackupSet, parent: StoredBackup) -> str | None:
    """Why nothing that is built on the parent could be restored, as far as that can be told without reading all."""
    storage: Storage = backup_set.storage
    try:
        backup_set.chain(parent)
        open_verified(storage, parent.folder, parent.manifest.snar).close()
    except (DamagedArchive, StorageError) as problem:
        return f"the earlier backups cannot be continued: {problem}"
    return None
