# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What a host remembers of the sets that it writes: the public half of the key pair, and the manifests it has written.

A container can be changed by others, and this cannot: so nothing is sealed for a key that only the container names, and a level
that was rolled back or replaced is noticed. The keys of single objects (snapshot file, catalogue, maps and details of the levels of
one chain) make it possible to continue a chain without the secret half; they open nothing else.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ...repository import shape
from ...storage.errors import StorageError
from ...storage.state_file import StateFile, default_state_folder, in_json

#: The folder below the state folder.
FOLDER = "sets"
_MOST_BYTES = 8 << 20
#: Of the levels of a chain so many at most are remembered with the keys of their objects.
_MOST_LEVELS = 10_000


@dataclass(frozen=True)
class KnownLevel:
    """A backup that this host has written: its folder below the set, its manifest, and keys of objects, in hexadecimal digits."""

    folder: str
    manifest_sha256: str
    file_keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class KnownSet:
    """The set as it was when it was written to the last time."""

    #: The public half of the key pair; None for a set that is not sealed for one.
    recipient: str | None = None
    #: The SHA-256 of each sealed form of the secret half, by the name of its object.
    forms: Mapping[str, str] = field(default_factory=dict)
    #: What the secret half is sealed for, as public keys; None if that is not known.
    recipients: Sequence[str] | None = None
    #: What tells the file with the passphrase that opens it from a changed one.
    pass_file: Sequence[int] | None = None
    #: Of the newest chain, the lowest level first.
    levels: Sequence[KnownLevel] = ()
    #: Who may sign, as the secret half names them; None if that is not known.
    signers: Sequence[str] | None = None

    @property
    def manifests(self) -> frozenset[str]:
        """The SHA-256 of the remembered manifests."""
        return frozenset(level.manifest_sha256 for level in self.levels)

    @property
    def file_keys(self) -> dict[str, bytes]:
        """The keys of all objects that are known, by what tells their headers apart."""
        return {share: bytes.fromhex(key) for level in self.levels for share, key in level.file_keys.items()}

    def with_level(self, level: KnownLevel, is_full: bool) -> KnownSet:
        """The same set after a backup."""
        before = [] if is_full else [one for one in self.levels if one.folder != level.folder]
        return replace(self, levels=[*before[-_MOST_LEVELS:], level])


#: What stat(2) gives: an inode has 64 bits, and a time may be before 1970.
_STAT = (-(1 << 63), (1 << 64) - 1)
_SHAPE = shape.record(
    {
        "container_id": shape.text(64),
        "set": shape.text(512),
        "recipient": shape.optional(shape.text(128, r"age1[a-z0-9]+")),
        "forms": shape.mapping_of(shape.SHA256),
        "recipients": shape.optional(shape.list_of(shape.text(16_384))),
        "pass_file": shape.optional(shape.list_of(shape.whole(*_STAT))),
        "signers": shape.optional(shape.list_of(shape.text(17_000))),
        "levels": shape.list_of(
            shape.record(
                {
                    "folder": shape.text(32, r"[0-9]{1,12}_[0-9]{1,6}"),
                    "manifest_sha256": shape.SHA256,
                    "file_keys": shape.mapping_of(shape.UUID, shape.text(43, r"[A-Za-z0-9+/]{43}")),
                }
            )
        ),
    }
)


class KnownSets:
    """A file for each set below the state folder. Raises StorageError where one cannot be used."""

    def __init__(self, folder: str | None = None) -> None:
        self._folder = os.path.join(folder or default_state_folder(), FOLDER)

    def get(self, container_id: str, set_folder: str) -> KnownSet | None:
        """What is remembered of a set; None if nothing is."""
        file = self._file(container_id, set_folder)
        document = file.read()
        if not document:
            return None
        document.setdefault("signers", None)  # what was written before there were any
        try:
            _SHAPE(document)
            if (document.pop("container_id"), document.pop("set")) != (container_id, set_folder):
                raise shape.Misshapen("is of another set")
        except ValueError as problem:
            raise StorageError(
                f"{file.path} is not what was written ({shape.said(problem)}), so the key of {set_folder} is not known; remove it."
            ) from None
        levels = [KnownLevel(**level) for level in document.pop("levels")]
        return KnownSet(levels=levels, **document)

    def put(self, container_id: str, set_folder: str, known: KnownSet) -> None:
        """Remember a set. It is on disk when this returns."""
        file = self._file(container_id, set_folder)
        document: dict[str, Any] = {"container_id": container_id, "set": set_folder, **asdict(known)}
        content = in_json(document)
        if len(content) > _MOST_BYTES:
            document["levels"] = document["levels"][-1:]
            content = in_json(document)
        try:
            with file.locked():
                file.write(content)
        except OSError as problem:
            raise StorageError(f"{file.path} cannot be written: {problem.strerror or problem}.") from problem

    def _file(self, container_id: str, set_folder: str) -> StateFile:
        code = hashlib.sha256(f"{container_id}/{set_folder}".encode("utf-8", "surrogateescape")).hexdigest()[:32]
        return StateFile(self._folder, f"{code}.json", _MOST_BYTES, f"the key of {set_folder} is not known")
