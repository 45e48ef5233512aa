# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The programs that a hold needs: commands of the user, and clients of databases that are kept open.

Each has a session of its own, so that it can be ended with all that it has started. What they say goes to memory, not
to a disk that may be frozen or full.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import IO, Any

from .base import QuiesceError

_PATHS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: What a program of the same user keeps: how databases are reached, and where that user's own things are. Nothing else
#: of ours, among which are passwords of clouds and of the API.
_KEPT = ("HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "LD_LIBRARY_PATH")
_KEPT_BEGINNINGS = ("PG", "MYSQL", "MARIADB", "MONGO")
_SHOWN = 500


def find(names: Sequence[str], what: str) -> str:
    """The path of the first of these programs that is here. Raises QuiesceError; `what` says what needs it."""
    for name in names:
        path = shutil.which(name, path=_search_path())
        if path:
            return path
    raise QuiesceError(f"{what} needs {' or '.join(names)}, and there is none on this host.")


def _search_path() -> str:
    return f"{os.environ.get('PATH', '')}:{_PATHS}"


def environment(os_user: str | None, variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a program gets: little, and nothing of this process if it runs as another user."""
    found = _user(os_user) if os_user else None
    if found is not None and found.pw_uid != os.geteuid():
        own = {
            "HOME": found.pw_dir,
            "USER": found.pw_name,
            "LOGNAME": found.pw_name,
            "SHELL": "/bin/sh",
            "PATH": _PATHS,
        }
    else:
        own = {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith(_KEPT_BEGINNINGS)}
        own["PATH"] = _search_path()
    return {**own, "LC_ALL": "C", **(variables or {})}


class Program:
    """A program that was started, in a session of its own.

    `os_user` is the user that it runs as; only root can name another than itself. `variables` come to its `environment`,
    which only that user and root can read.
    """

    def __init__(
        self,
        argv: Sequence[str],
        variables: dict[str, str] | None = None,
        os_user: str | None = None,
        pass_fds: Sequence[int] = (),
        talk: bool = False,
    ) -> None:
        self.name = os.path.basename(argv[0])
        self._said = os.memfd_create("said")
        pipe = subprocess.PIPE if talk else subprocess.DEVNULL
        try:
            self.process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                list(argv),
                stdin=pipe,
                stdout=pipe if talk else self._said,
                stderr=self._said,
                pass_fds=tuple(pass_fds),
                start_new_session=True,
                cwd="/",
                env=environment(os_user, variables),
                **(_as_user(os_user) if os_user else {}),
            )
        except (OSError, ValueError) as error:
            os.close(self._said)
            self._said = -1
            raise QuiesceError(f"{argv[0]} cannot be started: {getattr(error, 'strerror', None) or error}.") from None

    @property
    def stdin(self) -> IO[bytes]:
        """Where it listens, of a program to talk to."""
        pipe = self.process.stdin
        if pipe is None:
            raise QuiesceError(f"{self.name} was not started to be talked to.")
        return pipe

    @property
    def stdout(self) -> IO[bytes]:
        """Where it answers, of a program to talk to."""
        pipe = self.process.stdout
        if pipe is None:
            raise QuiesceError(f"{self.name} was not started to be talked to.")
        return pipe

    def said(self) -> str:
        """The end of what it has said, in one line."""
        if self._said < 0:
            return ""
        length = os.fstat(self._said).st_size
        text = os.pread(self._said, 4 * _SHOWN, max(0, length - 4 * _SHOWN)).decode("utf-8", "replace")
        return " ".join(text.split())[-_SHOWN:]

    def wait(self, timeout_seconds: float) -> int | None:
        """Its exit status, None if it still runs after that time."""
        try:
            return self.process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """End it at once, with all that it has started and that has stayed in its session."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except OSError:
            pass

    def close(self) -> None:
        """Make sure that it is gone."""
        if self.process.poll() is None:
            self.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    pass
        if self._said >= 0:
            os.close(self._said)
            self._said = -1


def user_id(name: str) -> int:
    """The number of a user. Raises QuiesceError if there is no such user."""
    return _user(name).pw_uid


def _user(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise QuiesceError(f"There is no user {name} on this host.") from None


def _as_user(name: str) -> dict[str, Any]:
    found = _user(name)
    if found.pw_uid == os.geteuid():
        return {}
    if os.geteuid() != 0:
        raise QuiesceError(f"Only root can run a client as {name}.")
    return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": os.getgrouplist(name, found.pw_gid)}
