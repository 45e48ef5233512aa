# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Errors of snapshots of LVM."""

from __future__ import annotations

from ..errors import FreezerError


class SnapshotError(FreezerError):
    """A snapshot cannot be made, mounted, read or removed."""
