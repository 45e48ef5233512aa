# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with the indices of Elasticsearch. Every message is a sentence for the operator."""

from __future__ import annotations

from typing import Any

from ..errors import FreezerError


class SearchError(FreezerError):
    """Indices are not as they should be, and cannot be made so; ``values`` is what was found out."""

    def __init__(self, message: str, values: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.values = values or {}


class NotOurs(SearchError):
    """What has the name is something else than one index, or an alias of one."""


class CopyNeeded(SearchError):
    """The mapping can only be had with a copy into a new index, and nobody has allowed one."""


class WouldLose(SearchError):
    """Documents, or parts of them, would be lost, and nobody has agreed to that."""


class DocumentsDoNotFit(WouldLose):
    """Documents cannot be stored with the new mapping."""


class CopyInterrupted(SearchError):
    """A copy has not come to its end; the same call takes it up again, or takes it back."""
