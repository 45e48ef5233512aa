# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The backups in tests/data/version_1, which a release before version 2 of the format made, and what is in them."""

from __future__ import annotations

import functools
import json
import tarfile
from pathlib import Path

from ansible_collections.freezer.backup.tests.support.upstream_backups import Listing

DATA = Path(__file__).parents[1] / "data" / "version_1"
HOST = "web1"
NAMES = ("zstd", "zstd by its program", "gzip", "none")


def unpack(folder: Path) -> Path:
    """A new container with all the backups, in a folder."""
    with tarfile.open(DATA / "container.tar.xz") as packed:
        # Made here, of plain files and folders.
        packed.extractall(folder)
    return folder / "container"


@functools.cache
def expected() -> dict[str, Listing]:
    """What is in the backups of each level."""
    found: dict[str, Listing] = json.loads((DATA / "expected.json").read_text())
    return found
