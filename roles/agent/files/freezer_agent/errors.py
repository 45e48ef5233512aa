# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What can go wrong before the engine is asked for anything."""

from __future__ import annotations

from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError


class UsageError(FreezerError):
    """The command line, the configuration or the document on standard input cannot be used as it is."""
