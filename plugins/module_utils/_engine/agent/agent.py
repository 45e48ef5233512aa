# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The verbs, for callers that need all of them: backup, restore, verify, prune, info, key, and those that look into backups.

Modules, freezer-agent and the scheduler call these functions with a freezer_action and get a dictionary back that can
be printed as JSON. Everything that can go wrong is a FreezerError.
"""

from __future__ import annotations

from .backup import backup
from .contents import read_contents
from .key import key
from .list import info
from .prune import prune
from .restore import restore
from .verify import verify

__all__ = ["backup", "info", "key", "prune", "read_contents", "restore", "verify"]
