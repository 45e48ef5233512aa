# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The log file: one line for each thing that happened, with its time and the process."""

from __future__ import annotations

import os
from datetime import datetime

from ansible_collections.freezer.backup.plugins.module_utils._engine.system.file_names import printable

from .errors import UsageError


class LogFile:
    """Appends to a file. A file that does not exist is made readable for its owner only."""

    def __init__(self, path: str) -> None:
        """Open it. Raises UsageError."""
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY, 0o600)
        except OSError as problem:
            raise UsageError(f"log_file {path} cannot be written: {problem.strerror}.") from None

    def write(self, text: str, level: str = "INFO") -> None:
        """Add a line. A log that cannot be written any more (a full disk) does not end a backup."""
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        line = f"{now} {os.getpid()} {level} {printable(text)}\n"
        try:
            os.write(self._descriptor, line.encode("utf-8", "backslashreplace"))
        except OSError:
            pass
