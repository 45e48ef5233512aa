# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What the agent of OpenStack's Freezer left in a folder: sets, chains and backups of its engine tar. Nothing is written.

The layout is that of its releases 3 to 19, below the container, where ``<first>`` is the time of level 0::

    data/tar/<host>_<name>/<first>/<level>_<time>/data              the stream
    data/tar/<host>_<name>/<first>/<level>_<time>/engine_metadata   what its tar needs for the next level
    metadata/tar/<host>_<name>/<first>/<level>_<time>/metadata      JSON, written last

It records neither sizes nor hashes, and no level says which one it continues.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Callable

from ..errors import FreezerError
from ..storage.base import Storage
from ..storage.errors import ObjectMissing, OddObject, StorageError
from ..system.file_names import shown
from . import shape
from .backup_set import set_folder
from .errors import DamagedArchive
from .manifest import MOST_LEVEL
from .shape import LATEST_SECONDS
from .stored_set import StoredSet
from .survey import Survey

FORMAT = "freezer"
DATA, METADATA = "data/tar", "metadata/tar"
COMPRESSIONS = ("gzip", "bzip2", "xz")
_TIME = re.compile(r"0|[1-9][0-9]{0,14}")
_LEVEL = re.compile(rf"(0|[1-9][0-9]{{0,8}})_({_TIME.pattern})")
_MOST_METADATA_BYTES = 64 << 10
#: The most names of one folder that are told one by one where they are not names of backups.
_TOLD_AT_MOST = 5
#: Upstream's backups have no ids; these follow from their names, so they are the same in every copy of a container.
_IDS = uuid.UUID("4b1c6a5e-7f43-5d0e-9c63-0d6f1f2a7b10")
_FIELDS: dict[str, shape.Check] = {
    "engine_name": shape.one_of("tar"),
    "compression": shape.optional(shape.one_of(*COMPRESSIONS)),
    "encryption": shape.optional(shape.switch),
}


@dataclass(frozen=True)
class UpstreamManifest:
    """What names and metadata say of one backup. Times are seconds since 1970 by the clock of its host, sizes are bytes."""

    hostname: str
    backup_name: str
    #: When the level 0 that it builds on began.
    first: int
    level: int
    timestamp: int
    #: None where the metadata, as those of early releases, do not say.
    compression: str | None
    encrypted: bool | None
    stored_bytes: int

    parent = None
    outcome = "success"

    @property
    def backup_id(self) -> str:
        """32 hexadecimal digits."""
        name = f"{self.hostname}_{self.backup_name}/{self.folder}"
        return uuid.uuid5(_IDS, os.fsencode(name).hex()).hex

    @property
    def began(self) -> int:
        """The start of the backup."""
        return self.timestamp

    @property
    def folder(self) -> str:
        """Its folder below the one of its set."""
        return f"{self.first}/{self.level}_{self.timestamp}"


@dataclass(frozen=True)
class UpstreamBackup:
    """A backup, and the folder with its stream below the container."""

    manifest: UpstreamManifest
    folder: str

    @property
    def data(self) -> str:
        """The name of the object with its stream."""
        return f"{self.folder}/data"


