# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""Results of the verbs, as dictionaries that can be printed as JSON and posted to the API."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..action.equivalent_command import backup_command
from ..action.options import Options
from ..archive.census import Census
from ..repository.backup_set import BackupSet, StoredBackup
from ..repository.levels import LevelPlan
from ..repository.manifest import Manifest
from ..repository.public_manifest import PACKED_SUFFIXES, PublicManifest
from ..repository.segments import FanOut
from ..repository.stored_set import StoredSet
from ..storage.base import Storage
from ..system.file_names import shown
from .record import Made

#: The most unreadable files, and the most of tar's remarks, that a result lists; the manifest has all of them.
LISTED_AT_MOST = 200
_NAMED_AT_MOST = 5


@dataclass(frozen=True)
class Seen:
    """Facts about the source that were found while it was read, and are not in the manifest."""

    #: The path in the mounted snapshot; empty without a snapshot.
    snapshot_path: str
    #: Names of broken symbolic links, the first of them.
    broken_links: Sequence[str]
    #: The number of broken symbolic links; None if they could not be counted.
    broken_links_count: int | None
    #: Whether the backup has the folder only, because everything in it was excluded.
    all_excluded: bool = False
    #: Whether no link below the source was followed; None for a user other than root.
    protected: bool | None = None
    #: Why it was not protected, as a sentence part.
    unprotected_reason: str | None = None

    def excluded_said(self) -> str:
        """A sentence part that says so if everything was excluded, else empty."""
        return (
            "only the folder itself is in it: all of its contents are left out with exclude"
            if self.all_excluded
            else ""
        )

    def problems(self) -> list[str]:
        """A sentence if the broken links could not be counted."""
        if self.broken_links_count is not None:
            return []
        return ["Broken symbolic links could not be counted: the target of at least one of them does not answer."]


def described(options: Options, path: str, level: LevelPlan[Any], parent: StoredBackup | None) -> dict[str, Any]:
    """The keys of a result that are known before the backup is made."""
    return {
        "hostname": options.host,
        "backup_name": options.backup_name,
        "path_to_backup": shown(path),
        "level": level.level,
        "reason": level.reason,
        "parent_backup_id": parent.manifest.backup_id if parent is not None else None,
    }


def identity(manifest: Manifest | PublicManifest) -> dict[str, Any]:
    """The keys that identify a backup."""
    return {
        "hostname": manifest.hostname,
        "backup_name": manifest.backup_name,
        "backup_id": manifest.backup_id,
        "level": manifest.level,
        "timestamp": manifest.began,
    }


def place(one: StoredSet[Any], manifest: Any) -> dict[str, Any]:
    """The location of a backup and its folder there."""
    folder = f"{one.folder}/{manifest.folder}"
    return {"storage": one.storage.kind, "container": one.storage.container, "folder": folder}


class UsedContainers(Protocol):
    """The containers that a backup has made, and problems with containers, as sentences."""

    made: list[Storage]
    problems: list[str]


def storages(
    sets: Sequence[StoredSet[Any]], manifest: Any, fan_out: FanOut, containers: UsedContainers
) -> list[dict[str, Any]]:
    """The outcome of a backup in each storage."""
    found = []
    for one in sets:
        problem = fan_out.failures.get(one.storage)
        where = place(one, manifest)
        if problem is None:
            made = {"made": True} if one.storage in containers.made else {}
            found.append({**where, "outcome": "success", **made})
        else:
            del where["folder"]
            found.append({**where, "outcome": "failed", "message": str(problem)})
    return found


def done(
    options: Options,
    stored: StoredBackup,
    sets: Sequence[BackupSet],
    fan_out: FanOut,
    problems: Sequence[str],
    containers: UsedContainers,
    seen: Seen,
    sealed: Mapping[str, Any],
) -> dict[str, Any]:
    """The result of a backup: outcome, locations, sizes, what could not be read, and what went wrong beside it.

    `sealed` has the keys that say how it is encrypted and who signed it.
    """
    manifest, details = stored.manifest, stored.known
    made = _made(options, stored, fan_out, seen)
    left_out = [one for one in details.warnings if one["kind"] == "other_file_system"]
    return {
        **made.result(),
        **sealed,
        "storages": storages(sets, manifest, fan_out, containers),
        "counts": details.counts,
        "compression": details.codec,
        "snapshot": details.snapshot,
        "source_protected": seen.protected,
        "source_protected_reason": seen.unprotected_reason,
        "problems": [*problems, *containers.problems, *seen.problems()],
        "unreadable_count": len(details.unreadable),
        "unreadable": details.unreadable[:LISTED_AT_MOST],
        "remarks_count": len(details.warnings),
        "remarks": details.warnings[:LISTED_AT_MOST],
        "left_out_count": len(left_out),
        "left_out": left_out[:LISTED_AT_MOST],
        "metadata": made.record(options, _own_record(options, stored, seen, sealed)),
    }


