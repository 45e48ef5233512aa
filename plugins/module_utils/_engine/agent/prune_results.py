# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The result of pruning, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..action.options import Options
from ..errors import FreezerError
from ..repository.pruning import PrunableSet, PrunePlan
from ..repository.retention import Decision
from ..system.file_names import shown


def pruned(
    options: Options,
    pruned_sets: Sequence[tuple[PrunableSet, PrunePlan]],
    failures: Sequence[tuple[PrunableSet, FreezerError]],
    scratch: Sequence[tuple[str, int]],
) -> dict[str, Any]:
    """The result of pruning; `scratch` are leftover folders of the host with their sizes in bytes."""
    removed: list[dict[str, Any]] = []
    kept: list[dict[str, Any]] = []
    left: list[dict[str, Any]] = []
    damaged: list[str] = []
    storages: list[dict[str, Any]] = []
    for backup_set, plan in pruned_sets:
        storage = backup_set.storage
        place_of = {"storage": storage.kind, "container": storage.container}
        removed += [_decided(backup_set, decision) for decision in plan.removed]
        kept += [{**_decided(backup_set, decision), "reasons": decision.reasons} for decision in plan.kept]
        left += [{**place_of, "path": one.folder, "bytes": one.bytes} for one in plan.incomplete]
        damaged += plan.damaged
        problem = next((one for failed, one in failures if failed is backup_set), None)
        outcome = {"outcome": "success"} if problem is None else {"outcome": "failed", "message": str(problem)}
        storages.append({**place_of, **outcome})
    left += [{"path": shown(path), "bytes": size} for path, size in scratch]
    freed = sum(plan.freed_bytes for _set, plan in pruned_sets) + sum(size for _path, size in scratch)
    return {
        "changed": bool(removed or left),
        "hostname": options.host,
        "backup_name": pruned_sets[0][0].backup_name,
        "removed": removed,
        "removed_count": len(removed),
        "kept": kept,
        "kept_count": len(kept),
        "leftovers": left,
        "leftovers_count": len(left),
        "freed_bytes": freed,
        "damaged": damaged,
        "storages": storages,
    }


def _decided(backup_set: PrunableSet, decision: Decision[Any]) -> dict[str, Any]:
    manifest = decision.backup.manifest
    return {
        "backup_id": manifest.backup_id,
        "level": manifest.level,
        "timestamp": manifest.began,
        "stored_bytes": manifest.stored_bytes,
        "storage": backup_set.storage.kind,
        "container": backup_set.storage.container,
        "folder": f"{backup_set.folder}/{manifest.folder}",
    }
