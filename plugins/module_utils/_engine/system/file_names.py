# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Names of files as text, and names behind a text."""

from __future__ import annotations

import os
import re


def shown(name: str) -> str:
    """A file name as text that JSON and terminals can take: in a name that is no UTF-8, odd bytes are escaped."""
    plain = name.encode("utf-8", "surrogateescape")
    try:
        return plain.decode("utf-8")
    except UnicodeDecodeError:
        return plain.replace(b"\\", b"\\x5c").decode("utf-8", "backslashreplace")


def printable(text: str) -> str:
    """Text that cannot move a cursor or begin a new line: file names may hold anything."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode("ascii") for char in text
    )


def names_behind(text: str) -> list[bytes]:
    """The file names that ``shown`` may have given this text: it is one itself, or the escapes are bytes."""
    name = os.fsencode(text)
    escaped = re.sub(rb"\\x([0-9a-f]{2})", lambda escape: bytes([int(escape.group(1), 16)]), name)
    return [name] if escaped == name else [name, escaped]
