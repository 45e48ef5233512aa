# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""What can go wrong between us and a Freezer API. Every message is a sentence for the person who runs the task."""

from __future__ import annotations

from ..http.errors import (
    BadAddress,
    Conflict,
    Forbidden,
    NotAllowed,
    NotFound,
    Rejected,
    ServerError,
    Unauthorized,
    Unreachable,
    Untrusted,
    error_from,
)
from ..http.errors import RestError as RegistryError
from ..http.errors import WrongService as NotFreezer
from ..openstack.errors import MissingLibrary

__all__ = [
    "FREEZER",
    "Ambiguous",
    "BadAddress",
    "Conflict",
    "Forbidden",
    "Incomplete",
    "MissingLibrary",
    "NotAllowed",
    "NotFound",
    "NotFreezer",
    "RegistryError",
    "Rejected",
    "ServerError",
    "Unauthorized",
    "Unidentified",
    "Unreachable",
    "Untrusted",
    "error_from",
]

#: What sentences call the server.
FREEZER = "The Freezer API"


class Ambiguous(RegistryError):
    """What was described fits several documents."""


class Incomplete(RegistryError):
    """Of several things that were asked for, not all could be done; ``values`` say which."""


class Unidentified(RegistryError):
    """What was described has neither an id nor anything else that tells it from others."""
