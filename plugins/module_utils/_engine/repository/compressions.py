# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""How a backup can be compressed: the names that options and manifests have for it, and the levels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Levels(NamedTuple):
    """The levels of one compression, from 1 to ``best``, and the one that is taken where none is asked for."""

    best: int
    usual: int


LEVELS: Mapping[str, Levels] = {"zstd": Levels(19, 3), "gzip": Levels(9, 6)}
COMPRESSIONS = (*LEVELS, "none")
