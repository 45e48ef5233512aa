# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The configuration of a freezer-api that knows its users by the lab's Keystone."""

from __future__ import annotations

from pathlib import Path

from .keystone_lab import Keystone


def write_config(folder: Path, keystone: Keystone, more: str = "", **login: str) -> Path:
    """A freezer-api.conf in a folder; ``login`` are options of [keystone_authtoken] that differ or come in addition."""
    options = {
        "auth_type": "password",
        "auth_url": keystone.auth_url,
        "username": "freezer",
        "password": keystone.password,
        "project_name": "service",
        "user_domain_id": "default",
        "project_domain_id": "default",
        **login,
    }
    lines = [f"{name} = {value}" for name, value in options.items()]
    path = folder / "freezer-api.conf"
    path.touch(0o600)
    path.write_text("\n".join(["[DEFAULT]", "auth_strategy = keystone", "[keystone_authtoken]", *lines, more, ""]))
    return path
