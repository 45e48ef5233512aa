# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The interface of authentication strategies."""

from __future__ import annotations

import abc
from collections.abc import Sequence

import falcon

from .context import Context


class AuthError(Exception):
    """A strategy cannot be used as it is configured; the message is a sentence for the operator."""


class Strategy(abc.ABC):
    """A way to authenticate the sender of a request."""

    @abc.abstractmethod
    def authenticate(self, request: falcon.Request) -> Context:
        """The sender of a request. Raises UnauthorizedError if it cannot be authenticated."""

    def warnings(self) -> Sequence[str]:
        """What is unsafe about the configuration of the strategy, as sentences for the operator."""
        return ()
