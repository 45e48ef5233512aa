# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What a document from a storage has to look like, before anything is done with it.

A check takes a value that JSON gave and raises Misshapen, or returns. The storage may be written to by others: a type
that is not the right one must be damage, with a sentence, and never an error somewhere else.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Callable

Check = Callable[[Any], None]

#: 9998-12-31: what is later has no date in every time zone.
LATEST_SECONDS = 253_370_764_800
MOST_BYTES = (1 << 63) - 1
#: Of one document: those of a manifest with the most segments, and details of half a million paths that cannot be read. A value
#: can take thirty times its bytes in memory.
MOST_VALUES = 1_600_000
_SHOWN = 60
_MOST_DEPTH = 8
_MARKS = (b",", b"[", b"{")


class Misshapen(ValueError):
    """What is wrong with a value, as the end of a sentence that begins with its name."""


def said(problem: BaseException) -> str:
    """What is wrong with a document, of what `loads` or a check has raised."""
    return str(problem).lstrip(".") if isinstance(problem, Misshapen) else "it is not JSON, or too deep"


def _short(value: Any) -> str:
    found = ascii(value) if isinstance(value, (str, int, float, bool, type(None))) else f"a {type(value).__name__}"
    return found if len(found) <= _SHOWN else f"{found[:_SHOWN]}..."


def loads(stored: bytes) -> dict[str, Any]:
    """The JSON object behind stored bytes. Raises ValueError or RecursionError."""

    def refuse(name: str) -> None:
        raise Misshapen(f"has {name} in place of a number")

    def whole_number(digits: str) -> int:
        if len(digits) > 20:  # older Pythons take a long time for a long one
            raise Misshapen("has a number of too many digits")
        return int(digits)

    if value_count(stored) > MOST_VALUES:
        raise Misshapen(f"has more than {MOST_VALUES} values")
    document = json.loads(stored, parse_constant=refuse, parse_int=whole_number)
    if not isinstance(document, dict):
        raise Misshapen("is no JSON object")
    return document


def value_count(stored: bytes) -> int:
    """How many values JSON has at most, up to one more than are allowed: nothing is made of them."""
    found = sum(map(stored.count, _MARKS))
    if found <= MOST_VALUES:
        return found
    # Some may stand in texts, such as names of files.
    plain = stored.replace(rb"\\", b"").replace(rb"\"", b"")
    found = texts = position = 0
    while position < len(plain) and found <= MOST_VALUES and texts <= 2 * found + 2:  # with more of them it is no JSON
        begin = plain.find(b'"', position)
        begin = len(plain) if begin < 0 else begin
        found += sum(plain.count(mark, position, begin) for mark in _MARKS)
        texts += 1
        end = plain.find(b'"', begin + 1)
        position = len(plain) if end < 0 else end + 1
    return found


def text(most: int = 1 << 16, pattern: str = r"(?s:.*)", least: int = 0) -> Check:
    """A text of `least` to `most` characters that the pattern fits as a whole, and that can be a file name's."""
    compiled = re.compile(pattern)

    def check(value: Any) -> None:
        if not isinstance(value, str):
            raise Misshapen(f"has to be a text and is {_short(value)}")
        if not least <= len(value) <= most or not compiled.fullmatch(value):
            raise Misshapen(f"has an impossible value: {_short(value)}")
        try:
            value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise Misshapen(f"holds what is no text: {_short(value)}") from None

    return check


def whole(least: int = 0, most: int = MOST_BYTES) -> Check:
    """A whole number from `least` to `most`."""

    def check(value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise Misshapen(f"has to be a whole number from {least} to {most} and is {_short(value)}")

    return check


def number(least: float = 0, most: float = LATEST_SECONDS) -> Check:
    """A number from `least` to `most`."""

    def check(value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise Misshapen(f"has to be a number and is {_short(value)}")
        if not math.isfinite(value) or not least <= value <= most:
            raise Misshapen(f"has to be a number from {least:g} to {most:g} and is {_short(value)}")

    return check


def switch(value: Any) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise Misshapen(f"has to be true or false and is {_short(value)}")


def one_of(*choices: str) -> Check:
    """One of some texts."""

    def check(value: Any) -> None:
        if not isinstance(value, str) or value not in choices:
            raise Misshapen(f"has to be one of {', '.join(choices)} and is {_short(value)}")

    return check


def optional(inner: Check) -> Check:
    """Null, or what `inner` takes."""

    def check(value: Any) -> None:
        if value is not None:
            inner(value)

    return check


def list_of(inner: Check, least: int = 0) -> Check:
    """A list of at least so many, each of which `inner` takes."""

    def check(value: Any) -> None:
        if not isinstance(value, list):
            raise Misshapen(f"has to be a list and is {_short(value)}")
        if len(value) < least:
            raise Misshapen(f"has to have at least {least} entries and has {len(value)}")
        for position, entry in enumerate(value):
            _inside(inner, entry, f"[{position}]")

    return check


def mapping_of(inner: Check, names: Check | None = None) -> Check:
    """An object with any names, or those that `names` takes, and values that `inner` takes."""
    of_names = names or text(256)

    def check(value: Any) -> None:
        if not isinstance(value, dict):
            raise Misshapen(f"has to be an object and is {_short(value)}")
        for name, entry in value.items():
            of_names(name)
            _inside(inner, entry, f".{name}")

    return check


def record(fields: Mapping[str, Check]) -> Check:
    """An object with exactly these fields."""

    def check(value: Any) -> None:
        if not isinstance(value, dict):
            raise Misshapen(f"has to be an object and is {_short(value)}")
        for name in fields:
            if name not in value:
                raise Misshapen(f"lacks {name}")
        for name, entry in value.items():
            if name not in fields:
                raise Misshapen(f"has the field {_short(name)}, which its format does not know")
            _inside(fields[name], entry, f".{name}")

    return check


def facts(value: Any) -> None:
    """An object for people: any JSON that is not too deep to be shown."""
    if not isinstance(value, dict):
        raise Misshapen(f"has to be an object and is {_short(value)}")
    _free(value, _MOST_DEPTH)


def _free(value: Any, depth: int) -> None:
    if depth == 0:
        raise Misshapen("is too deep")
    if isinstance(value, str):
        text(1 << 20)(value)
    elif isinstance(value, dict):
        for name, entry in value.items():
            text(256)(name)
            _free(entry, depth - 1)
    elif isinstance(value, list):
        for entry in value:
            _free(entry, depth - 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise Misshapen("has a number without an end")


def _inside(inner: Check, value: Any, where: str) -> None:
    try:
        inner(value)
    except Misshapen as problem:
        # The innermost name is the last that a reader needs: ".segments[3].bytes has to be ...".
        said = str(problem)
        raise Misshapen(f"{where}{said}" if said[:1] in ".[" else f"{where} {said}") from None


SHA256 = text(64, r"[0-9a-f]{64}")
UUID = text(32, r"[0-9a-f]{32}")
#: As of a folder in a path, and of what stands in the record of a backup.
NAME = text(120, r"[^/\0\n.][^/\0\n]*")
PATH = text(1 << 20, r"[^\0]*")
SECONDS = whole(0, LATEST_SECONDS)
