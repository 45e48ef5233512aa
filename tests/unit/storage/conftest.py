# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.freezer.backup.tests.support.guards import no_hang


@pytest.fixture(autouse=True)
def _no_hang() -> Iterator[None]:
    with no_hang(60):
        yield
