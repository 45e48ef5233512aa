# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Actions: stored as sent, if an agent could run them."""

from __future__ import annotations

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.action import KIND

from ...store.base import Document
from .base import Rules
from .looking import look_at_action


class ActionRules(Rules):
    """The rules of actions."""

    def __init__(self) -> None:
        super().__init__(KIND)

    def remarks(self, old: Document | None, new: Document) -> list[str]:
        if old is not None and old.get("freezer_action") == new["freezer_action"]:
            return []
        return look_at_action(new["freezer_action"], "freezer_action")
