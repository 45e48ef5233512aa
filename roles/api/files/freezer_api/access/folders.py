# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Checks of folders whose files the API trusts."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from pathlib import Path


def folder_fault(folder: str | Path, what: str, owners: Collection[int] | None) -> str:
    """Why another user could replace the files of a folder, as a sentence; empty if none can.

    ``owners`` are the users it may belong to, None for any. Raises OSError.
    """
    found = os.stat(folder)
    if owners is not None and found.st_uid not in owners:
        return f"the folder {folder} belongs to another user, who could replace {what}; choose another"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not found.st_mode & stat.S_ISVTX:
        return f"other users may write to the folder {folder} and could replace {what}; chmod 755 it"
    return ""
