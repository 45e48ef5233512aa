# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with a cloud, its servers and volumes."""

from __future__ import annotations

from typing import Any

from ..errors import FreezerError
from ..http.errors import RestError


class CloudError(FreezerError):
    """Something in a cloud is not as it has to be, or does not become so in time."""


class MissingLibrary(RestError):
    """What is asked for needs a Python library that is not there."""


def deletion_failed(what: str, why: str | None = None) -> CloudError:
    """The error for what Cinder calls error_deleting. It refuses to delete that again until an administrator steps in."""
    return CloudError(
        f"Cinder could not delete {what}: {why or 'its log says why'}. When the cause is mended, let an administrator set its "
        "status to error (openstack volume, volume snapshot or volume backup set --state error) and run this again."
    )


class SomeFailed(CloudError):
    """Of several servers or volumes some failed; ``values`` have the result of each."""

    def __init__(self, message: str, values: dict[str, Any]) -> None:
        super().__init__(message)
        self.values = values
