# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The manifest: a backup exists when its manifest exists.

It is JSON, written last, and says everything that is needed to read the backup with other tools. It carries a SHA-256
of itself against damage, and the next level keeps one of the whole, so that a chain cannot lose or swap a link
unnoticed. docs/archive-format.md explains every field.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .errors import DamagedArchive

FORMAT = "freezer-backup"
FORMAT_VERSION = 1
_ZEROS = "0" * 64
_SELF = re.compile(rb'"self_sha256": "([0-9a-f]{64})"')


@dataclass(frozen=True)
class StoredObject:
    """One object of a backup: its name below the backup's folder, its size in bytes and its SHA-256 in hex."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Parent:
    """The backup that this one continues: its folder and the SHA-256 of its manifest as stored."""

    folder: str
    backup_id: str
    manifest_sha256: str


@dataclass
class Manifest:
    """What one backup is. Times are seconds since 1970 (UTC), sizes are bytes."""

    backup_id: str
    hostname: str
    backup_name: str
    timestamp: int
    level: int
    parent: Parent | None
    path: str
    #: Where the path led to, symbolic links resolved.
    real_path: str
    single_file: str | None
    #: How the tree was read: ``exclude``, ``dereference`` and ``one_file_system`` of the source.
    selection: dict[str, Any]
    codec: str
    codec_level: int
    segments: list[StoredObject]
    catalogue: StoredObject
    snar: StoredObject
    stream_bytes: int | None
    source_bytes: int
    counts: dict[str, int]
    tar: dict[str, Any]
    host: dict[str, Any]
    outcome: str
    consistency: str
    time_started: float
    time_ended: float
    sealing: dict[str, Any] | None = None
    #: The snapshot that was read in place of the file system, and what was held still for it; None if there was none.
    snapshot: dict[str, Any] | None = None
    hold: dict[str, Any] | None = None
    unreadable: list[dict[str, str]] = field(default_factory=list)
    warnings: list[dict[str, str]] = field(default_factory=list)

    @property
    def stored_bytes(self) -> int:
        """What the segments take in the storage."""
        return sum(segment.bytes for segment in self.segments)

    @property
    def folder(self) -> str:
        """The backup's folder below its set."""
        return folder_name(self.timestamp, self.level)

    def to_bytes(self) -> bytes:
        """The manifest as it is stored."""
        return with_digest({"format": FORMAT, "format_version": FORMAT_VERSION}, asdict(self))


def folder_name(timestamp: int, level: int) -> str:
    """``<timestamp>_<level>``, the folder of one backup."""
    return f"{timestamp}_{level}"


def digest(stored: bytes) -> str:
    """The SHA-256, in hex, that a manifest or an object is known by."""
    return hashlib.sha256(stored).hexdigest()


def with_digest(head: Mapping[str, Any], document: Mapping[str, Any]) -> bytes:
    """JSON that carries the SHA-256 of itself, between what it begins with and the rest."""
    whole = {**head, "self_sha256": _ZEROS, **document}
    plain = json.dumps(whole, indent=1, ensure_ascii=True).encode("ascii") + b"\n"
    return plain.replace(_ZEROS.encode("ascii"), digest(plain).encode("ascii"), 1)


def is_itself(stored: bytes) -> bool:
    """Whether ``self_sha256`` is the digest of these bytes with zeros in its place."""
    found = _SELF.search(stored)
    if found is None:
        return False
    return digest(stored[: found.start(1)] + _ZEROS.encode("ascii") + stored[found.end(1) :]).encode() == found.group(1)


def parse_manifest(stored: bytes, where: str) -> Manifest:
    """The manifest behind stored bytes. Raises DamagedArchive if they are not one that this release can read."""
    try:
        document = json.loads(stored)
        if document.pop("format") != FORMAT:
            raise KeyError("format")
        version = document.pop("format_version")
        if version != FORMAT_VERSION:
            raise DamagedArchive(
                f"{where} has the archive format version {version!r}, and this release reads {FORMAT_VERSION}; "
                "use the release that wrote it, or a newer one."
            )
        if document.pop("self_sha256") is None or not is_itself(stored):
            raise DamagedArchive(f"{where} is not what was written (its SHA-256 differs).")
        document["segments"] = [StoredObject(**segment) for segment in document["segments"]]
        document["catalogue"] = StoredObject(**document["catalogue"])
        document["snar"] = StoredObject(**document["snar"])
        if document["parent"] is not None:
            document["parent"] = Parent(**document["parent"])
        manifest = Manifest(**document)
        for stored_object in (*manifest.segments, manifest.catalogue, manifest.snar):
            if "/" in stored_object.name or stored_object.name.startswith("."):
                raise DamagedArchive(f"{where} names an object {stored_object.name!r} outside its backup.")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise DamagedArchive(f"{where} is not a manifest of a backup ({problem}).") from problem
    if manifest.sealing is not None:
        raise DamagedArchive(f"{where} is sealed, and this release cannot open sealed backups; use a newer one.")
    return manifest
