# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a document."""

from __future__ import annotations

from collections.abc import Sequence


class DocumentError(ValueError):
    """A document is not what Freezer expects; the message says which key, what stands there and what may stand there."""


class MissingKeys(DocumentError):
    """A document lacks ``keys`` that a new one needs."""

    def __init__(self, message: str, keys: Sequence[str]) -> None:
        super().__init__(message)
        self.keys = tuple(keys)
