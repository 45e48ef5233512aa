# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What an action can do."""

from __future__ import annotations

ACTIONS = ("backup", "restore", "verify", "info", "admin", "exec")

#: What an ``exec`` runs.
EXEC_KEYS = frozenset({"command", "script", "arguments"})
