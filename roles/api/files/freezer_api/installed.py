# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The commands as pip installs them."""

from __future__ import annotations

from ansible_collections.freezer.backup.plugins.module_utils._engine.system import installed


def main() -> int:
    """Start freezer-api; see the module ``main`` for what its exit status means."""
    return installed.start("freezer-api", "api", f"{__package__}.main")


def manage() -> int:
    """Start freezer-manage."""
    return installed.start("freezer-manage", "api", f"{__package__}.manage")
