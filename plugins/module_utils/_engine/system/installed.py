# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""How the commands that pip installs start: pip can install the package without the libraries that a command needs."""

from __future__ import annotations

import importlib
import re
import sys

from ..errors import in_a_row
from .streams import open_standard_streams

PACKAGE = "freezer-backup"

#: Without these a command starts: a user who encrypts, asks a cloud or logs in to Keystone is told then what is missing.
_WHERE_NEEDED = frozenset({"cryptography", "keystoneauth1"})


def start(command: str, extra: str, module: str) -> int:
    """Run ``main()`` of a module and return its exit status; without the libraries of the extra, say which one is missing."""
    open_standard_streams()
    missing = missing_libraries(extra)
    if missing:
        verb = "are" if missing[1:] else "is"
        sys.stderr.write(f"{command}: {in_a_row(missing)} {verb} missing; install {PACKAGE}[{extra}].\n")
        return 1
    status: int = importlib.import_module(module).main()
    return status


def missing_libraries(extra: str) -> list[str]:
    """The distributions of an extra of the installed package that are not installed, and without which nothing can be done.

    Their versions are pip's to look after.
    """
    from importlib import metadata  # it takes longer to import than all else here

    def is_missing(name: str) -> bool:
        try:
            metadata.distribution(name)
        except metadata.PackageNotFoundError:
            return True
        return False

    try:
        requirements = metadata.requires(PACKAGE) or []
    except metadata.PackageNotFoundError:  # a checkout or a role's release, which pip did not install
        return []
    found = (re.match(r"([\w.-]+)[^;]*;.*\bextra == ['\"]([\w.-]+)['\"]", line) for line in requirements)
    wanted = [line[1] for line in found if line and line[2] == extra and line[1] not in _WHERE_NEEDED]
    return [name for name in wanted if is_missing(name)]
