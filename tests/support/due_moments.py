# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The moments at which a job is due, one after the other."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.due_times import DueTimes


def up_to(times: DueTimes, since: float, until: float) -> Iterator[float]:
    """Those later than ``since`` and not later than ``until``."""
    due = times.after(since)
    while due is not None and due <= until:
        yield due
        due = times.after(due)
