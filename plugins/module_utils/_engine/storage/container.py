# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a container is the one that it was: a NAS that is not mounted is an empty folder, and takes backups readily.

Each container has a marker with an id, which the first backup writes. The host remembers the ids of the containers that
it has written to, as ssh remembers hosts, and refuses one that is gone, has lost its marker or has another id, until it
is told that this is right (``init``).
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterable, Sequence

from .base import Storage
from .errors import ObjectMissing, OddObject, StorageError
from .state_file import StateFile, default_state_folder, in_json

MARKER_NAME = ".freezer-backup"
_FORMAT = "freezer-backup-container"
_MARKER_BYTES = 4096
#: Of the file of known containers, which is never written larger than it is read.
_KNOWN_BYTES = 4 << 20
#: Of one name of a container: the longest path of Linux and a word before it, in JSON's ASCII.
_NAME_BYTES = 32 << 10
_ID = re.compile(r"[0-9a-f]{32}")


class KnownContainers:
    """The ids of containers by the names that storages have for themselves, in a file of this user.

    The file has those that were written to last at its end, and forgets from its beginning when it would become too large.
    Raises StorageError where the file cannot be used.
    """

    def __init__(self, folder: str | None = None) -> None:
        self._file = StateFile(
            folder or default_state_folder(),
            "known_containers.json",
            _KNOWN_BYTES,
            "it is not known which containers were used",
        )

    def get(self, identity: str) -> str | None:
        """The id that a container had when it was written to the last time; None if it never was from here."""
        return self._read().get(identity)

    def any_of(self, identities: Iterable[str]) -> str | None:
        """The id that was kept for the first of these names of one container that is known."""
        known = self._read()
        return next((known[name] for name in identities if name in known), None)

    def identities(self) -> list[str]:
        """The names of all containers that were written to from here."""
        return sorted(self._read())

    def remember(self, identities: Sequence[str], container_id: str) -> None:
        """Keep the id of a container, by each of its names. It is on disk when this returns."""
        path = self._file.path
        for name in identities:
            if len(in_json({name: container_id})) > _NAME_BYTES:
                raise StorageError(f"{path} has no room for a container of such a long name.")
        try:
            with self._file.locked():
                known = self._read()
                new = dict.fromkeys(identities, container_id)
                if list(known.items())[-len(new) :] == list(new.items()):
                    return
                self._file.write(_fitting({**{name: found for name, found in known.items() if name not in new}, **new}))
        except OSError as problem:
            raise StorageError(f"{path} cannot be written: {problem.strerror or problem}.") from problem

    def _read(self) -> dict[str, str]:
        return {name: found for name, found in self._file.read().items() if isinstance(found, str)}


def _fitting(known: dict[str, str]) -> bytes:
    """The file with the newest of these that it has room for."""
    content = in_json(known)
    if len(content) > _KNOWN_BYTES:
        kept, room = [], _KNOWN_BYTES
        for name, found in reversed(list(known.items())):
            room -= len(in_json({name: found}))
            if room < 0:
                break
            kept.append((name, found))
        content = in_json(dict(reversed(kept)))
    return content


def check(storage: Storage, init: bool, known: KnownContainers) -> None:
    """Raise StorageError if a container that was written to from here is not there, or is another one. Writes nothing."""
    if init:
        return
    expected = known.any_of(storage.identities())
    if expected is None:
        return
    try:
        found = read_marker(storage)
    except OddObject as problem:
        raise _lost(storage, f"its marker cannot be read ({problem})") from problem
    if found is None:
        raise _lost(storage, "it is not there, or has lost its marker")
    if found != expected:
        raise _lost(storage, f"what is there now is another one (its id is {found}, and was {expected})")


def _lost(storage: Storage, what: str) -> StorageError:
    return StorageError(
        f"The {storage.describe()} was used from this host before, and {what}. Is the storage mounted? Nothing was written "
        "to it. If it is to be used as it is now, set init."
    )


def prepare(storage: Storage, init: bool, known: KnownContainers) -> bool:
    """Make sure that a container is there, is the known one, and is known from now on; whether it was made.

    A container of an earlier release gets its marker now. Raises StorageError, NotRemembered if all is well but for that
    the host could not keep it.
    """
    check(storage, init, known)
    marked = _marker_or_none(storage)
    made = False
    if marked is None:
        made = storage.make(parents=init)
        document = {
            "format": _FORMAT,
            "format_version": 1,
            "container_id": uuid.uuid4().hex,
            "created": int(time.time()),
        }
        storage.put_new(MARKER_NAME, json.dumps(document).encode("ascii") + b"\n")
        # Another host may have been quicker: what is there is the id.
        marked = read_marker(storage)
        if marked is None:
            raise StorageError(f"The marker of the {storage.describe()} is gone as soon as it was written.")
    try:
        known.remember(storage.identities(), marked)
    except StorageError as problem:
        raise NotRemembered(
            f"The {storage.describe()} was not remembered, so that it is not noticed when it is missing: {problem}",
            made,
        ) from problem
    return made


def _marker_or_none(storage: Storage) -> str | None:
    try:
        return read_marker(storage)
    except OddObject as problem:
        raise StorageError(f"{problem} Remove it, or choose another container.") from problem


class NotRemembered(StorageError):
    """A container can be used, and this host has not kept its id; ``made`` says whether it was made."""

    def __init__(self, message: str, made: bool) -> None:
        super().__init__(message)
        self.made = made


def read_marker(storage: Storage) -> str | None:
    """The id of a container, None if it is not there or has no marker. Raises OddObject or StorageError."""
    try:
        stored = storage.read(MARKER_NAME, _MARKER_BYTES)
    except ObjectMissing:
        return None
    where = f"{MARKER_NAME} of the {storage.describe()}"
    try:
        document = json.loads(stored)
        if document["format"] == _FORMAT and _ID.fullmatch(document["container_id"]):
            return str(document["container_id"])
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise OddObject(f"{where} is not the marker of a container.")
