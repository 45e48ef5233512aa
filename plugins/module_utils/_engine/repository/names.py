# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The names of hosts and backups that can be part of a folder's name in a container."""

from __future__ import annotations

import os
import re
import sys

from ..errors import OptionError

_NAME = re.compile(r"[^/\0\n.][^/\0\n]*")


def check_name(what: str, name: str) -> None:
    """Raise OptionError if a name cannot be part of a path. ``what`` is the option that has it."""
    if not _NAME.fullmatch(name) or len(name.encode("utf-8", "surrogateescape")) > 120:
        raise OptionError(
            f"The {what} {name!r} cannot name a folder: it has to have 1 to 120 bytes, "
            "without a slash or a line break, and must not begin with a dot."
        )


def check_text(what: str, name: str) -> None:
    """Raise OptionError if the name of a new backup is no text: a record of it in UTF-8 would have another name."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise OptionError(
            f"The {what} {name!r} is no text in UTF-8; use a locale of UTF-8, such as LC_ALL=C.UTF-8, or another name."
        ) from None


def check_as_written_here(what: str, name: str) -> None:
    """Raise OptionError if this process would give a folder with the name of a new backup other bytes than UTF-8.

    Hosts with another locale would find a folder there that is not the one that its record names.
    """
    check_text(what, name)
    try:
        same = os.fsencode(name) == name.encode("utf-8")
    except UnicodeEncodeError:
        same = False
    if not same:
        raise OptionError(
            f"The {what} {name!r} would be written in {sys.getfilesystemencoding()}, and other hosts could not read the backup; "
            "use a locale of UTF-8, such as LC_ALL=C.UTF-8, or another name."
        )
