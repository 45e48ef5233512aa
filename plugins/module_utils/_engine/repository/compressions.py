# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The compressions of backups: their names in options and manifests, and their levels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Levels(NamedTuple):
    """The levels of one compression, from 1 to ``best``, and its default."""

    best: int
    usual: int


LEVELS: Mapping[str, Levels] = {"zstd": Levels(19, 3), "gzip": Levels(9, 6), "bzip2": Levels(9, 9), "xz": Levels(9, 6)}
COMPRESSIONS = (*LEVELS, "none")
#: What every tar, shell and Python of the last decades reads. The option `compression` has the name ``compatible`` for it.
COMPATIBLE = "gzip"
