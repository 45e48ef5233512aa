# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The storages, the cloud, the name and the resource of an action on a server or a volume."""

from __future__ import annotations

import functools
import hashlib
from typing import Callable

from ...action.options import OptionError, Options
from ...openstack.listing import Servers, Volumes
from ...storage.choose import cloud_for
from ...storage.swift import SwiftStorage
from .source import Workplace


def storages_of(options: Options) -> list[SwiftStorage]:
    """The storages of an action. Raises OptionError for one that is not in Swift."""
    for kind, container in options.locations():
        if kind != "swift":
            raise OptionError(
                f"Images of servers and volumes cannot be stored in the {kind} storage {container}; back them up with "
                "storage swift, or with cindernative_vol_id for Cinder's own backups."
            )
    return swift_storages(options)


def swift_storages(options: Options) -> list[SwiftStorage]:
    """The storages of an action that are in Swift."""
    return [
        SwiftStorage(container, functools.partial(cloud_for, options.access(kind, container)))
        for kind, container in options.locations()
        if kind == "swift"
    ]


def workplace(options: Options) -> Workplace:
    """The cloud of the server or volume. Raises RestError."""
    places = options.locations() if options.backup_media != "cindernative" else []
    where = ":".join(f"{kind}/{container}" for kind, container in places)
    # Two backups of one server into different containers may be made at the same time.
    temporary = f"freezer-temp-{hashlib.sha256(where.encode()).hexdigest()[:8]}"
    cloud = cloud_for(options.own_access())
    return Workplace(cloud, options, temporary, Volumes(cloud), Servers(cloud))


def backup_name(options: Options, resource_id: str) -> str:
    """The given name of a backup, else upstream's default."""
    return options.backup_name or f"freezer_{options.backup_media}_{resource_id}"


def resource_id(options: Options, work: Callable[[], Workplace]) -> str:
    """The id of the server or volume. With an id it need not exist any more; raises FreezerError if a name is not found."""
    known = options.nova_inst_id or options.cinder_vol_id or options.cindernative_vol_id
    if known:
        return known
    if options.nova_inst_name:
        return str(work().servers.one(None, options.nova_inst_name, "server")["id"])
    return str(work().volumes.one(None, options.cinder_vol_name, "volume")["id"])
