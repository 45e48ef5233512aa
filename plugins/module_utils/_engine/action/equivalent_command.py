# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The command that does again what an action has done, for its record. No secret is in it."""

from __future__ import annotations

import shlex
from dataclasses import MISSING, fields
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from ..system.file_names import shown
from .options import Options
from .spec import BY_NAME

#: A record has to fit into one request to an API.
_LONGEST = 1 << 16


def backup_command(options: Options, storage: str | None, container: str | None) -> str | None:
    """A line for a shell that makes the same backup in one of the places of an action; None if it is too long for a record."""
    words = ["freezer-agent", "--action", "backup"]
    places = {"storage": storage, "container": container}
    words += [word for key, value in places.items() if value for word in _words(key, value)]
    for option in fields(Options):
        default = option.default_factory() if option.default_factory is not MISSING else option.default
        value = getattr(options, option.name)
        if BY_NAME[option.name].is_repeated_by_record and value != default:
            words += _words(option.name, value)
    line = shlex.join(shown(word) for word in words)
    return line if len(line) <= _LONGEST else None


def _words(key: str, value: Any) -> list[str]:
    name = key.replace("_", "-")
    if isinstance(value, bool) or key == "snapshot":
        return [f"--{name}" if value else f"--no-{name}"]
    if isinstance(value, list):
        return [f"--{name}={one}" for one in value]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if key == "proxy":
        value = _without_password(str(value))
    text = str(value)
    return [f"--{name}={text}"] if text.startswith("-") else [f"--{name}", text]


def _without_password(url: str) -> str:
    try:
        parts = urlsplit(url if "://" in url else f"//{url}")
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])).removeprefix("//")
    except ValueError:
        return "URL"
