# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Patterns of names, with the meaning that GNU tar gives them in ``--exclude``.

``*`` and ``?`` match slashes too, a pattern may begin at any part of a name, and what is below a matching folder matches as well.
So ``*.log`` and ``var/cache`` match at any depth, and ``./etc`` only at the top of what was backed up. A slash at the end of a
pattern is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Callable

_CLASSES = {
    b"alnum": rb"A-Za-z0-9",
    b"alpha": rb"A-Za-z",
    b"blank": rb" \t",
    b"cntrl": rb"\x00-\x1f\x7f",
    b"digit": rb"0-9",
    b"graph": rb"!-~",
    b"lower": rb"a-z",
    b"print": rb" -~",
    b"punct": rb"!-/:-@\[-`{-~",
    b"space": rb" \t-\r",
    b"upper": rb"A-Z",
    b"xdigit": rb"0-9A-Fa-f",
}


def matcher(patterns: Iterable[bytes]) -> Callable[[bytes], bool]:
    """A function that tells whether a name (relative, as in a catalogue) matches one of these patterns."""
    parts = [_translated(pattern.rstrip(b"/") or pattern) for pattern in patterns]
    if not parts:
        return lambda _name: False
    search = re.compile(rb"(?:\A|(?<=/))(?:%b)(?=/|\Z)" % b"|".join(parts), re.DOTALL).search
    return lambda name: search(b"./" + name) is not None


def literally(name: bytes) -> bytes:
    """The pattern that matches only this name (relative, as in a catalogue) and what is below it."""
    return b"./" + re.sub(rb"([\\*?\[\]])", rb"\\\1", name)


def _translated(pattern: bytes) -> bytes:
    """A regular expression for a pattern, as fnmatch(3) reads it in the C locale."""
    result: list[bytes] = []
    position = 0
    while position < len(pattern):
        one = pattern[position : position + 1]
        position += 1
        if one == b"*":
            if result[-1:] != [b".*"]:
                result.append(b".*")
        elif one == b"?":
            result.append(b".")
        elif one == b"[":
            found, behind = _bracket(pattern, position)
            result.append(re.escape(one) if found is None else found)
            position = position if found is None else behind
        else:
            if one == b"\\" and position < len(pattern):
                one = pattern[position : position + 1]
                position += 1
            result.append(re.escape(one))
    return b"".join(result)


def _bracket(pattern: bytes, position: int) -> tuple[bytes | None, int]:
    """The set of bytes that begins behind a bracket, and where it ends; None if it has no end."""
    negated = pattern[position : position + 1] in (b"!", b"^")
    position += negated
    parts, first = [], True
    while position < len(pattern):
        one = pattern[position : position + 1]
        if one == b"]" and not first:
            break
        first = False
        if pattern[position : position + 2] == b"[:":
            end = pattern.find(b":]", position + 2)
            name = pattern[position + 2 : end]
            if end >= 0 and name in _CLASSES:
                parts.append(_CLASSES[name])
                position = end + 2
                continue
        low, position = _escaped(pattern, position)
        high = low
        if pattern[position : position + 1] == b"-" and pattern[position + 1 : position + 2] not in (b"]", b""):
            high, position = _escaped(pattern, position + 1)
        if low <= high:
            parts.append(b"\\x%02x-\\x%02x" % (low[0], high[0]))
    else:
        return None, position
    if not parts:
        return (b"." if negated else rb"(?!)"), position + 1
    return b"[%b%b]" % (b"^" if negated else b"", b"".join(parts)), position + 1


def _escaped(pattern: bytes, position: int) -> tuple[bytes, int]:
    """The byte at a place of a set, behind a backslash if there is one, and the place after it."""
    if pattern[position : position + 1] == b"\\" and position + 1 < len(pattern):
        position += 1
    return pattern[position : position + 1], position + 1
