# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What can go wrong where archives are stored."""

from __future__ import annotations

from ..errors import FreezerError, NoBackup


class StorageError(FreezerError):
    """A storage could not do what was asked."""


class NoContainer(StorageError, NoBackup):
    """There is no container, so no backup either."""


class ObjectMissing(StorageError):
    """The storage answered, and the object is not there."""


class OddObject(StorageError):
    """What has the name of an object is none: a folder, a link, a FIFO, a device; or it is larger than it may be."""


class SetBusy(StorageError):
    """Another run is writing the same backup set."""