class UpstreamSet(StoredSet[UpstreamBackup]):
    """The backups of one host and one name. It is read only: neither retention nor new backups know it."""

    def __init__(self, storage: Storage, hostname: str, backup_name: str) -> None:
        """Raises OptionError if a name cannot be part of a path."""
        self.storage = storage
        self.hostname = hostname
        self.backup_name = backup_name
        self._name = set_folder(hostname, backup_name)
        self.folder = f"{DATA}/{self._name}"

    def describe(self) -> str:
        return f"{self.backup_name!r} of host {self.hostname!r} by upstream's agent"

    def names(self) -> list[str]:
        """``<time>_<level>_<first>`` of each backup, newest first, with or without its stream. Raises StorageError."""
        found = [parts for parts, _path in self._folders(METADATA)]
        return [f"{time}_{level}_{first}" for time, level, first in sorted(found, reverse=True)]

    def load(self, name: str) -> UpstreamBackup:
        """The backup with one of the `names`. Raises ObjectMissing, StorageError or DamagedArchive."""
        time, level, first = (int(part) for part in name.split("_"))
        folder = f"{first}/{level}_{time}"
        path = f"{METADATA}/{self._name}/{folder}/metadata"
        where = f"{path} of {self.storage.describe()}"
        try:
            about = _metadata(self.storage.read(path, _MOST_METADATA_BYTES), where)
        except OddObject as problem:
            raise DamagedArchive(str(problem)) from problem
        data = f"{self.folder}/{folder}/data"
        try:
            with self.storage.open(data) as stream:
                stored_bytes = stream.seek(0, os.SEEK_END)
        except ObjectMissing:
            raise DamagedArchive(f"{data} of {self.storage.describe()} is missing, and {path} is there.") from None
        except OddObject as problem:
            raise DamagedArchive(str(problem)) from problem
        manifest = UpstreamManifest(
            self.hostname,
            self.backup_name,
            first,
            level,
            time,
            about.get("compression"),
            about.get("encryption"),
            stored_bytes,
        )
        return UpstreamBackup(manifest, f"{self.folder}/{folder}")

    def chain(self, backup: UpstreamBackup) -> list[UpstreamBackup]:
        """The backups that a restore replays, from level 0 to the given one. Raises DamagedArchive if one is missing.

        Upstream's agent takes any earlier level for the one that it continues, if there are several (``always_level``),
        and does not say which. The newest one before is right in any case: it has what changed since the others.
        """
        links = [backup]
        while links[0].manifest.level:
            one = links[0].manifest
            below = [
                time
                for (time, level, first), _path in self._folders(METADATA)
                if first == one.first and level == one.level - 1
            ]
            # Times are local ones, and can go back by an hour in autumn.
            earlier = [time for time in below if time <= one.timestamp] or (below if len(below) == 1 else [])
            where = f"{links[0].folder} of {self.storage.describe()}"
            if not earlier:
                raise DamagedArchive(f"{where} continues a level {one.level - 1} that is not there.")
            try:
                links.insert(0, self.load(f"{max(earlier)}_{one.level - 1}_{one.first}"))
            except ObjectMissing as problem:
                raise DamagedArchive(
                    f"{where} continues a level {one.level - 1} that is not whole: {problem}"
                ) from None
        if links[0].manifest.timestamp != links[0].manifest.first:
            raise DamagedArchive(f"{links[0].folder} is of level 0, and its folder is named after another one.")
        return links

    def survey(self, strict: bool = False) -> Survey[UpstreamBackup]:
        """Everything that is there, newest first: also streams without metadata, and what is named in other ways."""
        del strict
        found: Survey[UpstreamBackup] = Survey()
        whole = set()
        for name in self.names():
            try:
                backup = self.load(name)
            except ObjectMissing:
                continue  # an empty folder: it is incomplete if there is a stream
            except (DamagedArchive, StorageError) as problem:
                found.damaged.append(str(problem))
                whole.add(name)
            else:
                found.backups.append(backup)
                whole.add(name)
        for (time, level, first), path in self._folders(DATA):
            if f"{time}_{level}_{first}" not in whole:
                found.incomplete.append(path)
        odd = [f"{METADATA}/{self._name}/{name}" for name in self._odd()]
        for path in odd[:_TOLD_AT_MOST]:
            found.damaged.append(f"{shown(path)} of {self.storage.describe()} is no folder of upstream's agent.")
        if len(odd) > _TOLD_AT_MOST:
            found.damaged.append(f"Nor are {len(odd) - _TOLD_AT_MOST} more in {METADATA}/{self._name}.")
        return found

    def _folders(self, top: str) -> Iterator[tuple[tuple[int, int, int], str]]:
        """Time, level, time of level 0 and path of each folder that is named as one of a backup."""
        for first in self.storage.children(f"{top}/{self._name}"):
            if not _is_time(first):
                continue
            for name in self.storage.children(f"{top}/{self._name}/{first}"):
                match = _LEVEL.fullmatch(name)
                if match and _is_time(match.group(2)) and int(match.group(1)) <= MOST_LEVEL:
                    yield (int(match.group(2)), int(match.group(1)), int(first)), f"{top}/{self._name}/{first}/{name}"

    def _odd(self) -> list[str]:
        """The names in the folder of the set that are not times: those of a backup_name with a slash, for example."""
        return [name for name in self.storage.children(f"{METADATA}/{self._name}") if not _is_time(name)]


def _is_time(name: str) -> bool:
    return _TIME.fullmatch(name) is not None and int(name) <= LATEST_SECONDS


def _metadata(stored: bytes, where: str) -> dict[str, Any]:
    try:
        document = shape.loads(stored)
        # Early releases wrote fewer fields.
        shape.record(
            {"engine_name": _FIELDS["engine_name"], **{key: _FIELDS[key] for key in _FIELDS if key in document}}
        )(document)
    except (ValueError, RecursionError) as problem:
        raise DamagedArchive(
            f"{where} is not the metadata of a backup by upstream's tar ({shape.said(problem)})."
        ) from problem
    return document


def may_hold(storage: Storage) -> bool:
    """Whether a storage is one in which the backups of upstream's agent are read: a folder."""
    return storage.kind == "local"


@dataclass
class UpstreamContents:
    """The sets in a container, each with its survey, and sentences about what is there and cannot be read."""

    sets: list[tuple[UpstreamSet, Survey[UpstreamBackup]]] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def contents(storage: Storage, owner_of: Callable[[str], tuple[str, str] | None]) -> UpstreamContents:
    """All that upstream's agent left in a container. Raises StorageError if the container itself cannot be read.

    `owner_of` splits the name of a set's folder into host and name, since it can be split in several ways; None for one
    that is not wanted.
    """
    found = UpstreamContents()
    if not may_hold(storage):
        return found
    for engine in storage.children("metadata"):
        if engine != "tar":
            path = f"{shown(engine)} in {storage.describe()}"
            found.unread.append(f"metadata/{path} is of another engine of upstream's agent than tar, and is not read.")
    for name in storage.children(METADATA):
        owner = owner_of(name)
        if owner is None:
            continue
        try:
            one = UpstreamSet(storage, *owner)
            found.sets.append((one, one.survey()))
        except FreezerError as problem:
            found.unread.append(str(problem))
    return found
