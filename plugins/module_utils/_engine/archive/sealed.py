# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What streams see of sealing: objects go through it when they are written, and parts of them when they are read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Callable, Protocol

from ..repository.public_manifest import SealedWith
from ..repository.verified import VerifiedObject
from ..storage.base import Buffer


class Seal(Protocol):
    """One object while it is sealed."""

    def write(self, plain: Buffer, /) -> None:
        """Add plain bytes."""

    def finish(self) -> None:
        """Write what is left, and the end."""


class Opened(ABC):
    """Parts of one object, opened. Not for several threads at once."""

    #: Bytes before it was sealed.
    size: int

    @abstractmethod
    def read(self, begin: int, end: int) -> Buffer:
        """The plain bytes from `begin` up to `end`. Raises DamagedArchive or StorageError."""


class Sealing(ABC):
    """How the objects of one backup are sealed."""

    #: The end of the names of sealed objects.
    suffix: str

    @abstractmethod
    def seal(self, write: Callable[[Buffer], object], name: str) -> Seal:
        """Begin a new object, whose sealed bytes go to `write`; `name` is the one that it is stored under."""

    @abstractmethod
    def open(self, stored: VerifiedObject) -> Opened:
        """An object, for parts of it. Raises DamagedArchive, StorageError, or ArchiveError without the right key."""

    @abstractmethod
    def describe(self) -> SealedWith | None:
        """The field ``sealing`` of a manifest."""


class _Through:
    def __init__(self, write: Callable[[Buffer], object]) -> None:
        self._write = write

    def write(self, plain: Buffer) -> None:
        self._write(plain)

    def finish(self) -> None:
        pass


class _AsStored(Opened):
    def __init__(self, stored: VerifiedObject) -> None:
        self._stored = stored
        self.size = stored.size

    def read(self, begin: int, end: int) -> bytes:
        return self._stored.read(begin, end)


class Unsealed(Sealing):
    """Objects are stored as they are."""

    suffix = ""

    def seal(self, write: Callable[[Buffer], object], name: str) -> Seal:
        del name
        return _Through(write)

    def open(self, stored: VerifiedObject) -> Opened:
        return _AsStored(stored)

    def describe(self) -> SealedWith | None:
        return None
