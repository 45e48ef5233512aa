# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What is asked of jobs where there is no API: a file for each event in the folder of the client, and a pipe that wakes
the scheduler. Only the owner of that folder can ask."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.kinds import JOB
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.states import EVENTS

_FOLDER, _PIPE = "events", "wake"
_ANSWER_SECONDS = 20.0
_LONGEST = 4096


class NotHeard(FreezerError):
    """The scheduler has not taken the event, and will not; the message says why, in words after a colon."""


class Asked(NamedTuple):
    """An event that was asked for. ``name`` is another one for each."""

    name: str
    job_id: str
    event: str


class EventBox:
    """The events that wait, below the folder of a client. Methods raise OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / _FOLDER
        self._pipe = folder / _PIPE

    # For the command line.

    def ask(self, job_id: str, event: str, seconds: float = _ANSWER_SECONDS) -> None:
        """Ask the running scheduler for an event, and wait until it has it. Raises NotHeard."""
        name = f"{time.time_ns():020d}-{os.getpid()}"
        if not self._folder.is_dir():
            raise NotHeard("it works with an API, or is of an earlier release; restart it with --no-api")
        hidden, path = self._folder / f".{name}", self._folder / name
        descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            if os.geteuid() == 0:
                # The scheduler of another user has to read it.
                owner = os.stat(self._folder)
                os.fchown(descriptor, owner.st_uid, owner.st_gid)
            json.dump({"job_id": job_id, "event": event}, file)
            file.flush()
            os.fsync(file.fileno())
        os.rename(hidden, path)
        self._wake()
        deadline = time.monotonic() + seconds
        while path.exists():
            if time.monotonic() > deadline:
                # It may have been taken at this very moment: then there is nothing to take back.
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
                    raise NotHeard(f"it did not answer within {seconds:g} seconds; try again")
            time.sleep(0.02)

    def _wake(self) -> None:
        try:
            descriptor = os.open(self._pipe, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENXIO):
                # It is about to start, and looks then.
                return
            raise
        with contextlib.suppress(BlockingIOError):
            os.write(descriptor, b"x")
        os.close(descriptor)

    # For the scheduler.

    def open_pipe(self) -> int:
        """The end of the pipe at which a byte arrives with each event; it never comes to its end."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._pipe)
        os.mkfifo(self._pipe, 0o600)
        return os.open(self._pipe, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)

    def waiting(self) -> Iterator[Asked | str]:
        """The events that wait, the oldest first; of a file that is none its name."""
        try:
            with os.scandir(self._folder) as found:
                # A folder among them asks for nothing, and could not be taken away like a file.
                names = sorted(
                    one.name for one in found if not one.name.startswith(".") and not one.is_dir(follow_symlinks=False)
                )
        except FileNotFoundError:
            return
        for name in names:
            yield self._read(name) or name

    def _read(self, name: str) -> Asked | None:
        try:
            descriptor = os.open(self._folder / name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
            with open(descriptor, "rb") as file:
                state = os.fstat(descriptor)
                if not stat.S_ISREG(state.st_mode) or state.st_uid not in (os.geteuid(), 0):
                    return None
                body = json.loads(file.read(_LONGEST))
        except (OSError, ValueError):
            return None
        if not isinstance(body, dict) or not JOB.is_id(body.get("job_id")) or body.get("event") not in EVENTS:
            return None
        return Asked(name, body["job_id"], body["event"])

    def answered(self, name: str) -> None:
        """The event was dealt with, and that is written down."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._folder / name)
