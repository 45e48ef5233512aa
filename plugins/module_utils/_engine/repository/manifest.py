# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The manifest: a backup exists when its manifest exists.

It is JSON, written last, and has everything that is needed to read the backup with other tools. It has a SHA-256 of
itself against damage, and the next level has the SHA-256 of its parent's manifest, so that no backup of a chain can be lost or
exchanged unnoticed. docs/archive-format-1.md explains every field.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from . import shape
from .errors import DamagedArchive

FORMAT = "freezer-backup"
FORMAT_VERSION = 1
#: The most bytes that a reader loads into memory; a larger manifest is damaged, because no writer makes one.
MOST_MANIFEST_BYTES = 64 << 20
#: The most bytes of catalogue and snapshot file, as stored: they have lines for each file, and no contents.
MOST_SIDE_BYTES = 16 << 30
MOST_LEVEL = 999_999
#: Several backups of one second are named after the seconds that follow. A name that is later than this comes after a backup
#: of a clock that was ahead.
AHEAD_SECONDS = 300
_FOLDER = r"[0-9]{1,12}_[0-9]{1,6}"
_ZEROS = "0" * 64
_VERSION = re.compile(rb'"format_version": ([0-9]{1,9}),')
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
    """The fields of a manifest. Times are seconds since 1970 (UTC), sizes are bytes."""

    backup_id: str
    hostname: str
    backup_name: str
    timestamp: int
    level: int
    parent: Parent | None
    path: str
    #: The path with symbolic links resolved.
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
    #: The snapshot that was read in place of the live file system; None if there was none. `hold` is what was quiesced for it.
    snapshot: dict[str, Any] | None = None
    hold: dict[str, Any] | None = None
    unreadable: list[dict[str, str]] = field(default_factory=list)
    warnings: list[dict[str, str]] = field(default_factory=list)

    @property
    def stored_bytes(self) -> int:
        """The size of all segments in the storage."""
        return sum(segment.bytes for segment in self.segments)

    @property
    def began(self) -> int:
        """The start of the backup, by the clock of its host."""
        return began(self.timestamp, self.time_started)

    @property
    def folder(self) -> str:
        """The backup's folder below its set."""
        return folder_name(self.timestamp, self.level)

    def to_bytes(self) -> bytes:
        """The manifest as it is stored."""
        return with_digest({"format": FORMAT, "format_version": FORMAT_VERSION}, asdict(self))


def began(timestamp: int, time_started: float) -> int:
    """The start of a backup, in whole seconds since 1970.

    This is the time in its name, unless the name had to be later than that of a backup from a clock that was ahead.
    """
    return timestamp if timestamp - time_started <= AHEAD_SECONDS else int(time_started)


def folder_name(timestamp: int, level: int) -> str:
    """``<timestamp>_<level>``, the folder of one backup."""
    return f"{timestamp}_{level}"


def digest(stored: bytes) -> str:
    """The SHA-256 of a manifest or an object, in hexadecimal digits."""
    return hashlib.sha256(stored).hexdigest()


def with_digest(head: Mapping[str, Any], document: Mapping[str, Any]) -> bytes:
    """JSON with the fields of `head`, its own SHA-256, and the fields of `document`."""
    whole = {**head, "self_sha256": _ZEROS, **document}
    plain = json.dumps(whole, indent=1, ensure_ascii=True).encode("ascii") + b"\n"
    return plain.replace(_ZEROS.encode("ascii"), digest(plain).encode("ascii"), 1)


def is_itself(stored: bytes) -> bool:
    """Whether ``self_sha256`` is the digest of these bytes with zeros in its place."""
    found = _SELF.search(stored)
    if found is None:
        return False
    return digest(stored[: found.start(1)] + _ZEROS.encode("ascii") + stored[found.end(1) :]).encode() == found.group(1)


def _object(most: int) -> shape.Check:
    return shape.record(
        {"name": shape.text(255, r"[^/\0\n.][^/\0\n]*"), "bytes": shape.whole(0, most), "sha256": shape.SHA256}
    )


