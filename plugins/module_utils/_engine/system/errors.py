# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with the host itself."""

from __future__ import annotations

from ..errors import FreezerError


class HostError(FreezerError):
    """Something on this host is not as the work needs it."""
