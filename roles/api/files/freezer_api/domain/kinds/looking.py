# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Checks of actions and schedules when they are stored, so that errors show before they are due."""

from __future__ import annotations

import functools
import zoneinfo
from collections.abc import Mapping
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.check import MAX_WARNINGS, check_action
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.errors import DocumentError
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule import grammar

from ...errors import BadRequestError


def look_at_action(action: Mapping[str, Any], path: str, most_warnings: int = MAX_WARNINGS) -> list[str]:
    """So many warnings at most about what the agent of this release will not do as written. Raises BadRequestError."""
    try:
        return check_action(action, path, most_warnings)
    except DocumentError as error:
        raise BadRequestError(str(error)) from error


def look_at_schedule(old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> None:
    """Raise BadRequestError for an invalid schedule, unless it has not changed."""
    triggers, before = ({key: one[key] for key in grammar.TRIGGER_KEYS if key in one} for one in (new, old))
    if triggers == before:
        return
    if "schedule_timezone" in triggers and not _knows_zones():
        # The node that runs the job has a time zone database.
        del triggers["schedule_timezone"]
    try:
        grammar.parse(triggers)
    except grammar.ScheduleError as error:
        raise BadRequestError(f"{error} (in {path})") from error


@functools.cache
def _knows_zones() -> bool:
    """Whether this machine has a time zone database. Finding out is slower than all other work for a job."""
    return bool(zoneinfo.available_timezones())
