# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What a holder keeps on its host: a folder that only its user can enter, with a record, a log, a socket and a lock.

    NAME.json   what is held, or what the last hold was; written before each step, so that a crash can be cleaned up
    NAME.sock   where the holder listens while it holds
    NAME.lock   locked while the holder or its guard lives
    NAME.log    a line for each step

The record has the targets as they were given while something is held, with their passwords; afterwards without.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import stat
import time
from typing import Any

from .base import QuiesceError, uptime

_LOG_BYTES = 256 * 1024


def default_folder() -> str:
    """Where root keeps its holds, or where this user does."""
    if os.geteuid() == 0:
        return "/run/freezer-backup"
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return os.path.join(runtime, "freezer-backup") if runtime else f"/tmp/freezer-backup-{os.geteuid()}"


class State:
    """The files of the hold called `name`. Makes nothing until `make`."""

    def __init__(self, folder: str | None = None, name: str = "default") -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", name):
            raise QuiesceError(
                f"A hold cannot be called {name!r}: letters, digits, dots, dashes and underscores, 64 at most."
            )
        self.folder = folder or default_folder()
        self.name = name

    def path(self, ending: str) -> str:
        """The file with this ending."""
        return os.path.join(self.folder, f"{self.name}.{ending}")

    def make(self) -> None:
        """Make the folder, or see that it is ours alone."""
        try:
            os.makedirs(os.path.dirname(self.folder), exist_ok=True)
            try:
                os.mkdir(self.folder, 0o700)
            except FileExistsError:
                pass
            found = os.lstat(self.folder)
        except OSError as error:
            raise QuiesceError(f"The holder's folder {self.folder} cannot be made: {error.strerror}.") from None
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise QuiesceError(
                f"The holder's folder {self.folder} has to be a folder that only this user can enter (0700)."
            )

    def read(self) -> dict[str, Any]:
        """The record, empty if there is none."""
        try:
            with open(self.path("json"), encoding="utf-8") as file:
                record = json.load(file)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise QuiesceError(f"The record {self.path('json')} cannot be read: {error}.") from None
        return record if isinstance(record, dict) else {}

    def write(self, record: dict[str, Any]) -> None:
        """Replace the record."""
        partial = self.path("json.partial")
        try:
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:
                json.dump(record, file)
            os.replace(partial, self.path("json"))
        except OSError as error:
            raise QuiesceError(f"The record {self.path('json')} cannot be written: {error.strerror}.") from None

    def open_log(self) -> int:
        """A descriptor that appends to the log. One that has grown is begun anew."""
        path = self.path("log")
        try:
            if os.path.exists(path) and os.path.getsize(path) > _LOG_BYTES:
                os.replace(path, path + ".old")
            return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise QuiesceError(f"The log {path} cannot be opened: {error.strerror}.") from None

    def lock(self, wait_seconds: float = 0) -> int | None:
        """A descriptor that keeps the hold's lock, None if a holder or a guard has it. Children share it."""
        try:
            descriptor = os.open(self.path("lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise QuiesceError(f"The lock {self.path('lock')} cannot be opened: {error.strerror}.") from None
        until = uptime() + wait_seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return descriptor
            except OSError:
                if uptime() >= until:
                    os.close(descriptor)
                    return None
            time.sleep(0.05)

    def address(self) -> tuple[str, int]:
        """The socket's path by way of a descriptor of the folder, which the caller closes: a full one may be too long."""
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return f"/proc/self/fd/{folder}/{self.name}.sock", folder

    def remove_socket(self) -> None:
        """Take the socket away, if it is there."""
        try:
            os.unlink(self.path("sock"))
        except OSError:
            pass
