# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What an authentication strategy offers."""

from __future__ import annotations

import abc
from collections.abc import Sequence

import falcon

from .context import Context


class AuthError(Exception):
    """A strategy cannot be used as it is configured; the message is a sentence for the operator."""


class Strategy(abc.ABC):
    """A way to find out who sent a request."""

    @abc.abstractmethod
    def authenticate(self, request: falcon.Request) -> Context:
        """The sender of a request. Raises UnauthorizedError if it is nobody that the strategy knows."""

    def warnings(self) -> Sequence[str]:
        """What is unsafe about how the strategy is set up, each as a sentence for the operator."""
        return ()
