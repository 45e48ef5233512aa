# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What an action can do."""

from __future__ import annotations

ACTIONS = ("backup", "restore", "verify", "info", "list", "find", "history", "diff", "admin", "exec")
#: Those that look into backups of files.
READ_ACTIONS = ("list", "find", "history", "diff")

#: What the agent does besides, for a person at its host: no document asks for it.
OWN_ACTIONS = ("key", "mount")

#: What an ``exec`` runs.
EXEC_KEYS = frozenset({"command", "script", "arguments"})
