# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
from ansible_collections.freezer.backup.tests.unit.quiesce.conftest import file_system, host, make_file_system

__all__ = ["file_system", "host", "make_file_system"]
