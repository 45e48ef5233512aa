# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""From the keys of an action to a storage."""

from __future__ import annotations

from .base import Storage
from .errors import StorageError
from .local import LocalStorage


def storage_for(kind: str, container: str) -> Storage:
    """The storage that `kind` and `container` name. Raises StorageError for a kind that there is not."""
    if kind == "local":
        return LocalStorage(container)
    raise StorageError(f"There is no storage of the kind {kind!r}; use 'local'.")
