# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between a tree and its archive."""

from __future__ import annotations

from ..repository.errors import DamagedArchive


class UnsafeArchive(DamagedArchive):
    """What is stored would not stay in the folder that it is extracted into, or was never written by this software.

    `path` is what stands in the way of a member, as tar names it; None if something else is wrong.
    """

    def __init__(self, message: str, path: str | None = None) -> None:
        super().__init__(message)
        self.path = path
