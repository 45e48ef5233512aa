# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The files of a holder: a folder that only its user can enter, with a record, a log, a socket and a lock.

    NAME.json   the record of the hold, or of the last one; written before each step, so that a crash can be cleaned up
    NAME.sock   where the holder listens while it holds
    NAME.lock   locked while the holder or its guard lives
    NAME.log    a line for each step

The record has the targets as they were given while something is held, with their passwords; afterwards without.

A record names commands that `thaw` runs, so only a folder and files of this user are trusted. They are checked and used by
the same descriptor.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
import re
import stat
import time
from collections.abc import Iterator
from typing import Any

from ..system.undo import on_failure
from .base import QuiesceError, uptime

_LOG_BYTES = 256 * 1024
#: The most bytes of a record, which has targets and facts about them, such as PostgreSQL's label.
_RECORD_BYTES = 16 << 20


def default_folder() -> str:
    """The folder for holds of root, or of this user; never one that another user could have made before."""
    user = os.geteuid()
    if user == 0:
        return "/run/freezer-backup"
    for runtime in (os.environ.get("XDG_RUNTIME_DIR"), f"/run/user/{user}"):
        if runtime and os.path.isabs(runtime) and _is_own_folder(runtime):
            return os.path.join(runtime, "freezer-backup")
    return os.path.join(_home(user), ".local", "state", "freezer-backup", "holds")


def _is_own_folder(path: str) -> bool:
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def _home(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_dir
    except KeyError:
        return os.path.expanduser("~")


class State:
    """The files of the hold called `name`. `make` makes the folder.

    All methods raise QuiesceError if the folder exists and is not owned by this user, or others can enter it.
    """

    def __init__(self, folder: str | None = None, name: str = "default") -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", name):
            raise QuiesceError(
                f"A hold cannot be called {name!r}: letters, digits, dots, dashes and underscores, 64 at most."
            )
        self.folder = folder or default_folder()
        self.name = name

    def path(self, ending: str) -> str:
        """The file with this ending, for messages."""
        return os.path.join(self.folder, f"{self.name}.{ending}")

    def make(self) -> None:
        """Make the folder, or check that it is private to this user."""
        try:
            os.makedirs(os.path.dirname(self.folder), mode=0o700, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                os.mkdir(self.folder, 0o700)
        except OSError as error:
            raise QuiesceError(f"The holder's folder {self.folder} cannot be made: {error.strerror}.") from None
        with self._opened():
            pass

    def exists(self) -> bool:
        """Whether the folder exists. Raises QuiesceError if it is not private to this user."""
        try:
            with self._opened():
                return True
        except FileNotFoundError:
            return False

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        """A descriptor of the folder, which was checked. Raises FileNotFoundError if there is none."""
        try:
            descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except (FileNotFoundError, InterruptedError):
            raise
        except OSError:
            raise self._foreign() from None
        try:
            found = os.fstat(descriptor)
            if found.st_uid != os.geteuid() or found.st_mode & 0o077:
                raise self._foreign()
            yield descriptor
        finally:
            os.close(descriptor)

    def _foreign(self) -> QuiesceError:
        return QuiesceError(
            f"The holder's folder {self.folder} has to be a folder, not a link, that belongs to the user with id "
            f"{os.geteuid()} and that only this user can enter (0700); nothing in it is trusted. Find out whose it is, and remove "
            "it or choose another one."
        )

    @contextlib.contextmanager
    def _file(self, ending: str, flags: int) -> Iterator[int]:
        """A descriptor of a checked file in the folder; after a body without errors the caller closes it. Raises OSError."""
        with self._opened() as folder:
            name = f"{self.name}.{ending}"
            descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600, dir_fd=folder)
            with on_failure(lambda: os.close(descriptor)):
                found = os.fstat(descriptor)
                if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
                    raise QuiesceError(
                        f"{self.path(ending)} is not a file that only the user with id {os.geteuid()} can write; remove it."
                    )
                yield descriptor

    def read(self) -> dict[str, Any]:
        """The record; empty if there is none."""
        try:
            with self._file("json", os.O_RDONLY) as descriptor:
                size = os.fstat(descriptor).st_size
            with open(descriptor, "rb") as file:
                text = file.read(_RECORD_BYTES + 1)
            if max(size, len(text)) > _RECORD_BYTES:
                raise ValueError("it is too large")
            record = json.loads(text)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            raise QuiesceError(f"The record {self.path('json')} cannot be read: {error}.") from None
        return record if isinstance(record, dict) else {}

    def write(self, record: dict[str, Any]) -> None:
        """Replace the record."""
        try:
            with self._file("json.partial", os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as descriptor:
                pass
            with open(descriptor, "w", encoding="utf-8") as file:
                json.dump(record, file)
            with self._opened() as folder:
                os.replace(f"{self.name}.json.partial", f"{self.name}.json", src_dir_fd=folder, dst_dir_fd=folder)
        except OSError as error:
            raise QuiesceError(f"The record {self.path('json')} cannot be written: {error.strerror}.") from None

    def open_log(self) -> int:
        """A descriptor that appends to the log. A large log is begun anew."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        try:
            with self._file("log", flags) as descriptor:
                grown = os.fstat(descriptor).st_size > _LOG_BYTES
            if not grown:
                return descriptor
            os.close(descriptor)
            with self._opened() as folder:
                os.replace(f"{self.name}.log", f"{self.name}.log.old", src_dir_fd=folder, dst_dir_fd=folder)
            with self._file("log", flags) as descriptor:
                return descriptor
        except OSError as error:
            raise QuiesceError(f"The log {self.path('log')} cannot be opened: {error.strerror}.") from None

    def lock(self, wait_seconds: float = 0) -> int | None:
        """A descriptor that locks the hold; None if a holder or a guard has the lock. Children share it."""
        try:
            with self._file("lock", os.O_RDWR | os.O_CREAT) as descriptor:
                pass
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

    @contextlib.contextmanager
    def address(self) -> Iterator[str]:
        """The socket's path through a descriptor of the folder, because a full path may be too long. Raises FileNotFoundError."""
        with self._opened() as folder:
            yield f"/proc/self/fd/{folder}/{self.name}.sock"

    def names(self) -> list[str]:
        """The names of all holds with a record in this folder."""
        try:
            with self._opened() as folder:
                found = os.listdir(folder)
        except FileNotFoundError:
            return []
        return sorted(name[: -len(".json")] for name in found if name.endswith(".json"))

    def remove(self, *endings: str) -> None:
        """Remove files, as far as they exist."""
        try:
            with self._opened() as folder:
                for ending in endings:
                    with contextlib.suppress(OSError):
                        os.unlink(f"{self.name}.{ending}", dir_fd=folder)
        except OSError:
            pass
