# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A source in which things are moved at known moments of a backup."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive import create

from .sets import Set
from .trees import write

#: So many folders make more than one record of 128 KiB, after which tar can be made to wait.
FOLDERS = 100


class Moving(Set):
    """A set with a folder P between many others, and commands that are run while tar archives folders."""

    #: Whether the events of `between` happen in every run of tar, and not in the next one only.
    again = False

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(folder, max_level=5)
        self.outside = folder / "outside"
        write(self.outside / "a" / "passwd", b"root")
        write(self.source / "P" / "kept", b"kept")
        for number in range(FOLDERS):
            (self.source / f"A{number}").mkdir()
            (self.source / f"Z{number}").mkdir()
        self._script = folder / "script"
        self._events: list[str] = []
        self._real = create.tar.create_argv
        monkeypatch.setattr(create.tar, "create_argv", self._argv)

    def between(self, *commands: str) -> None:
        """Run commands in the source after the first records: when the folders A have been written, when the folders Z have."""
        self._events = list(commands)

    def _argv(self, *arguments: Any, **options: Any) -> list[str]:
        argv = self._real(*arguments, **options)
        events, self._events = self._events, self._events if self.again else []
        if not events:
            return argv
        cases = "".join(f"{number}) {command} ;;\n" for number, command in enumerate(events, 1))
        self._script.write_text(f"cd {shlex.quote(str(self.source))}\ncase $TAR_CHECKPOINT in\n{cases}esac\n")
        action = f"--checkpoint-action=exec=sh {shlex.quote(str(self._script))}"
        return [argv[0], "--checkpoint=1", action, *argv[1:]]
