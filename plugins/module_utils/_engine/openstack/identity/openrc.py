# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The variables that an openrc file sets. Nothing in it is run."""

from __future__ import annotations

import re
import shlex

from ...http.errors import BadAddress

_LINE = re.compile(r"\s*(?:export\s+)?(OS_[A-Z0-9_]+)=(.*)")


def read_openrc(path: str) -> dict[str, str]:
    """The variables whose names begin with ``OS_``. Raises BadAddress if the file cannot be read or has none."""
    try:
        with open(path, encoding="utf-8") as stream:
            lines = stream.read().splitlines()
    except OSError as problem:
        raise BadAddress(f"The openrc file {path} (osrc) cannot be read: {problem.strerror}.") from problem
    except UnicodeDecodeError as problem:
        raise BadAddress(f"The openrc file {path} (osrc) is not a text in UTF-8.") from problem
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        match = _LINE.match(line)
        if match is None:
            continue
        try:
            words = shlex.split(match.group(2), comments=True)
        except ValueError:
            raise BadAddress(f"Line {number} of the openrc file {path} (osrc) has an unfinished quotation.") from None
        if len(words) > 1:
            # export OS_USERNAME=a OS_PASSWORD=b
            rest = [word.partition("=") for word in words[1:]]
            found.update({name: value for name, equals, value in rest if equals and name.startswith("OS_")})
        value = words[0] if words else ""
        if "$" in value:
            raise BadAddress(
                f"Line {number} of the openrc file {path} (osrc) computes {match.group(1)}; files for programs have to "
                "say what it is."
            )
        found[match.group(1)] = value
    if not found:
        raise BadAddress(f"The openrc file {path} (osrc) sets no variable whose name begins with OS_.")
    return found
