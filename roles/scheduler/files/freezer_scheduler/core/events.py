# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Events of jobs without an API: a file for each event in the folder of the client, and a pipe that wakes the scheduler.
Only the owner of that folder can request events."""

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
    """The scheduler does not handle the event; the message is the reason, for the end of a sentence."""


class Asked(NamedTuple):
    """An event that was requested. ``name`` is unique."""

    name: str
    job_id: str
    event: str


class EventBox:
    """The waiting events in the folder of a client. Methods raise OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / _FOLDER
        self._pipe = folder / _PIPE

    # For the command line.

    def ask(self, job_id: str, event: str, seconds: float = _ANSWER_SECONDS) -> None:
        """Request an event of the running scheduler, and wait until it is handled. Raises NotHeard."""
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
                # If the file is gone, it was handled meanwhile.
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
                    raise NotHeard(f"it did not answer within {seconds:g} seconds; try again")
            time.sleep(0.02)

    def _wake(self) -> None:
        try:
            descriptor = os.open(self._pipe, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENXIO):
                # The scheduler is starting, and reads the events then.
                return
            raise
        with contextlib.suppress(BlockingIOError):
            os.write(descriptor, b"x")
        os.close(descriptor)

    # For the scheduler.

    def open_pipe(self) -> int:
        """The descriptor of a pipe on which a byte arrives with each event; it never reaches its end."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._pipe)
        os.mkfifo(self._pipe, 0o600)
        return os.open(self._pipe, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)

    def waiting(self) -> Iterator[Asked | str]:
        """The waiting events, the oldest first; for an invalid file its name."""
        try:
            with os.scandir(self._folder) as found:
                # A folder is no event, and could not be removed like a file.
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
        """Remove an event that was handled, after the journal has recorded that."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._folder / name)
