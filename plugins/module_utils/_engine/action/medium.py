# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What an action copies: files, or a server or a volume through the interface of a cloud."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import OptionError
from .row import ALL_MEDIA, FILES
from .spec import BY_NAME, CLOUD_MEDIA, rows

#: Options that do not go with every medium, and those that do not go with files.
_OF_SOME = tuple(row for row in BY_NAME.values() if row.media != ALL_MEDIA and not row.names)
_OF_CLOUDS = tuple(row.name for row in rows() if FILES not in row.media and not row.names)


def medium_of(given: Mapping[str, Any]) -> str | None:
    """Which of CLOUD_MEDIA the options of an action mean; None for files.

    Raises OptionError where they do not go together.
    """
    named = [medium for medium, keys in CLOUD_MEDIA.items() if any(given.get(key) for key in keys)]
    said = {given[key] for key in ("backup_media", "mode", "engine_name") if given.get(key) in CLOUD_MEDIA}
    if len(named) > 1:
        raise OptionError(f"{_keys_of(named[0])} and {_keys_of(named[1])} ask for different things; keep one of them.")
    if said - set(named):
        medium = sorted(said - set(named))[0]
        raise OptionError(f"For {medium} it has to be said which one is meant: {_keys_of(medium)} is missing.")
    if not named:
        for key in _OF_CLOUDS:
            if key in given:
                raise OptionError(f"{key} belongs to a server or a volume, and none is named.")
        return None
    medium = named[0]
    if given.get("backup_media", medium) != medium:
        raise OptionError(f"backup_media is {given['backup_media']}, and {_keys_of(medium)} asks for {medium}.")
    for row in _OF_SOME:
        if given.get(row.name) not in (None, "", False, "none") and medium not in row.media:
            raise OptionError(f"{row.name} is nothing that {_keys_of(medium)} goes with; leave one of them out.")
    return medium


def _keys_of(medium: str) -> str:
    return " or ".join(CLOUD_MEDIA[medium])
