# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The only file that starts other programs: as lists of words, never through a shell, and with an environment made for them.

Ansible's own modules start programs through AnsibleModule, which the engine does not know; hence the remark to pylint.
A holder gets this file as well (`quiesce/launch.py`), so it imports nothing but errors and the standard library.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import IO, Any, NamedTuple, Union, cast

from .errors import HostError

PIPE, DISCARD = subprocess.PIPE, subprocess.DEVNULL
#: For an output: it goes to memory, not to a disk that may be frozen or full, and its end is what `Program.said` tells.
SAID = -10

#: A variable that the scheduler gives to an agent: what carries it belongs to that run, and ends with it.
RUN_MARK = "FREEZER_RUN"

_PATHS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: What a program of the same user keeps: where that user's own things are. Not passwords of clouds and of the API, nor
#: options that a shell has for tar or zstd.
_KEPT = ("HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "LD_LIBRARY_PATH")
_SAID_BYTES = 2000
_SHOWN = 500
#: The most that `run` reads of what a program prints, and of what it says on its error stream.
_OUTPUT_BYTES, _ERROR_BYTES = 64 << 20, 64 << 10
#: How long a killed program is waited for. One that the kernel does not end, because a disk does not answer, is left behind.
_TO_DIE_SECONDS = 10.0
_PAUSE_SECONDS = 0.02

#: For an input or an output: that of this process.
OURS = None

Stream = Union[int, IO[bytes], None]


def search_path() -> str:
    """Where programs are looked for: where the caller does, and where a system has them."""
    return ":".join(filter(None, [os.environ.get("PATH"), _PATHS]))


def find(name: str) -> str | None:
    """The path of a program; None if this host has none of that name."""
    return shutil.which(name, path=search_path())


def environment(
    variables: Mapping[str, str] | None = None, keep: Sequence[str] = (RUN_MARK,), os_user: str | None = None
) -> dict[str, str]:
    """What a program gets: little, messages in English, and nothing of this process if it runs as another user.

    `keep` has names of variables that it needs besides, or their beginnings. Raises HostError if there is no such user.
    """
    found = user(os_user) if os_user else None
    if found is not None and found.pw_uid != os.geteuid():
        own = {
            "HOME": found.pw_dir,
            "USER": found.pw_name,
            "LOGNAME": found.pw_name,
            "SHELL": "/bin/sh",
            "PATH": _PATHS,
        }
    else:
        own = {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith(tuple(keep))}
        own["PATH"] = search_path()
    return {**own, "LC_ALL": "C", **(variables or {})}


def user(name: str) -> pwd.struct_passwd:
    """What this host knows of a user. Raises HostError if there is no such user."""
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise HostError(f"There is no user {name} on this host.") from None


class Program:
    """A program that was started; as a context manager, one that is gone when the block ends.

    With `own_session` it can be ended with all that it has started. `os_user` is the user that it runs as; only root can
    name another than itself. Without another `cwd` it runs in the root folder, as the current one may have been removed;
    with None in the current one. Raises HostError if it cannot be started.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        stdin: Stream = DISCARD,
        stdout: Stream = SAID,
        stderr: Stream = SAID,
        pass_fds: Sequence[int] = (),
        cwd: str | None = "/",
        env: Mapping[str, str] | None = None,
        os_user: str | None = None,
        own_session: bool = False,
    ) -> None:
        self.name = os.path.basename(argv[0])
        self._own_session = own_session
        as_user = _as_user(os_user, self.name)
        given = environment(os_user=os_user) if env is None else dict(env)
        self._said = os.memfd_create("said") if SAID in (stdout, stderr) else -1
        try:
            self._process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                list(argv),
                stdin=stdin,
                stdout=self._said if stdout == SAID else stdout,
                stderr=self._said if stderr == SAID else stderr,
                pass_fds=tuple(pass_fds),
                start_new_session=own_session,
                cwd=cwd,
                env=given,
                **as_user,
            )
        except (OSError, ValueError) as problem:
            self._close_said()
            raise HostError(
                f"{argv[0]} cannot be started: {getattr(problem, 'strerror', None) or problem}."
            ) from problem
        #: Where it listens, what it prints, and its error stream; each if that is a PIPE.
        self.stdin, self.stdout, self.stderr = (
            cast("IO[bytes]", pipe) for pipe in (self._process.stdin, self._process.stdout, self._process.stderr)
        )

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    @property
    def pid(self) -> int:
        """The number of the process, and of its session if it has its own."""
        return self._process.pid

    def said(self) -> str:
        """The end of what it has said, in one line."""
        return "" if self._said < 0 else " ".join(_end_of(self._said, _SAID_BYTES).split())[-_SHOWN:]

    def wait(self, timeout_seconds: float | None = None) -> int | None:
        """Its exit status, below zero for a signal; None if it still runs after that time."""
        try:
            return self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """End it at once, with its session if it has its own. Another thread may wait for it."""
        self._signal(signal.SIGKILL)

    def end(self, patience_seconds: float = 0.0) -> None:
        """Make sure that it is gone and its pipes are closed. With some patience it is asked to end first."""
        if self._process.poll() is None:
            if patience_seconds:
                self._signal(signal.SIGTERM)
                end = time.monotonic() + patience_seconds
                over = os.WEXITED | os.WNOHANG | os.WNOWAIT
                while time.monotonic() < end and os.waitid(os.P_PID, self.pid, over) is None:
                    time.sleep(_PAUSE_SECONDS)
            # It has not been reaped yet, so that no other process can have its number.
            self._signal(signal.SIGKILL)
            if self.wait(_TO_DIE_SECONDS) is None:
                self.leave()
        for pipe in (self.stdin, self.stdout, self.stderr):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    pass
        self._close_said()

    def leave(self) -> None:
        """Let it run on after this process, which would be warned of it by Python."""
        if self._process.returncode is None:
            self._process.returncode = 0

    def _signal(self, number: int) -> None:
        try:
            if self._own_session:
                os.killpg(self.pid, number)
            else:
                self._process.send_signal(number)
        except OSError:
            pass

    def _close_said(self) -> None:
        if self._said >= 0:
            os.close(self._said)
            self._said = -1


class Done(NamedTuple):
    """How a program ended. The status is None if it did not end in time. Undecodable bytes of the output are surrogates."""

    status: int | None
    output: str
    said: str

    @property
    def first_words(self) -> str:
        """The first line that it said, for a sentence; one that only warns if there is no other."""
        lines = [line.strip().rstrip(".") for line in self.said.splitlines() if line.strip()]
        lines.sort(key=lambda line: line.startswith("WARNING"))
        return lines[0] if lines else f"it ended with status {self.status}"


def run(
    argv: Sequence[str],
    *,
    timeout_seconds: float | None = None,
    patience_seconds: float = 0.0,
    cwd: str = "/",
    env: Mapping[str, str] | None = None,
    own_session: bool = False,
) -> Done:
    """Run a program to its end, which is at the latest that of the time; one that has to be ended gets its patience first.

    Raises HostError if it cannot be started, or prints more than can be meant.
    """
    output, said = os.memfd_create("output"), os.memfd_create("said")
    try:
        program = Program(argv, stdout=output, stderr=said, cwd=cwd, env=env, own_session=own_session)
        try:
            status = program.wait(timeout_seconds)
        finally:
            program.end(patience_seconds)
        if os.fstat(output).st_size > _OUTPUT_BYTES:
            raise HostError(f"{argv[0]} prints more than {_OUTPUT_BYTES} bytes.")
        words = _end_of(said, _ERROR_BYTES).strip()
        if status is None:
            words += f"\nit did not end in {timeout_seconds:g} s"
        printed = os.pread(output, _OUTPUT_BYTES, 0).decode("utf-8", "surrogateescape")
        return Done(status, printed, words.strip())
    finally:
        os.close(output)
        os.close(said)


def _end_of(descriptor: int, most_bytes: int) -> str:
    length = os.fstat(descriptor).st_size
    return os.pread(descriptor, most_bytes, max(0, length - most_bytes)).decode("utf-8", "replace")


def _as_user(name: str | None, program: str) -> dict[str, Any]:
    """How Popen becomes a user. Raises HostError if that cannot be."""
    found = user(name) if name else None
    if found is None or found.pw_uid == os.geteuid():
        return {}
    if os.geteuid() != 0:
        raise HostError(f"Only root can run {program} as {found.pw_name}.")
    groups = os.getgrouplist(found.pw_name, found.pw_gid)
    return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": groups}
