# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The removal of one thing in Cinder that is known by its address, and not from a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...http.errors import Conflict, NotFound, Rejected
from ..connection import Service
from ..errors import deletion_failed
from ..resources import Resource
from ..waiting import Clock


def look_up(service: Service, path: str, key: str, headers: Mapping[str, str] | None = None) -> Resource | None:
    """What is at an address, or None; `key` is what its document is called. Raises RestError."""
    try:
        found: dict[str, Any] = service.request("GET", path, headers=headers).document[key]
    except NotFound:
        return None
    return found


def remove_at(
    service: Service, path: str, key: str, what: str, clock: Clock, headers: Mapping[str, str] | None = None
) -> None:
    """Remove what is at an address, when nothing is done with it any more, and wait until it is gone. Raises FreezerError."""

    def gone() -> bool | None:
        found = look_up(service, path, key, headers)
        if found is None:
            return True
        if found["status"] == "error_deleting":
            raise deletion_failed(what)
        if found["status"] in ("available", "error"):
            try:
                service.request("DELETE", path, headers=headers)
            except (Conflict, NotFound, Rejected):
                pass  # something is still made of it: the next look tells
        return None

    clock.wait(gone, f"The removal of {what}")
