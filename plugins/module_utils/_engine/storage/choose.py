# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""From the keys of an action to a storage."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .base import Storage
from .errors import StorageError
from .local import LocalStorage

if TYPE_CHECKING:
    from ..openstack.connection import Cloud

KINDS = ("local", "swift")


def storage_for(kind: str, container: str, access: Mapping[str, Any] | None = None) -> Storage:
    """The storage that `kind` and `container` name.

    `access` says who asks a cloud: ``cloud``, a name in a ``clouds.yaml``, or ``osrc``, the path of an openrc file;
    without both the environment does. ``insecure``, ``proxy`` and ``timeout`` say how it is asked. Raises StorageError for a kind that there is not.
    """
    if kind == "local":
        return LocalStorage(container, makes_container=False)
    if kind == "swift":
        from .swift import SwiftStorage  # what a cloud needs takes a tenth of a second to import

        return SwiftStorage(container, lambda: cloud_for(access or {}))
    raise StorageError(f"There is no storage of the kind {kind!r}; use 'local' or 'swift'.")


def cloud_for(access: Mapping[str, Any]) -> Cloud:
    """The cloud that `access` names, as for storage_for. Raises RestError."""
    from ..openstack.connection import connect_cloud
    from ..openstack.identity.openrc import read_openrc

    how: dict[str, Any] = {"proxy": access.get("proxy"), "timeout_seconds": access.get("timeout")}
    if access.get("insecure"):
        how["validate_certs"] = False
    if access.get("osrc"):
        return connect_cloud(how, read_openrc(access["osrc"]), "osrc")
    return connect_cloud({"cloud": access.get("cloud"), **how}, os.environ, "osrc")
