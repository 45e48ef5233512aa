# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The verb backup: one copy of what an action names, in each of its storages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..action.options import parse_options
from ..progress import Progress
from .conduct import readable_errors, run_verb
from .media.by_name import medium_of
from .new_backup import new_backup


@readable_errors("backup")
def backup(action: Mapping[str, Any], progress: Progress | None = None, dry_run: bool = False) -> dict[str, Any]:
    """Back up what an action names, to all its storages.

    The result has ``changed``, ``outcome`` (success or partial), ``level`` and ``reason``, ``backup_id``, ``storages``
    with the location in each, sizes in bytes, the paths that could not be read, and ``metadata``, the body of a POST to
    /backups. With `dry_run` it is the plan. Raises FreezerError if no storage has the backup.
    """
    return run_verb("backup", new_backup, medium_of(parse_options(action)), progress, dry_run)
