# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Actions: stored as they are sent."""

from __future__ import annotations

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.action import KIND

from .base import Rules


class ActionRules(Rules):
    """The life of actions."""

    def __init__(self) -> None:
        super().__init__(KIND)
