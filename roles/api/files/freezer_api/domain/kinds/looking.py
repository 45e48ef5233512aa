# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Whether actions and schedules can be followed, found out when they are stored and not in the night."""

from __future__ import annotations

import functools
import zoneinfo
from collections.abc import Mapping
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.check import MAX_WARNINGS, check_action
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.errors import DocumentError
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule import grammar

from ...errors import BadRequestError


def look_at_action(action: Mapping[str, Any], place: str) -> list[str]:
    """What the agent of this release will make of an action otherwise than it says. Raises BadRequestError."""
    try:
        return check_action(action, place)[:MAX_WARNINGS]
    except DocumentError as error:
        raise BadRequestError(str(error)) from error


def look_at_schedule(old: Mapping[str, Any], new: Mapping[str, Any], place: str) -> None:
    """Raise BadRequestError for a schedule that nobody can follow, unless it was the same before."""
    triggers, before = ({key: one[key] for key in grammar.TRIGGER_KEYS if key in one} for one in (new, old))
    if triggers == before:
        return
    if "schedule_timezone" in triggers and not _knows_zones():
        # The node that runs the job has a database of zones.
        del triggers["schedule_timezone"]
    try:
        grammar.parse(triggers)
    except grammar.ScheduleError as error:
        raise BadRequestError(f"{error} (in {place})") from error


@functools.cache
def _knows_zones() -> bool:
    """Whether this machine has a database of zones. To find out takes longer than all else that is done for a job."""
    return bool(zoneinfo.available_timezones())
