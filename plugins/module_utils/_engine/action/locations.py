# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Which storage and which container an action means where it does not name them.

Freezer's agents take Swift and a container of theirs then. A folder of the host is never chosen: it has to be named.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..errors import OptionError
from ..openstack.identity.environment import AUTH_URL_VARIABLE, CLOUD_VARIABLE, CLOUDS_FILE_VARIABLE, with_environment
from .spec import DEFAULT_CONTAINER

NO_CONTAINER = "container is missing: for the storage local it is the path of a folder, for swift a container's name."


class Location(NamedTuple):
    """A storage and a container, and what of it was chosen and why, as sentences."""

    kind: str
    container: str
    chosen: tuple[str, ...] = ()


def locate(kind: Any, container: Any, access: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Location:
    """Where an action wants its backups. ``access`` has its ``cloud`` or ``osrc``, if any.

    Raises OptionError with what to give.
    """
    chosen = []
    if not kind:
        kind, why = _default_kind(container, access, os.environ if environ is None else environ)
        chosen.append(f"storage is not given: {kind} was chosen, because {why}.")
    if not container:
        if kind != "swift":
            raise OptionError(NO_CONTAINER)
        container = DEFAULT_CONTAINER
        chosen.append(f"container is not given: {container} was chosen, the default of Freezer's agents for Swift.")
    return Location(str(kind), str(container), tuple(chosen))


def _default_kind(container: Any, access: Mapping[str, Any], environ: Mapping[str, str]) -> tuple[str, str]:
    """Swift, and what says who asks it. Raises OptionError where nothing does, or the container is a path."""
    if "/" in str(container or ""):
        raise OptionError(
            f"storage is missing: {container} is the path of a folder, for which it is local; a container of Swift has no "
            "slash in its name."
        )
    why = _credentials(access, environ)
    if not why:
        raise OptionError(
            "storage is missing: for a folder of this host it is local, with the path as container. It is swift by itself "
            f"where credentials of OpenStack are there: {CLOUD_VARIABLE}, or {AUTH_URL_VARIABLE} and what belongs to it, in "
            "the environment, a cloud of clouds.yaml (cloud), or an openrc file (osrc)."
        )
    return "swift", why


def _credentials(access: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    """What says who asks a cloud, in words; empty if nothing does."""
    for key in ("osrc", "cloud"):
        if access.get(key):
            return f"{key} says who asks a cloud"
    known = with_environment({}, environ)
    if known.get("auth") is not None:
        return f"{AUTH_URL_VARIABLE} says who asks a cloud"
    if known.get("cloud") is not None:
        variable = CLOUD_VARIABLE if environ.get(CLOUD_VARIABLE) else CLOUDS_FILE_VARIABLE
        return f"{variable} says who asks a cloud"
    return ""
