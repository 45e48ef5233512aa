# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""Records of backups. They say what happened; so they are written and deleted, and never changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..documents.comparison import drift
from ..documents.errors import DocumentError
from ..http.errors import Conflict
from .client import Registry
from .ensure import find, remove, store
from .plan import Result

# What together identifies a backup, as freezer-api's README defines it; the level follows from the time.
UNIQUE_BY = ("container", "hostname", "backup_name", "time_stamp")


def ensure_backup_record(
    registry: Registry,
    metadata: Mapping[str, Any],
    backup_id: str | None,
    state: str,
    check_mode: bool,
) -> Result:
    """Record a backup, unless it is recorded already, or delete the record (the archive stays where it is).

    Raises ``Conflict`` when the record exists with other contents.
    """
    own_id = metadata.get("backup_id")
    if backup_id and own_id and backup_id != own_id:
        raise DocumentError(f"backup_id is {backup_id!r}, but the metadata says {own_id!r}.")
    wanted = {**metadata, "backup_id": backup_id or own_id}
    existing = find(registry.backups, wanted, UNIQUE_BY)
    if state == "absent":
        return remove(registry.backups, existing, check_mode)
    if existing is not None:
        differing = sorted(drift(registry.backups.kind, wanted, existing))
        if differing:
            raise Conflict(
                f"Backup {registry.backups.kind.id_of(existing)} is recorded already, with another "
                f"{', '.join(differing)}. A record is not changed afterwards; delete it first if it is wrong."
            )
    return store(registry.backups, wanted, existing, check_mode)
