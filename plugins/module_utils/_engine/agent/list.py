# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The verb info: a list of backups, or of containers if the action names neither."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..action.options import Options, parse_options
from ..storage.choose import cloud_for
from ..storage.container import MARKER_NAME, KnownContainers, read_marker
from ..storage.errors import StorageError
from ..storage.local import LocalStorage
from ..storage.swift import SwiftStorage
from ..storage.swift_requests import SwiftRequests
from .conduct import readable_errors
from .media.by_name import media_listed, medium_of

#: The number of containers whose markers are read at the same time.
_AT_ONCE = 8
_SEGMENTS = "_segments"


@readable_errors("list of backups")
def info(action: Mapping[str, Any]) -> dict[str, Any]:
    """The backups of one name (without a name, of every name) in the storages of an action, newest first.

    If the action names neither backups nor a container, the containers.
    """
    options = parse_options(action)
    if medium_of(options).lists_containers():
        return {"changed": False, **_containers(options)}
    found: dict[str, list[Any]] = {"backups": [], "incomplete": [], "damaged": []}
    for medium in media_listed(options):
        for key, entries in medium.list().items():
            found[key] += entries
    found["backups"].sort(key=lambda one: one["timestamp"], reverse=True)
    chosen = options.chosen()
    more = {"chosen": chosen} if chosen else {}
    return {"changed": False, **found, **more}


def _containers(options: Options) -> dict[str, Any]:
    """The containers of each storage of an action, with ``chosen`` as sentences. Raises FreezerError.

    In Swift these are all containers of the account, with the sizes that Swift has counted so far; the bytes of
    ``<container>_segments`` are added to those of its container. Folders are listed if this host has written to them.
    """
    containers: list[dict[str, Any]] = []
    chosen: list[str] = []
    for kind, access, why in options.storage_kinds():
        chosen += why
        containers += _of_this_host() if kind == "local" else _of_swift(access)
    more = {"chosen": chosen} if chosen else {}
    return {"containers": sorted(containers, key=lambda one: str(one["container"])), **more}


def _of_this_host() -> Iterator[dict[str, Any]]:
    for path in LocalStorage.paths_of(KnownContainers().identities()):
        marked = os.path.isfile(os.path.join(path, MARKER_NAME))
        yield {"storage": "local", "container": path, "has_marker": marked}


def _of_swift(access: dict[str, Any]) -> list[dict[str, Any]]:
    cloud = cloud_for(access)
    sizes = {name: (objects, size) for name, objects, size in SwiftRequests(lambda: cloud, "").containers()}
    names = [name for name in sizes if not (name.endswith(_SEGMENTS) and name[: -len(_SEGMENTS)] in sizes)]

    def has_marker(name: str) -> bool:
        try:
            return read_marker(SwiftStorage(name, lambda: cloud)) is not None
        except StorageError:
            return False  # another program's container, or one that this user may not read

    with ThreadPoolExecutor(max_workers=_AT_ONCE) as looking:
        marked = list(looking.map(has_marker, names))
    found = []
    for name, is_marked in zip(names, marked):
        objects, size = sizes[name]
        of_segments = sizes.get(f"{name}{_SEGMENTS}", (0, 0))[1]
        found.append(
            {
                "storage": "swift",
                "container": name,
                "objects": objects,
                "bytes": size + of_segments,
                "has_marker": is_marked,
            }
        )
    return found
