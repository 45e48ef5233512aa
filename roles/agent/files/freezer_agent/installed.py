# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The command as pip installs it."""

from __future__ import annotations

from ansible_collections.freezer.backup.plugins.module_utils._engine.system import installed


def main() -> int:
    """Start freezer-agent; see the module ``main`` for what its exit status means."""
    return installed.start("freezer-agent", "agent", f"{__package__}.main")
