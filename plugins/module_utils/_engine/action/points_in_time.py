# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Moments as people give them: ``2026-11-22T08:30:00+01:00``, ``2026-11-22``, ``yesterday 18:00``, ``3 days ago``."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

_AGO = re.compile(r"(\d{1,6}) ?(second|minute|hour|day|week)s? ago")
_DAY = re.compile(r"(today|yesterday)(?: (?:at )?(\d{1,2}):(\d\d)(?::(\d\d))?)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_SECONDS = re.compile(r"\d+(\.\d+)?")
EXAMPLES = "2026-11-22T08:30:00, 2026-11-22T08:30:00+01:00, 2026-11-22, yesterday 18:00 or 3 days ago"


def moment(value: Any, *, end_of_day: bool = False, now: datetime | None = None) -> float:
    """Seconds since 1970; what has no zone is local time, as Freezer's dates always were.

    A day without a time is its first second, or its last one with `end_of_day`. `now` is the present, for tests. Raises
    ValueError that says what is understood.
    """
    text = str(value).strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    now = now or datetime.now().astimezone()
    try:
        return _meant(text, end_of_day, now).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"a date such as {EXAMPLES}") from None


def _meant(text: str, end_of_day: bool, now: datetime) -> datetime:
    words = " ".join(text.lower().split())
    if words == "now":
        return now
    ago = _AGO.fullmatch(words)
    if ago is not None:
        return now - timedelta(**{f"{ago.group(2)}s": int(ago.group(1))})
    day = _DAY.fullmatch(words)
    if day is not None:
        # Without its zone: what the clock of the wall showed then, also where it was changed in between.
        start = now.replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
        start -= timedelta(days=day.group(1) == "yesterday")
        if day.group(2) is None:
            return _bound(start, end_of_day)
        return start.replace(hour=int(day.group(2)), minute=int(day.group(3)), second=int(day.group(4) or 0))
    found = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
    return _bound(found, end_of_day) if _DATE.fullmatch(text) else found


def _bound(start: datetime, end_of_day: bool) -> datetime:
    return start + timedelta(days=1, seconds=-1) if end_of_day else start
