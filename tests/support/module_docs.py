# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""What the modules of this collection say about themselves, with their doc fragments merged in."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import yaml

from .ansible_command import run_documentation

MODULES = Path(__file__).resolve().parents[2] / "plugins/modules"


def documentation(module: str) -> dict[str, Any]:
    """The DOCUMENTATION of a module."""
    found: dict[str, Any] = _all()[f"freezer.backup.{module}"]["doc"]
    return found


def examples(module: str) -> list[dict[str, Any]]:
    """The tasks of its EXAMPLES."""
    tasks: list[dict[str, Any]] = yaml.safe_load(_all()[f"freezer.backup.{module}"]["examples"])
    return tasks


@functools.cache
def _all() -> dict[str, Any]:
    printed = run_documentation("--metadata-dump", "--no-fail-on-errors", "-t", "module", "freezer.backup")
    found: dict[str, Any] = json.loads(printed)["all"]["module"]
    return found
