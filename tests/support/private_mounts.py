# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Whether this host lets the tests make private mounts."""

from __future__ import annotations

import os

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.system import private_mount
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.errors import HostError


def _can_be_made() -> bool:
    try:
        folder, _link = private_mount.open_folder("/")
        try:
            os.close(private_mount.open_private_mount(folder))
        finally:
            os.close(folder)
    except (HostError, OSError):
        return False
    return True


#: A mark of tests: where CI is true they run, and fail if the host does not let them.
needs_private_mount = pytest.mark.skipif(
    os.environ.get("CI") != "true" and not _can_be_made(), reason="no private mount can be made here"
)
