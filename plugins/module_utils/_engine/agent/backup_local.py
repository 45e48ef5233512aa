# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The verb backup for live files that are copied to folders of this host. Little is imported, so that little is shipped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..action.options import OptionError, Options, parse_options
from ..action.row import FILES
from ..consistency.live import Live
from ..progress import Progress
from ..storage.base import Storage
from ..storage.local import LocalStorage
from .conduct import readable_errors, run_verb
from .media.copied_files import CopiedFiles
from .new_backup import new_backup


def _copied_files(options: Options) -> CopiedFiles:
    if options.backup_media != FILES:
        raise OptionError(f"backup_media is {options.backup_media}, and this module backs up files only; use backup.")
    if options.wants_snapshot:
        raise OptionError("snapshot is given, and this module reads live files only; use backup.")
    return CopiedFiles(options, _folder, Live())


def _folder(kind: str, container: str, access: Mapping[str, Any]) -> Storage:
    del access
    if kind != "local":
        raise OptionError(f"storage is {kind}, and this module writes to folders (local) only; use backup.")
    return LocalStorage(container, makes_container=False)


@readable_errors("backup")
def backup_local(action: Mapping[str, Any], progress: Progress | None = None, dry_run: bool = False) -> dict[str, Any]:
    """The same as `backup`. Raises OptionError for clouds, their storages, snapshots and databases."""
    return run_verb("backup", new_backup, _copied_files(parse_options(action)), progress, dry_run)
