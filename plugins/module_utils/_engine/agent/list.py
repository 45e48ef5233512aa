# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The verb info: a list of backups, or of containers if the action names neither."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..action.options import parse_options
from . import container_list
from .conduct import readable_errors
from .media.by_name import media_listed, medium_of


@readable_errors("list of backups")
def info(action: Mapping[str, Any]) -> dict[str, Any]:
    """The backups of one name (without a name, of every name) in the storages of an action, newest first.

    If the action names neither backups nor a container, the containers.
    """
    options = parse_options(action)
    if medium_of(options).lists_containers():
        return {"changed": False, **container_list.listed(options)}
    found: dict[str, list[Any]] = {"backups": [], "incomplete": [], "damaged": []}
    for medium in media_listed(options):
        for key, entries in medium.list().items():
            found[key] += entries
    found["backups"].sort(key=lambda one: one["timestamp"], reverse=True)
    chosen = options.chosen()
    more = {"chosen": chosen} if chosen else {}
    return {"changed": False, **found, **more}
