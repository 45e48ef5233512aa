# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A database of this host, quiesced while a cloud takes a snapshot."""

from __future__ import annotations

from typing import Any, Callable

from ...action.options import Options
from ...consistency import databases
from ...quiesce import hold as quiesce


def taken_while_held(options: Options, take: Callable[[str], object]) -> dict[str, Any] | None:
    """Quiesce, call `take` with the consistency that results (``app``, ``fs``), and release when it returns.

    Returns ``held_seconds`` and ``targets`` of the hold. Without a database (``mode`` is fs) `take` is not called, and the
    result is None. Raises QuiesceError if the hold ended early; the snapshot is then no better than one without a hold.
    """
    targets = databases.targets(options)
    if not targets:
        return None
    with quiesce.held(targets, deadline_seconds=options.deadline_seconds) as hold:
        take(hold.consistency)
    return {"held_seconds": hold.held_seconds, "targets": hold.targets}
