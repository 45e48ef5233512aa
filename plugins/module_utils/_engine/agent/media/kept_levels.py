# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What this host keeps of the backups that it writes, so that it can continue them in a storage that it cannot read.

It is what the next level is made with: manifests, details, catalogues and maps of the newest chain, and the snapshot file of its last
level, each as it is stored. They are checked by the manifest that the host remembers, as those of the storage.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...repository.backup_set import BackupSet, StoredBackup
from ...storage.kept_objects import KeptObjects

_SNAPSHOT_FILE = "snar"
_KEPT = re.compile(
    r"[^/]+/[0-9]{1,12}_[0-9]{1,6}/(manifest\.json(\.sig)?|(details\.json|snar|catalogue|maps)(\.[a-z0-9]+){0,2})"
)


def is_kept(name: str) -> bool:
    """Whether an object of a container, by its name, is kept."""
    return _KEPT.fullmatch(name) is not None


def keep_only(sets: Sequence[BackupSet], chain: Sequence[StoredBackup]) -> None:
    """Forget what the level after a chain does not need."""
    names = [one.manifest.folder for one in chain]

    def is_needed(folder: str, name: str) -> bool:
        return folder == names[-1] or not name.startswith(_SNAPSHOT_FILE)

    for one in sets:
        if isinstance(one.storage, KeptObjects):
            one.storage.keep_only(one.folder, names, is_needed)
