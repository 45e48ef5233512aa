# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Shared parts of the verbs that read backups: the choice among the copies of one."""

from __future__ import annotations

from typing import Any

from . import choosing
from .choosing import Chosen
from .media.base import Copy, Medium


def choose(medium: Medium[Any, Any]) -> Chosen[Copy[Any]]:
    """The backup that an action asks for, in each storage that has it; the newest one of all storages wins.

    Raises StorageError or ArchiveError if no storage has one.
    """
    return choosing.choose(medium.sets(any_name=True), medium.find, lambda copy: copy.manifest)


def described(medium: Medium[Any, Any], copy: Copy[Any]) -> dict[str, Any]:
    """The backup that is read, its location, and its chain, the full backup first."""
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
