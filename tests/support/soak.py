# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What `make soak` adds to `make test`: more rounds of what is random, and tests that only it runs."""

from __future__ import annotations

import os

import pytest

_ROUNDS = os.environ.get("FREEZER_SOAK_ROUNDS")
#: Whether this is `make soak`.
SOAK = _ROUNDS is not None


def rounds(short: int) -> int:
    """How many rounds to run: `short` in `make test`, what `make soak ROUNDS=100` says there."""
    return short if _ROUNDS is None else int(_ROUNDS)


def split(items: list[pytest.Item]) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """The tests to run, and those marked `soak`, which are left to `make soak`."""
    kept: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        (left if not SOAK and item.get_closest_marker("soak") else kept).append(item)
    return kept, left
