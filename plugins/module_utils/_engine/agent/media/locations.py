# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""From the keys of an action to the places that have, or will have, images of a server or a volume."""

from __future__ import annotations

import hashlib

from ...action.options import OptionError, Options
from ...storage.choose import cloud_for, storage_for
from ...storage.swift import SwiftStorage
from .image_set import ImageSet
from .source import Workplace


def storages_of(options: Options) -> list[SwiftStorage]:
    """Raises OptionError for a storage that has no place for images."""
    found = []
    for kind, container in options.places():
        storage = storage_for(kind, container, options.access(kind, container))
        if not isinstance(storage, SwiftStorage):
            raise OptionError(
                f"Images of servers and volumes are kept in Swift, and not in {storage.describe()}; use storage: swift, or "
                "cindernative_vol_id for Cinder's own backups."
            )
        found.append(storage)
    return found


def workplace(options: Options) -> Workplace:
    """The cloud that the server or the volume is in. Raises RestError."""
    places = options.places() if options.backup_media != "cindernative" else []
    where = ":".join(f"{kind}/{container}" for kind, container in places)
    # Two backups of one server into different containers may be made at the same time.
    temporary = f"freezer-temp-{hashlib.sha256(where.encode()).hexdigest()[:8]}"
    return Workplace(cloud_for(options.own_access()), options, temporary)


def backup_name(options: Options, resource_id: str) -> str:
    """The name of the backups: the given one, else upstream's."""
    return options.backup_name or f"freezer_{options.backup_media}_{resource_id}"


def resource_id(options: Options) -> str:
    """The id of what is meant; it may not be in the cloud any more. Raises FreezerError if only a name is known."""
    known = options.nova_inst_id or options.cinder_vol_id or options.cindernative_vol_id
    if known:
        return known
    work = workplace(options)
    if options.nova_inst_name:
        return str(work.servers.one(None, options.nova_inst_name, "server")["id"])
    return str(work.volumes.one(None, options.cinder_vol_name, "volume")["id"])


def image_sets_of(options: Options, name: str | None) -> list[ImageSet]:
    """One for each storage. Raises FreezerError."""
    wanted = resource_id(options)
    return [ImageSet(storage, wanted, name) for storage in storages_of(options)]
