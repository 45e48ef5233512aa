# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What can be told of sealed backups without a key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...repository.backup_set import BackupSet, StoredBackup
from ...repository.errors import ArchiveError
from ...repository.public_manifest import PublicManifest, SealedWith
from ...storage.errors import ObjectMissing
from .known_sets import KnownSet


def sealed_with(backup: StoredBackup) -> SealedWith | None:
    """How a backup of any version is sealed."""
    return backup.manifest.sealing if isinstance(backup.manifest, PublicManifest) else None


def described(backup: StoredBackup) -> Mapping[str, Any]:
    """The keys of a result that say how a backup is sealed."""
    sealed = sealed_with(backup)
    return {
        "encrypted": sealed is not None,
        "encryption": sealed.method if sealed else "none",
        "key_id": sealed.key_id if sealed else None,
    }


def what_is_missing(one: BackupSet, known: KnownSet) -> str | None:
    """A sentence if the backup that this host has written last is gone or was replaced: retention never removes the newest one.

    Raises StorageError.
    """
    if not known.levels:
        return None
    last = known.levels[-1]
    where = f"{one.folder}/{last.folder} of {one.storage.describe()}"
    try:
        found = one.load(last.folder)
    except ObjectMissing:
        return (
            f"{where}, the newest backup that this host has written, is not there any more: it was removed, or the container was "
            "set back to an earlier state."
        )
    except ArchiveError as problem:
        return f"{where} is not what this host has written: {problem}"
    if found.manifest_sha256 != last.manifest_sha256:
        return f"{where} is not what this host has written: its manifest was replaced."
    return None
