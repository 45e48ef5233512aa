# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The names of hosts and backups that can be part of a folder's name in a container."""

from __future__ import annotations

import re

from ..errors import OptionError

_NAME = re.compile(r"[^/\0\n.][^/\0\n]*")


def check_name(what: str, name: str) -> None:
    """Raise OptionError if a name cannot be part of a path. ``what`` is the option that has it."""
    if not _NAME.fullmatch(name) or len(name.encode("utf-8", "surrogateescape")) > 120:
        raise OptionError(
            f"The {what} {name!r} cannot name a folder: it has to have 1 to 120 bytes, "
            "without a slash or a line break, and must not begin with a dot."
        )
