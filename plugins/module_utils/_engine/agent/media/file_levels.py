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
from ...archive.open_backup import open_backup, with_details
from ...archive.sealed import Sealing
from ...archive.tar import Source
from ...repository.backup_set import BackupSet, StoredBackup
from ...repository.details import Details
from ...repository.errors import ArchiveError, DamagedArchive, ForeignBackup
from ...repository.levels import LevelPlan, LevelPolicy, plan_level
from ...repository.manifest import Manifest
from ...repository.public_manifest import PublicManifest
from ...sealing.errors import SealingError
from ...storage.errors import StorageError
from ...system.file_names import shown
from .writing_keys import WritingKeys

_READ_BYTES = 1 << 20


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
    options: Options, sets: Sequence[BackupSet], source: Source, path: str, keys: WritingKeys, now: float
) -> tuple[LevelPlan[Manifest | PublicManifest], StoredBackup | None]:
    """The level of the next backup and the backup that it continues, the same one in every storage.

    `path` is the path to back up, `now` is in seconds since 1970; `keys` say what the backup is sealed for. Raises ForeignBackup if the folder of the backup
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
    try:
        obstacle = _other_format(parent, keys, options) or keys.why_not_continued(sets[0], parent)
        if obstacle is None:
            parent = with_details(sets[0].storage, parent, keys.sealing)
            obstacle = _blind_to_changes(parent.known, source, path) or _broken(sets[0], parent, keys.sealing)
    except (ArchiveError, StorageError, SealingError) as problem:
        obstacle = f"the earlier backups cannot be continued: {problem}"
    return _full(obstacle) if obstacle else (plan, parent)


def _full(reason: str) -> tuple[LevelPlan[Manifest | PublicManifest], None]:
    return LevelPlan(0, None, reason), None


def _other_format(parent: StoredBackup, keys: WritingKeys, options: Options) -> str | None:
    """The reason why a level of this release cannot be put on the parent."""
    if not isinstance(parent.manifest, PublicManifest):
        return "the earlier backups have the format of an earlier release"
    if keys.sealing.describe() != parent.manifest.sealing:
        if keys.sealing.describe() is None:
            if options.encryption is None:
                keys.problems.append(
                    "This backup is not encrypted, and the earlier ones are: neither encrypt_pass_file nor encryption_recipients is given. "
                    "If that is meant, set encryption none."
                )
            return "the earlier backups are encrypted, and this one is not"
        return keys.obstacle or "the earlier backups are encrypted in another way"
    return None


def _blind_to_changes(manifest: Manifest | Details, source: Source, path: str) -> str | None:
    """The reason why tar, which compares names, inodes of folders and times, would overlook a change since the parent."""
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


def _broken(backup_set: BackupSet, parent: StoredBackup, sealing: Sealing) -> str | None:
    """The reason why an increment on the parent could not be restored, as far as metadata tell."""
    try:
        backup_set.chain(parent)
        with open_backup(backup_set.storage, parent, sealing) as opened, opened.plain("snar") as snar:
            while snar.read(_READ_BYTES):
                pass
    except (DamagedArchive, StorageError) as problem:
        return f"the earlier backups cannot be continued: {problem}"
    return None
