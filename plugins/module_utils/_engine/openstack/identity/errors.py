# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between us and Keystone. Every message is a sentence for the person who runs the task."""

from __future__ import annotations

from ...http.errors import RestError as RegistryError

#: What sentences call the two servers that we talk to.
FREEZER = "The Freezer API"
KEYSTONE = "Keystone"


class MissingLibrary(RegistryError):
    """What is asked for needs a Python library that is not there."""
