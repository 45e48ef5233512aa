# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The contents of a backup set, as the verbs and retention see them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar


class _Parent(Protocol):
    @property
    def folder(self) -> str: ...


class KeptManifest(Protocol):
    @property
    def backup_id(self) -> str: ...

    @property
    def timestamp(self) -> int:
        """The order of the backups of a set."""

    @property
    def began(self) -> int:
        """The start of the backup, in seconds since 1970."""

    @property
    def level(self) -> int: ...
    @property
    def folder(self) -> str: ...
    @property
    def parent(self) -> _Parent | None: ...


class Kept(Protocol):
    """A backup of files, of a server or of a volume."""

    @property
    def manifest(self) -> KeptManifest:
        """Its time, its name and its parent."""


Backup = TypeVar("Backup", bound=Kept)


@dataclass
class Survey(Generic[Backup]):
    """The contents of a set: whole backups, folders without a manifest (failed or being written), and damaged ones."""

    backups: list[Backup] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    #: The folders of damaged backups, if backups of this medium continue each other.
    damaged_folders: list[str] = field(default_factory=list)

    def add_rest_of(self, other: Survey[Backup]) -> None:
        """Add incomplete and damaged backups of another survey."""
        self.incomplete += other.incomplete
        self.damaged += other.damaged
        self.damaged_folders += other.damaged_folders
