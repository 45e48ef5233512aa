# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The details of a backup of format version 2: what only its readers need (docs/archive-format.md)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from . import shape
from .compressions import COMPRESSIONS
from .errors import DamagedArchive
from .manifest import DETAILS_SHAPE

MOST_DETAILS_BYTES = 64 << 20
BLOCK_HASHES = ("sha256", "blake3")
_MOST_FRAME = 1 << 24


@dataclass
class Details:
    """The fields of the details. Sizes are bytes."""

    backup_id: str
    path: str
    #: The path with symbolic links resolved.
    real_path: str
    single_file: str | None
    #: How the tree was read: ``exclude``, ``dereference`` and ``one_file_system`` of the source.
    selection: dict[str, Any]
    codec: str
    codec_level: int
    stream_bytes: int
    block_stream_bytes: int
    frame_bytes: int
    block_bytes: int
    block_hash: str
    source_bytes: int
    counts: dict[str, int]
    tar: dict[str, Any]
    host: dict[str, Any]
    consistency: str
    snapshot: dict[str, Any] | None = None
    hold: dict[str, Any] | None = None
    unreadable: list[dict[str, str]] = field(default_factory=list)
    warnings: list[dict[str, str]] = field(default_factory=list)

    def to_bytes(self) -> bytes:
        """The details as they are stored, before they are sealed."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=True).encode("ascii") + b"\n"


_SHAPE = shape.record(
    {
        **DETAILS_SHAPE,
        "backup_id": shape.UUID,
        "codec": shape.one_of(*COMPRESSIONS),
        "stream_bytes": shape.whole(),
        "block_stream_bytes": shape.whole(),
        "frame_bytes": shape.whole(1, _MOST_FRAME),
        "block_bytes": shape.whole(1, _MOST_FRAME),
        "block_hash": shape.one_of(*BLOCK_HASHES),
    }
)


def parse_details(stored: bytes, backup_id: str, where: str) -> Details:
    """The details in plain bytes, which have to be those of this backup. Raises DamagedArchive."""
    try:
        document = shape.loads(stored)
        _SHAPE(document)
    except (ValueError, RecursionError) as problem:
        raise DamagedArchive(f"{where} has no details of a backup ({shape.said(problem)}).") from problem
    if document["backup_id"] != backup_id:
        raise DamagedArchive(f"{where} has the details of another backup ({document['backup_id']}).")
    return Details(**document)