_REMARK = {"path": shape.PATH, "message": shape.text(1 << 20)}
_LIMITED_TEXT = shape.text(4096)
#: What a backup of either version says about its source and its run.
DETAILS_SHAPE: Mapping[str, shape.Check] = {
    "path": shape.PATH,
    "real_path": shape.PATH,
    "single_file": shape.optional(shape.text(1024, r"[^/\0]+")),
    "selection": shape.record(
        {
            "exclude": shape.list_of(shape.PATH),
            "dereference": shape.one_of("none", "soft", "hard", "all"),
            "one_file_system": shape.switch,
        }
    ),
    "codec_level": shape.whole(-1000, 1000),
    "source_bytes": shape.whole(),
    "counts": shape.mapping_of(shape.whole()),
    "tar": shape.record({"version": _LIMITED_TEXT, "exit_status": shape.whole(0, 255)}),
    "host": shape.record({"system": _LIMITED_TEXT, "release": _LIMITED_TEXT, "python": _LIMITED_TEXT}),
    "consistency": shape.one_of("crash", "fs", "app"),
    "snapshot": shape.optional(shape.facts),
    "hold": shape.optional(shape.facts),
    "unreadable": shape.list_of(shape.record(_REMARK)),
    "warnings": shape.list_of(shape.record({**_REMARK, "kind": _LIMITED_TEXT})),
}
#: The shape of every field of a manifest of this version, as docs/archive-format-1.md has it. `sealing` is checked before:
#: its contents are another format.
_SHAPE = shape.record(
    {
        **DETAILS_SHAPE,
        "format": shape.one_of(FORMAT),
        "format_version": shape.whole(FORMAT_VERSION, FORMAT_VERSION),
        "self_sha256": shape.SHA256,
        "backup_id": shape.UUID,
        "hostname": shape.NAME,
        "backup_name": shape.NAME,
        "timestamp": shape.SECONDS,
        "level": shape.whole(0, MOST_LEVEL),
        "parent": shape.optional(
            shape.record({"folder": shape.text(20, _FOLDER), "backup_id": shape.UUID, "manifest_sha256": shape.SHA256})
        ),
        "codec": shape.one_of("zstd", "gzip", "none"),
        "segments": shape.list_of(_object(shape.MOST_BYTES), least=1),
        "catalogue": _object(MOST_SIDE_BYTES),
        "snar": _object(MOST_SIDE_BYTES),
        "stream_bytes": shape.optional(shape.whole()),
        "outcome": shape.one_of("success", "partial"),
        "time_started": shape.number(),
        "time_ended": shape.number(),
        "sealing": shape.optional(shape.facts),
    }
)


def version_in(stored: bytes) -> int | None:
    """The version of the format that stored bytes claim to have, for the choice of a parser; None if they are no such thing."""
    found = _VERSION.search(stored, 0, 256)
    return None if found is None else int(found.group(1))


def parse_manifest(stored: bytes, where: str) -> Manifest:
    """The manifest in stored bytes. Raises DamagedArchive if this release cannot read them.

    Every field has its type and range, names stay in the backup's folder, and the parent is older and of the level below.
    """
    try:
        document = shape.loads(stored)
        if document.get("format") != FORMAT:
            raise shape.Misshapen("its format is another one")
        _check_version(document.get("format_version"), where)
        if document.get("sealing") is not None:
            raise DamagedArchive(f"{where} is sealed, and this release cannot open sealed backups; use a newer one.")
        _SHAPE(document)
        if not is_itself(stored):
            raise DamagedArchive(f"{where} is not what was written (its SHA-256 differs).")
        manifest = _built(document)
        _check_relations(manifest)
    except (ValueError, RecursionError) as problem:
        raise DamagedArchive(f"{where} is not a manifest of a backup ({shape.said(problem)}).") from problem
    return manifest


def _check_version(version: Any, where: str) -> None:
    shape.whole(0, 1 << 31)(version)
    if version != FORMAT_VERSION:
        raise DamagedArchive(
            f"{where} has the archive format version {version!r}, and this release reads 1 and 2; "
            "use the release that wrote it, or a newer one."
        )


def _built(document: dict[str, Any]) -> Manifest:
    fields = {
        name: value for name, value in document.items() if name not in ("format", "format_version", "self_sha256")
    }
    fields["segments"] = [StoredObject(**segment) for segment in fields["segments"]]
    fields["catalogue"] = StoredObject(**fields["catalogue"])
    fields["snar"] = StoredObject(**fields["snar"])
    if fields["parent"] is not None:
        fields["parent"] = Parent(**fields["parent"])
    return Manifest(**fields)


def _check_relations(manifest: Manifest) -> None:
    """Raise Misshapen if two fields contradict each other."""
    names = [one.name for one in (*manifest.segments, manifest.catalogue, manifest.snar)]
    if len(set(names)) != len(names):
        raise shape.Misshapen("names one object twice")
    check_parent(manifest.timestamp, manifest.level, manifest.parent)


def check_parent(timestamp: int, level: int, parent: Parent | None) -> None:
    """Raise Misshapen if a backup of this time and level cannot continue that one."""
    if (parent is None) != (level == 0):
        raise shape.Misshapen(f"is of level {level} and {'has no' if level else 'has a'} parent")
    if parent is not None:
        above, level_above = (int(part) for part in parent.folder.split("_"))
        if level_above != level - 1 or above >= timestamp:
            raise shape.Misshapen(f"is of level {level} and continues {parent.folder}")
