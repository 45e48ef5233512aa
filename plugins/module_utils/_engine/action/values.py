# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What the values of options can be: for each type a function that reads a value (`schemas` has the same as a JSON schema).

A value comes from a command line, a file or a document. The functions raise ValueError with the words that follow
"has to be".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Callable

Parser = Callable[[Any], Any]

#: The smallest size of a segment that can be asked for.
LEAST_SEGMENT_BYTES = 64 * 1024

MAX_NUMBER = 2**63 - 1
# What people type, which has more forms than a schema tells.
_TYPED_AGO = re.compile(r"(\d{1,6}) ?(second|minute|hour|day|week)s? ago")
_TYPED_DAY = re.compile(r"(today|yesterday)(?: (?:at )?(\d{1,2}):(\d\d)(?::(\d\d))?)?")
_TYPED_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TYPED_SECONDS = re.compile(r"\d+(\.\d+)?")
_EXAMPLES = "2026-11-22T08:30:00, 2026-11-22T08:30:00+01:00, 2026-11-22, yesterday 18:00 or 3 days ago"

YES, NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def text(value: Any) -> str:
    """A text; a number counts as one."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError("a text")
    if "\0" in str(value):
        raise ValueError("a text without NUL bytes")
    return str(value)


def whole(value: Any) -> int:
    """A whole number that is not negative."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    digits = str(value).strip()
    if isinstance(value, bool) or not re.fullmatch(r"[+-]?[0-9]{1,18}", digits):
        raise ValueError("a whole number")
    if int(digits) < 0:
        raise ValueError("a number that is not negative")
    return int(digits)


def number(value: Any) -> float:
    """A number that is not negative."""
    try:
        if isinstance(value, bool):
            raise ValueError
        found = float(str(value))
    except ValueError:
        raise ValueError("a number") from None
    if not 0 <= found < float("inf"):
        raise ValueError("a number that is not negative")
    return found


def switch(value: Any) -> bool:
    """Yes or no."""
    word = str(value).strip().lower()
    if word in YES:
        return True
    if word in NO:
        return False
    raise ValueError("true or false")


def texts(value: Any) -> list[str]:
    """A text or a list of them."""
    return [text(item) for item in value] if isinstance(value, (list, tuple)) else [text(value)]


def size(value: Any) -> int:
    """Bytes of a segment, also with a suffix K, M or G (powers of 1024)."""
    match = re.match(r"^(\d{1,18})\s*([kmg]?)(?:i?b)?$", str(value).strip(), re.IGNORECASE)
    if match is None or int(match.group(1)) == 0:
        raise ValueError("a size in bytes such as 67108864 or 64M")
    factor: int = 1024 ** " kmg".index(match.group(2).lower() or " ")
    found = int(match.group(1)) * factor
    if found < LEAST_SEGMENT_BYTES:
        # Each is a file or an object: a number that was meant as megabytes would make a hundred thousand of them.
        raise ValueError(
            f"at least {LEAST_SEGMENT_BYTES // 1024}K, such as 64M (a number without K, M or G is a number of bytes)"
        )
    return found


def moment(value: Any) -> float:
    """Seconds since 1970; of a day without a time its first second."""
    return point_in_time(value, end_of_day=False)


def end_of(value: Any) -> float:
    """Seconds since 1970; of a day without a time its last second."""
    return point_in_time(value, end_of_day=True)


def point_in_time(value: Any, *, end_of_day: bool, now: datetime | None = None) -> float:
    """Seconds since 1970 of ``2026-11-22T08:30:00+01:00``, ``yesterday 18:00``, ``3 days ago`` and the like.

    What has no zone is local time, as Freezer's dates always were. `now` is the present, for tests.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= MAX_NUMBER:
        return float(value)
    text = str(value).strip()
    if _TYPED_SECONDS.fullmatch(text):
        return float(text)
    try:
        return _meant(text, end_of_day, now or datetime.now().astimezone()).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"a date such as {_EXAMPLES}") from None


def _meant(text: str, end_of_day: bool, now: datetime) -> datetime:
    words = " ".join(text.lower().split())
    if words == "now":
        return now
    ago = _TYPED_AGO.fullmatch(words)
    if ago is not None:
        return now - timedelta(**{f"{ago.group(2)}s": int(ago.group(1))})
    day = _TYPED_DAY.fullmatch(words)
    if day is not None:
        # Without its zone: what the clock of the wall showed then, also where it was changed in between.
        start = now.replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
        start -= timedelta(days=day.group(1) == "yesterday")
        if day.group(2) is None:
            return _bound(start, end_of_day)
        return start.replace(hour=int(day.group(2)), minute=int(day.group(3)), second=int(day.group(4) or 0))
    found = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
    return _bound(found, end_of_day) if _TYPED_DATE.fullmatch(text) else found


def _bound(start: datetime, end_of_day: bool) -> datetime:
    return start + timedelta(days=1, seconds=-1) if end_of_day else start


def storages(value: Any) -> list[dict[str, Any]]:
    """Several storages; ``Options.locations`` says what each of them has to have."""
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise ValueError("a list of storages, each with 'storage' and 'container'")
    return [dict(item) for item in value]


class Choice:
    """One of several words; some of them may be other names of others."""

    def __init__(self, *choices: str, **meanings: str) -> None:
        self.choices, self._meanings = (*choices, *meanings), meanings

    def __call__(self, value: Any) -> str:
        if value not in self.choices:
            raise ValueError("one of " + ", ".join(self.choices))
        return self._meanings.get(value, str(value))


def snapshot(value: Any) -> str:
    """The kind of snapshot, empty for none. Freezer's documents say true."""
    if str(value).strip().lower() == "lvm":
        return "lvm"
    try:
        return "lvm" if switch(value) else ""
    except ValueError:
        raise ValueError("lvm, true or false") from None


def auto_snap(value: Any) -> str:
    """A path, ``true`` for the one that is backed up, or empty."""
    found = text(str(value).lower() if isinstance(value, bool) else value)
    return {"true": "true", "false": ""}.get(found.lower(), found)


#: Of these false means that there is none: the README of Freezer has ``"hostname": false``.
FALSE_IS_NOTHING = frozenset({text, texts, whole, number, moment, end_of, storages})
