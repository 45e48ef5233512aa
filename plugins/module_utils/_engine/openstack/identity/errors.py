# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What sentences about logins call the servers."""

from __future__ import annotations

#: What sentences call the two servers that we talk to.
FREEZER = "The Freezer API"
KEYSTONE = "Keystone"
