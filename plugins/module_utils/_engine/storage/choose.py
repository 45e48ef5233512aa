# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""From the keys of an action to a storage."""

from __future__ import annotations

import os
from collections.abc import Mapping

from ..cloud.connection import Cloud, connect_cloud
from ..cloud.openrc import read_openrc
from .base import Storage
from .errors import StorageError
from .local import LocalStorage
from .swift import SwiftStorage

KINDS = ("local", "swift")


def storage_for(kind: str, container: str, access: Mapping[str, str] | None = None) -> Storage:
    """The storage that `kind` and `container` name.

    `access` says who asks a cloud: ``cloud``, a name in a ``clouds.yaml``, or ``osrc``, the path of an openrc file;
    without both the environment does. Raises StorageError for a kind that there is not.
    """
    if kind == "local":
        return LocalStorage(container, makes_container=False)
    if kind == "swift":
        return SwiftStorage(container, lambda: cloud_for(access or {}))
    raise StorageError(f"There is no storage of the kind {kind!r}; use 'local' or 'swift'.")


def cloud_for(access: Mapping[str, str]) -> Cloud:
    """The cloud that `access` names, as for storage_for. Raises RestError."""
    if access.get("osrc"):
        return connect_cloud({}, read_openrc(access["osrc"]), "osrc")
    return connect_cloud({"cloud": access.get("cloud")}, os.environ, "osrc")
