# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What the verbs share: errors of the system as sentences, and the choice among the copies of a backup."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import FreezerError
from . import choosing
from .choosing import Chosen
from .media.base import Copy, Medium


@contextmanager
def told(work: str) -> Iterator[None]:
    """Turn an error of the system that nothing below could explain better into one that a user can read."""
    try:
        yield
    except OSError as problem:
        raise FreezerError(f"The {work} failed: {problem}.") from problem


def choose(medium: Medium[Any, Any]) -> Chosen[Copy[Any]]:
    """The backup that an action means, in each storage that has it: of all storages the newest one counts.

    Raises StorageError or ArchiveError if no storage has one.
    """
    return choosing.choose(medium.sets(any_name=True), medium.find, lambda copy: copy.manifest)


def described(medium: Medium[Any, Any], copy: Copy[Any]) -> dict[str, Any]:
    """Which backup is read, from where, and what it is built on, the oldest first."""
    place = medium.place(copy.backup_set, copy.manifest)
    chain = [
        {"backup_id": one.manifest.backup_id, "level": one.manifest.level, "timestamp": one.manifest.began}
        for one in copy.chain
    ]
    return {
        **medium.describe(copy.stored),
        "chain": chain,
        "storage": place["storage"],
        "container": place["container"],
    }
