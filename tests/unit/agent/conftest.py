# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.action import values
from ansible_collections.freezer.backup.tests.support.guards import no_hang
from ansible_collections.freezer.backup.tests.support.sets import Set
from ansible_collections.freezer.backup.tests.support.soak import rounds


@pytest.fixture(autouse=True)
def _no_hang() -> Iterator[None]:
    with no_hang(120 + 20 * rounds(0)):
        yield


@pytest.fixture(scope="module")
def tiny_segments() -> Iterator[None]:
    """Small trees with many segments, below the size that can be asked for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(values, "LEAST_SEGMENT_BYTES", 1)
        yield


@pytest.fixture
def one_set(tmp_path) -> Set:
    """A source folder, a container, and what an action says about them."""
    return Set(tmp_path)
