# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A source folder, a container, and the actions between them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive import tree_comparison
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError

Result = dict[str, Any]


class Set:
    """Backups of ``source`` in ``container``, both below one folder; options go along with every action."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self.source = folder / "source"
        self.container = folder / "container"
        self.source.mkdir(exist_ok=True)
        self.options: dict[str, Any] = {
            "path_to_backup": str(self.source),
            "storage": "local",
            "container": str(self.container),
            "backup_name": "tree",
            "hostname": "host",
            **options,
        }
        self._restores = 0

    def backup(self, **options: Any) -> Result:
        """Back up the source."""
        return agent.backup({**self.options, **options})

    def restore(self, target: Path | None = None, **options: Any) -> Result:
        """Restore into a folder, by default a new one."""
        return agent.restore(self.action_to_restore(target or self.new_target(), **options))

    def action_to_restore(self, target: Path, **options: Any) -> dict[str, Any]:
        """The action that restores into a folder."""
        return to_restore(self.options, target, **options)

    def verify(self, **options: Any) -> Result:
        """Verify the newest backup or the one that the options name."""
        return agent.verify({**self.options, **options})

    def info(self, **options: Any) -> Result:
        """List the backups."""
        return agent.info({**self.options, **options})

    def prune(self, **options: Any) -> Result:
        """Remove what the options do not keep."""
        return agent.prune({**self.options, **options})

    def new_target(self) -> Path:
        """The path of a folder that does not exist."""
        self._restores += 1
        return self.folder / f"restored-{self._restores}"

    def folder_of(self, result: Result) -> Path:
        """Where a backup lies in the container."""
        return self.container / result["storages"][0]["folder"]

    @property
    def set_folder(self) -> Path:
        """Where all backups of the set lie."""
        return self.container / f"{self.options['hostname']}_{self.options['backup_name']}"

    def backup_folders(self) -> list[str]:
        """The names of all folders of backups, whole or not."""
        return sorted(path.name for path in self.set_folder.glob("*_*")) if self.set_folder.is_dir() else []


def to_restore(action: Mapping[str, Any], target: Path, **options: Any) -> dict[str, Any]:
    """The action that restores what an action for backups has made; what a backup reads has no place in it."""
    ours = {key: value for key, value in action.items() if key not in ("path_to_backup", "exclude")}
    return {**ours, "restore_abs_path": str(target), **options}


def attempt(work: Callable[..., Result], *arguments: Any, **options: Any) -> tuple[Result | None, FreezerError | None]:
    """What a piece of work gives, or the error that it ends with; any other error is one of the engine's."""
    try:
        return work(*arguments, **options), None
    except FreezerError as problem:
        return None, problem


def tick() -> None:
    """Let the clock of file times go on, so that what was made before is older than a backup that begins now."""
    time.sleep(0.02)


def differences(left: Path, right: Path) -> list[str]:
    """How two trees differ, owners included where they can be restored."""
    return tree_comparison.differences(str(left), str(right), owner=os.geteuid() == 0)
