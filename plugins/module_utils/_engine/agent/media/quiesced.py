# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A database of this host held still while a cloud takes a snapshot, and no longer."""

from __future__ import annotations

from typing import Any, Callable

from ...action.options import Options
from ...consistency import databases
from ...quiesce import hold as quiesce


def taken_while_held(options: Options, take: Callable[[str], object]) -> dict[str, Any] | None:
    """Call `take` with what the hold makes of a copy (``app``, ``fs``), and let go when it returns.

    Without a database (``mode`` is fs) nothing is called, and the result is None, else what is known of the hold.
    Raises QuiesceError if it could not be held all the time; what was taken then is worth no more than without.
    """
    targets = databases.targets(options)
    if not targets:
        return None
    with quiesce.held(targets, deadline_seconds=options.deadline_seconds) as hold:
        take(hold.consistency)
    return {"held_seconds": hold.held_seconds, "targets": hold.targets}
