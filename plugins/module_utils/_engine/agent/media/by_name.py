# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The medium of an action. Media of clouds are imported only if an action asks for one."""

from __future__ import annotations

from typing import Any

from ...action.options import Options
from .base import Medium
from .files import Files


def medium_of(options: Options) -> Medium[Any, Any]:
    """The medium that the options of an action ask for."""
    name = options.backup_media
    if name == "fs":
        return Files(options)
    if name == "cindernative":
        from .native import Native

        return Native(options)
    from .images import Images

    return Images(options)


def media_listed(options: Options) -> list[Medium[Any, Any]]:
    """The media whose backups a list has: a container that is named may have files as well as images."""
    media = [medium_of(options)]
    if options.backup_media == "fs" and options.hostname is None and media[0].asks_cloud():
        from .images import Images

        media.append(Images(options))
    return media
