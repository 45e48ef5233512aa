# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""Errors of requests to a Freezer API, besides those of all servers that speak REST (`http.errors`)."""

from __future__ import annotations

from ..http.errors import RestError

#: The name of the server in messages.
FREEZER = "The Freezer API"


class Ambiguous(RestError):
    """A description matches several documents."""


class Incomplete(RestError):
    """Some of several requested changes failed; ``values`` say which."""


class Unidentified(RestError):
    """A description has neither an id nor other identifying keys."""
