# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What can go wrong when a volume is held still."""

from __future__ import annotations

from ..errors import FreezerError


class SnapshotError(FreezerError):
    """A snapshot cannot be made, mounted, read or removed."""
