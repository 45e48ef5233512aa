# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What hatchling asks while it builds: an editable install finds the collection through a link and nothing else.

What pyproject.toml includes by force would be copied to site-packages, where Ansible looks first, and a copy of a few files
would hide the whole collection.
"""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WheelHook(BuildHookInterface):  # type: ignore[type-arg]
    """Leaves out of an editable install all that is included by force, but the names under which WSGI servers load the API."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before a build; ``version`` is ``editable`` or ``standard``."""
        if version == "editable":
            build_data["force_include_editable"] = {"roles/api/files/upstream_names/freezer_api": "freezer_api"}
