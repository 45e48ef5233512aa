# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with servers and volumes of a cloud."""

from __future__ import annotations

from typing import Any

from ..errors import FreezerError


class CloudError(FreezerError):
    """Something in a cloud is not as it has to be, or does not become so in time."""


class SomeFailed(CloudError):
    """Of several servers or volumes some failed; ``values`` have the result of each."""

    def __init__(self, message: str, values: dict[str, Any]) -> None:
        super().__init__(message)
        self.values = values
