# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
from ansible_collections.freezer.backup.tests.unit.storage.conftest import _no_hang

__all__ = ["_no_hang"]
