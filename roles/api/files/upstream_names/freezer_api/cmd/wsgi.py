# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The application under the name that it has in configurations of freezer-api."""

from __future__ import annotations

from ansible_collections.freezer.backup.roles.api.files.freezer_api.wsgi import application

__all__ = ["application"]