def counted(stored: StoredBackup, census: Census) -> dict[str, int]:
    """How many files and folders a level protects together with those below it, and how many were deleted since the last."""
    details = stored.known
    if details.single_file is not None:
        return {"protected_files": 1, "protected_folders": 0, "deleted_files": 0, "deleted_folders": 0}
    return {
        # tar also lists files that it could not read.
        "protected_files": max(0, census.files - len(details.unreadable)),
        "protected_folders": census.folders,
        "deleted_files": census.deleted_files,
        "deleted_folders": census.deleted_folders,
    }


def left_out_said(result: Mapping[str, Any]) -> str:
    """A sentence part about other file systems that a backup left out; empty if there are none."""
    count, entries = result.get("left_out_count") or 0, result.get("left_out") or []
    if not count:
        return ""
    named = ", ".join(str(one["path"]) for one in entries[:_NAMED_AT_MOST])
    more = f" and {count - _NAMED_AT_MOST} more" if count > _NAMED_AT_MOST else ""
    return f"{count} other file system{'s were' if count > 1 else ' was'} left out: {named}{more}"


def made_in(options: Options, manifest: Any, fan_out: FanOut, outcome: str, **own: Any) -> Made:
    """What a medium with manifests has made in containers. ``own`` are the fields that differ between media.

    `outcome` is the one where every storage has the backup.
    """
    first = fan_out.working()[0]
    return Made(
        manifest=manifest,
        outcome="partial" if fan_out.failures else outcome,
        storage=first.kind,
        container=first.container,
        cli=backup_command(options, first.kind, first.container),
        stored_bytes=manifest.stored_bytes,
        time_started=manifest.time_started,
        time_ended=manifest.time_ended,
        **own,
    )


def _made(options: Options, stored: StoredBackup, fan_out: FanOut, seen: Seen) -> Made:
    manifest, details = stored.manifest, stored.known
    return made_in(
        options,
        manifest,
        fan_out,
        outcome="partial" if seen.all_excluded else manifest.outcome,
        path=details.path,
        source_bytes=details.source_bytes,
        compression=details.codec,
        consistency=details.consistency,
        hold=details.hold,
        parent_backup_id=manifest.parent.backup_id if manifest.parent else None,
    )


def _own_record(options: Options, stored: StoredBackup, seen: Seen, sealed: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a record that only backups of files have."""
    details = stored.known
    return {
        "max_level": options.max_level,
        "always_level": options.always_level,
        "restart_always_level": options.restart_always_level,
        "fs_real_path": details.real_path,
        "compression_alg": details.codec,
        "excluded_files": options.exclude,
        "client_os": details.host["system"],
        "total_fs_files": details.counts.get("files", 0) + details.counts.get("hard_links", 0),
        "total_directories": details.counts.get("directories", 0),
        "total_symbolic_links": details.counts.get("symbolic_links", 0),
        "total_broken_links": seen.broken_links_count,
        "broken_links": [shown(os.path.normpath(f"{details.path}/{name}")) for name in seen.broken_links],
        "vol_snap_path": shown(seen.snapshot_path),
        "unreadable_count": len(details.unreadable),
        "source_protected": seen.protected,
        **{key: sealed[key] for key in ("encrypted", "encryption", "key_id", "signed_by")},
        "manifest_sha256": stored.manifest_sha256,
        "folder": stored.folder,
    }


def listed(storage: Storage, stored: StoredBackup) -> dict[str, Any]:
    """One backup as a line of a list; null for what is sealed and was not opened."""
    manifest, details = stored.manifest, stored.details
    return {
        "backup_id": manifest.backup_id,
        "hostname": manifest.hostname,
        "backup_name": manifest.backup_name,
        "level": manifest.level,
        "timestamp": manifest.began,
        "path_to_backup": details.path if details else None,
        "outcome": manifest.outcome,
        "source_bytes": details.source_bytes if details else None,
        "stored_bytes": manifest.stored_bytes,
        "compression": details.codec if details else _codec_in(manifest),
        "parent_backup_id": manifest.parent.backup_id if manifest.parent else None,
        "storage": storage.kind,
        "container": storage.container,
        "folder": stored.folder,
    }


def _codec_in(manifest: Manifest | PublicManifest) -> str | None:
    """The compression that the names of objects tell of."""
    suffix = manifest.packed_suffix if isinstance(manifest, PublicManifest) else None
    return next((name for name, end in PACKED_SUFFIXES.items() if end == suffix), None)
