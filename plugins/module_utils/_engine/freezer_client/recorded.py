# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What the records of an API say of the manifests of backups: what lies in a storage is compared with that."""

from __future__ import annotations

import heapq
import re
from collections.abc import Mapping

from .client import Registry
from .select import select

#: So many of the newest records count: more than a year of one an hour.
_MOST = 10_000
_ID, _SHA256 = re.compile(r"[0-9a-f]{32}"), re.compile(r"[0-9a-f]{64}")


def recorded_manifests(
    registry: Registry, backup_name: str, hostname: str | None = None, backup_id: str | None = None
) -> list[str]:
    """The manifests of the backups of a name that are on record, as the option ``recorded_manifests`` takes them.

    With a `hostname` those of that host; with a `backup_id`, or the beginning of one, those that it can mean. A manifest says whose it is,
    so those of other hosts do no harm. Records without one, as other agents make them, are left out. Raises RestError.
    """
    wanted = {"backup_name": backup_name, **({"hostname": hostname} if hostname else {})}
    found = []
    for document in select(registry.backups, match=wanted):
        metadata = document.get("backup_metadata")
        # Upstream's searches also find similar values.
        if not isinstance(metadata, Mapping) or any(metadata.get(key) != value for key, value in wanted.items()):
            continue
        own_id, manifest, made = (metadata.get(key) for key in ("backup_id", "manifest_sha256", "time_stamp"))
        if not isinstance(own_id, str) or not isinstance(manifest, str) or not own_id.startswith(backup_id or ""):
            continue
        if _ID.fullmatch(own_id) and _SHA256.fullmatch(manifest):
            found.append((made if isinstance(made, int) else 0, f"{own_id}:{manifest}"))
    return [text for _made, text in heapq.nlargest(_MOST, found)]
