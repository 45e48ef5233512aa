# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The manifest of format version 2: what retention and the choice of a backup need without a key.

docs/archive-format.md explains every field. The rest is in the details, which may be sealed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from . import shape
from .errors import DamagedArchive
from .manifest import (
    FORMAT,
    MOST_LEVEL,
    Parent,
    began,
    check_parent,
    folder_name,
    is_itself,
    with_digest,
)
from .verified import MOST_OBJECT_BYTES, StoredTree

FORMAT_VERSION = 2
METHODS = ("age", "aes-256-cfb")
#: The ends of the names of objects.
SEALED_SUFFIXES: Mapping[str | None, str] = {None: "", "age": ".age", "aes-256-cfb": ".enc"}
PACKED_SUFFIXES: Mapping[str, str] = {"zstd": ".zst", "gzip": ".gz", "bzip2": ".bz2", "xz": ".xz", "none": ""}
_FOLDER = r"[0-9]{1,12}_[0-9]{1,6}"
_SEGMENT = re.compile(r"(data|blocks)\.([0-9]{6,7})")
#: In the order of a manifest.
_SIDES = ("catalogue", "maps", "snar", "frames", "details.json")
_NEVER_PACKED = frozenset({"frames", "details.json"})
_NEEDED = frozenset({"catalogue", "snar", "frames", "details.json"})


@dataclass(frozen=True)
class SealedWith:
    """How the objects are sealed: the method, and the id of the key pair if there is one."""

    method: str
    key_id: str | None


@dataclass(frozen=True)
class PublicManifest:
    """The fields of a manifest. Times are seconds since 1970 (UTC), sizes are bytes."""

    backup_id: str
    hostname: str
    backup_name: str
    timestamp: int
    level: int
    parent: Parent | None
    outcome: str
    time_started: float
    time_ended: float
    sealing: SealedWith | None
    objects: tuple[StoredTree, ...]

    @property
    def stored_bytes(self) -> int:
        """The size of all objects in the storage."""
        return sum(one.bytes for one in self.objects)

    @property
    def began(self) -> int:
        """The start of the backup, by the clock of its host."""
        return began(self.timestamp, self.time_started)

    @property
    def folder(self) -> str:
        """The backup's folder below its set."""
        return folder_name(self.timestamp, self.level)

    @property
    def packed_suffix(self) -> str:
        """The end of the names of compressed objects, without that of the sealing."""
        return parts_of(self.objects, self.sealed_suffix)[0]

    @property
    def sealed_suffix(self) -> str:
        """The end of the names of all objects."""
        return SEALED_SUFFIXES[self.sealing.method if self.sealing else None]

    def segments(self, stem: str) -> list[str]:
        """The names of the segments of a stream, ``data`` or ``blocks``, in their order."""
        return [one.name for one in self.objects if one.name.startswith(f"{stem}.")]

    def side(self, stem: str) -> str | None:
        """The name of another object, such as ``catalogue``, if the backup has one."""
        packed = "" if stem in _NEVER_PACKED else self.packed_suffix
        name = f"{stem}{packed}{self.sealed_suffix}"
        return name if any(one.name == name for one in self.objects) else None

    def to_bytes(self) -> bytes:
        """The manifest as it is stored."""
        return with_digest({"format": FORMAT, "format_version": FORMAT_VERSION}, asdict(self))


_SHAPE = shape.record(
    {
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
        "outcome": shape.one_of("success", "partial"),
        "time_started": shape.number(),
        "time_ended": shape.number(),
        "sealing": shape.optional(
            shape.record({"method": shape.one_of(*METHODS), "key_id": shape.optional(shape.UUID)})
        ),
        "objects": shape.list_of(
            shape.record(
                {
                    "name": shape.text(64, r"[a-z0-9.]+"),
                    "bytes": shape.whole(0, MOST_OBJECT_BYTES),
                    "tree": shape.SHA256,
                }
            ),
            least=1,
        ),
    }
)


def parse_public(stored: bytes, where: str) -> PublicManifest:
    """The manifest in stored bytes. Raises DamagedArchive for anything else.

    Every field has its type and range, objects have the names and the order of the format, and the parent is older and of the
    level below.
    """
    try:
        document = shape.loads(stored)
        _SHAPE(document)
        if not is_itself(stored):
            raise DamagedArchive(f"{where} is not what was written (its SHA-256 differs).")
        for head in ("format", "format_version", "self_sha256"):
            del document[head]
        manifest = _built(document)
        check_parent(manifest.timestamp, manifest.level, manifest.parent)
        parts_of(manifest.objects, manifest.sealed_suffix)
        if manifest.sealing is not None and (manifest.sealing.key_id is None) != (manifest.sealing.method != "age"):
            raise shape.Misshapen(f"is sealed by {manifest.sealing.method} and has the key {manifest.sealing.key_id}")
    except (ValueError, RecursionError) as problem:
        raise DamagedArchive(f"{where} is not a manifest of a backup ({shape.said(problem)}).") from problem
    return manifest


def _built(document: dict[str, Any]) -> PublicManifest:
    parent, sealing = document.pop("parent"), document.pop("sealing")
    return PublicManifest(
        parent=None if parent is None else Parent(**parent),
        sealing=None if sealing is None else SealedWith(**sealing),
        objects=tuple(StoredTree(**one) for one in document.pop("objects")),
        **document,
    )


def parts_of(objects: tuple[StoredTree, ...], sealed: str) -> tuple[str, list[str]]:
    """The suffix of compressed objects, and the names of all objects without suffixes. Raises Misshapen.

    The names decide what is read as what, so they are those of the format in its order, and nothing else.
    """
    packed: set[str] = set()
    stems = []
    for one in objects:
        name = one.name
        if not name.endswith(sealed):
            raise shape.Misshapen(f"has the object {name}, which is not sealed as the others are")
        name = name[: len(name) - len(sealed)]
        if name not in _NEVER_PACKED:
            suffix = next((end for end in PACKED_SUFFIXES.values() if end and name.endswith(end)), "")
            packed.add(suffix)
            name = name[: len(name) - len(suffix)]
        stems.append(name)
    counts = {"data": 0, "blocks": 0}
    order = []
    for name in stems:
        segment = _SEGMENT.fullmatch(name)
        if segment:
            stem = segment[1]
            if name != f"{stem}.{counts[stem]:06d}":
                raise shape.Misshapen(f"has the segment {name} out of its order")
            counts[stem] += 1
            order.append(("data", "blocks").index(stem))
        elif name in _SIDES:
            order.append(2 + _SIDES.index(name))
        else:
            raise shape.Misshapen(f"has the object {name}, which its format does not know")
    sides = [name for name in stems if name in _SIDES]
    if order != sorted(order) or len(set(sides)) != len(sides) or len(packed) > 1:
        raise shape.Misshapen("has objects that do not go together")
    if not _NEEDED.issubset(sides):
        raise shape.Misshapen(f"lacks the object {sorted(_NEEDED.difference(sides))[0]}")
    return packed.pop() if packed else "", stems
