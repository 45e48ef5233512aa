# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Errors of the indices of Elasticsearch. Every message is a sentence for the operator."""

from __future__ import annotations

from typing import Any

from ..errors import FreezerError


class SearchError(FreezerError):
    """An index cannot be brought to its desired state; ``values`` has the facts."""

    def __init__(self, message: str, values: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.values = values or {}


class NotOurs(SearchError):
    """The name is not that of one index, or of an alias of one."""


class CopyNeeded(SearchError):
    """The mapping needs a copy into a new index, which is not allowed."""


class WouldLose(SearchError):
    """Documents, or parts of them, would be lost, which is not allowed."""


class DocumentsDoNotFit(WouldLose):
    """Documents cannot be stored with the new mapping."""


class CopyInterrupted(SearchError):
    """A copy is unfinished; the same call resumes it, or undoes it."""
