# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a document."""

from __future__ import annotations


class DocumentError(ValueError):
    """A document is not what Freezer expects; the message says which key, what stands there and what may stand there."""
