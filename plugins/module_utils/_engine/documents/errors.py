# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Errors of documents."""

from __future__ import annotations

from collections.abc import Sequence


class DocumentError(ValueError):
    """A document is not what Freezer expects; the message says which key, its value, and the allowed values."""


class MissingKeys(DocumentError):
    """A document lacks ``keys`` that a new one needs."""

    def __init__(self, message: str, keys: Sequence[str]) -> None:
        super().__init__(message)
        self.keys = tuple(keys)
