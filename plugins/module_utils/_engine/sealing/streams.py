# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What stored bytes come from."""

from __future__ import annotations

from typing import Protocol


class Readable(Protocol):
    """A source of bytes; ``read`` returns at most ``size`` of them, and none at the end only."""

    def read(self, size: int, /) -> bytes:
        """The next bytes."""
