# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What a host remembers between runs, in files that only root or this user can write."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
import secrets
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from ..errors import quoted
from ..system.undo import on_failure
from .errors import StorageError
from .folders import open_regular

#: Where another folder than the default one has what this host remembers.
STATE_VARIABLE = "FREEZER_BACKUP_STATE"
_ELSEWHERE: ContextVar[str | None] = ContextVar("the state folder of what is under way", default=None)


@contextlib.contextmanager
def remembering_in(folder: str) -> Iterator[None]:
    """Work as one who remembers what is in a folder, and nothing else. Other threads are not meant."""
    token = _ELSEWHERE.set(folder)
    try:
        yield
    finally:
        _ELSEWHERE.reset(token)


def default_state_folder() -> str:
    """Where root keeps what a host remembers, or where this user does. Raises StorageError for a relative path."""
    named = _ELSEWHERE.get() or os.environ.get(STATE_VARIABLE)
    if named:
        if not os.path.isabs(named):
            raise StorageError(f"{STATE_VARIABLE} has to be the absolute path of a folder, and is {quoted(named)}.")
        return named
    if os.geteuid() == 0:
        return "/var/lib/freezer-backup"
    try:
        home = pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        home = os.path.expanduser("~")
    return os.path.join(home, ".local", "state", "freezer-backup")


class StateFile:
    """A JSON object in a file of the state folder, which is written as a whole and never larger than it is read.

    `lost` completes the sentence about a file that is not what was written: what is not known then. Raises StorageError where
    the file cannot be used.
    """

    def __init__(self, folder: str, name: str, most_bytes: int, lost: str) -> None:
        self.path = os.path.join(folder, name)
        self._most_bytes, self._lost = most_bytes, lost

    def read(self) -> dict[str, Any]:
        """The object; an empty one if there is no file."""
        try:
            with os.fdopen(open_regular(self.path), "rb") as file:
                found = os.fstat(file.fileno())
                if found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022:
                    raise StorageError(
                        f"{self.path} can be written by others, so nothing in it is believed; remove it."
                    )
                known = json.loads(file.read(self._most_bytes))
            if not isinstance(known, dict):
                raise ValueError
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except (ValueError, RecursionError):
            raise StorageError(f"{self.path} is not what was written, so {self._lost}; remove it.") from None
        except OSError as problem:
            raise StorageError(
                f"{self.path} cannot be read: {problem.strerror or problem}. Make it a file of this user's, or name another folder "
                f"in the environment variable {STATE_VARIABLE}."
            ) from problem
        return known

    def locked(self) -> contextlib.AbstractContextManager[None]:
        """Be the only one that reads and writes the file. The folder is made. Raises OSError for it and for its lock."""
        return locked(self.path)

    def write(self, content: bytes) -> None:
        """Replace the file; it is on disk when this returns. Raises OSError."""
        if len(content) > self._most_bytes:
            raise ValueError(f"{self.path} takes {self._most_bytes} bytes")
        write_whole(self.path, content)


@contextlib.contextmanager
def locked(path: str) -> Iterator[None]:
    """Be the only one that makes or changes a file of the state folder, which is made. Raises OSError."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    descriptor = open_regular(f"{path}.lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_whole(path: str, content: bytes) -> None:
    """Write a file that only this user may read, under its name as a whole and on disk. Raises OSError."""
    partial = f"{path}.{secrets.token_hex(4)}.partial"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with on_failure(lambda: _unlink(partial)):
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.rename(partial, path)


def in_json(known: dict[str, Any]) -> bytes:
    """An object as it is written."""
    return json.dumps(known, indent=1).encode("ascii")


def _unlink(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)
