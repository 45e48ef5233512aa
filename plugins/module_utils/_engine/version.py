# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The version of the collection, for what it writes down and for its commands; galaxy.yml has the same."""

from __future__ import annotations

VERSION = "1.0.0"
