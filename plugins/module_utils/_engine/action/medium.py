# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What an action copies: files, or a server or a volume through the interface of a cloud."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import OptionError

#: What is copied in place of files, through the interface of a cloud, and the keys that name it.
CLOUD_MEDIA: Mapping[str, tuple[str, ...]] = {
    "nova": ("nova_inst_id", "nova_inst_name"),
    "cinder": ("cinder_vol_id", "cinder_vol_name"),
    "cindernative": ("cindernative_vol_id",),
}
#: Keys that say something about files, or about what a cloud itself does not do, and the media that know them all the same.
_NOT_OF_CLOUDS: Mapping[str, tuple[str, ...]] = {
    "always_level": (),
    "compression": (),
    "compression_level": (),
    "dereference_symlink": (),
    "exclude": (),
    "lvm_auto_snap": (),
    "lvm_dirmount": (),
    "lvm_snapname": (),
    "lvm_snapsize": (),
    "lvm_srcvol": (),
    "lvm_volgroup": (),
    "max_level": ("cindernative",),
    "path_to_backup": (),
    "restart_always_level": ("cindernative",),
    "restore_abs_path": (),
    "snapshot": (),
}
_OF_CLOUDS = ("cindernative_backup_container", "cindernative_backup_id", "nova_restore_network", "restore_as")


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
    for key, media in _NOT_OF_CLOUDS.items():
        if given.get(key) not in (None, "", False, "none") and medium not in media:
            raise OptionError(f"{key} is nothing that {_keys_of(medium)} goes with; leave one of them out.")
    return medium


def _keys_of(medium: str) -> str:
    return " or ".join(CLOUD_MEDIA[medium])
