# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""Errors of requests to a Freezer API. Every message is a sentence for the user."""

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

#: The name of the server in messages.
FREEZER = "The Freezer API"


class Ambiguous(RegistryError):
    """A description matches several documents."""


class Incomplete(RegistryError):
    """Some of several requested changes failed; ``values`` say which."""


class Unidentified(RegistryError):
    """A description has neither an id nor other identifying keys."""
