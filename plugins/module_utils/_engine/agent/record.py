# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The record of a backup, the body of a POST to /backups: one builder for every medium."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ..action.options import Options
from ..version import VERSION

_MEBIBYTE = 1 << 20


class Recorded(Protocol):
    """The fields of a manifest that a record has, whatever the medium."""

    @property
    def backup_id(self) -> str: ...
    @property
    def hostname(self) -> str: ...
    @property
    def backup_name(self) -> str: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def began(self) -> int: ...
    @property
    def level(self) -> int: ...


@dataclass(frozen=True)
class Made:
    """A new backup, as far as every medium knows it. Sizes are bytes, times are seconds since 1970."""

    manifest: Recorded
    outcome: str
    #: The first storage that has the backup.
    storage: str
    container: str
    #: The command that makes such a backup again; None if it is too long for a record.
    cli: str | None
    #: Of files their path, of a server or a volume its medium and id.
    path: str
    source_bytes: int
    #: What was consistent while it was read: ``crash``, ``fs`` or ``app``.
    consistency: str
    #: None if the storage does not report it.
    stored_bytes: int | None
    time_started: float
    time_ended: float
    #: How long the application was quiesced (``held_seconds``), and which; None if none was.
    hold: Mapping[str, Any] | None = None
    compression: str = "none"
    parent_backup_id: str | None = None

    @property
    def held_seconds(self) -> float | None:
        """How long the application was quiesced; None if none was."""
        seconds = self.hold["held_seconds"] if self.hold else None
        return None if seconds is None else round(float(seconds), 3)

    @property
    def duration_seconds(self) -> float:
        """From the start of the backup to its manifest."""
        return round(self.time_ended - self.time_started, 3)

    def result(self) -> dict[str, Any]:
        """The keys that the result of a backup has for every medium."""
        return {
            "changed": True,
            "outcome": self.outcome,
            "backup_id": self.manifest.backup_id,
            "timestamp": self.manifest.began,
            "source_bytes": self.source_bytes,
            "stored_bytes": self.source_bytes if self.stored_bytes is None else self.stored_bytes,
            "consistency": self.consistency,
            "held_seconds": self.held_seconds,
            "duration_seconds": self.duration_seconds,
        }

    def record(self, options: Options, own: Mapping[str, Any]) -> dict[str, Any]:
        """The record: upstream's keys (sizes in MiB, rounded up), exact figures beside them, and the medium's `own` keys.

        Keys without a value are left out.
        """
        manifest, medium = self.manifest, options.backup_media
        record = {
            "backup_id": manifest.backup_id,
            "storage": self.storage,
            "container": self.container,
            "hostname": manifest.hostname,
            "host_name": manifest.hostname,
            "backup_name": manifest.backup_name,
            "time_stamp": manifest.timestamp,
            "level": manifest.level,
            "curr_backup_level": manifest.level,
            "parent_backup_id": self.parent_backup_id,
            "mode": medium if options.mode == "fs" else options.mode,
            "engine_name": options.engine_name if medium == "fs" else medium,
            "action": "backup",
            "path_to_backup": self.path,
            "compression": self.compression,
            "encrypted": False,
            "cli": self.cli,
            "version": VERSION,
            "backup_size_uncompressed": _mebibytes(self.source_bytes),
            "backup_size_compressed": None if self.stored_bytes is None else _mebibytes(self.stored_bytes),
            "source_bytes": self.source_bytes,
            "stored_bytes": self.stored_bytes,
            "outcome": self.outcome,
            "consistency": self.consistency,
            "held_seconds": self.held_seconds,
            "duration_seconds": self.duration_seconds,
            "time_started": int(self.time_started),
            "time_ended": int(self.time_ended),
            **own,
        }
        return {key: value for key, value in record.items() if value is not None}


def _mebibytes(size: int) -> int:
    return math.ceil(size / _MEBIBYTE)
