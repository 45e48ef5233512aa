# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The only file that starts other programs: as lists of arguments, in English, and never longer than they are needed.

Ansible's own modules start programs through AnsibleModule, which the engine does not know; hence the remarks to pylint.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Sequence
from typing import IO, Protocol, Union

_READ_BYTES = 1 << 20
PIPE, DISCARD = subprocess.PIPE, subprocess.DEVNULL

Program = subprocess.Popen
Stream = Union[int, IO[bytes]]

# What programs say is read by this one, so they have to speak one language.
_OVERRIDES = {"LC_ALL": "C", "TZ": "UTC"}
_NOT_INHERITED = ("TAR_OPTIONS", "TAPE")


def environment() -> dict[str, str]:
    """The environment of programs: the caller's, with messages in English and no options of the caller's shell."""
    inherited = {key: value for key, value in os.environ.items() if key not in _NOT_INHERITED}
    return {**inherited, **_OVERRIDES}


def start(
    argv: Sequence[str], stdin: Stream = DISCARD, stdout: Stream = PIPE, pass_fds: Sequence[int] = ()
) -> Program[bytes]:
    """Start a program; its error stream is a pipe."""
    return subprocess.Popen(  # pylint: disable=ansible-bad-function
        argv, stdin=stdin, stdout=stdout, stderr=PIPE, pass_fds=tuple(pass_fds), env=environment()
    )


def run(argv: Sequence[str], cwd: str | None = None) -> tuple[int, str, str]:
    """Run a program to its end, in a folder or in the caller's: its status, and what it said on both streams."""
    done = subprocess.run(  # pylint: disable=ansible-bad-function
        argv, stdin=DISCARD, capture_output=True, check=False, cwd=cwd, env=environment()
    )
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace").strip()


def end(program: Program[bytes]) -> None:
    """Make sure that a program is gone and its pipes are closed."""
    if program.poll() is None:
        program.kill()
    program.wait()
    for pipe in (program.stdin, program.stdout, program.stderr):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:
                pass


class Readable(Protocol):
    """What gives the next bytes, as many as are asked for at most, and none at its end."""

    def read(self, size: int, /) -> bytes | None: ...


class Feeder(threading.Thread):
    """Pushes a stream into a program while another thread reads what comes out of it."""

    def __init__(self, stream: Readable, sink: IO[bytes]) -> None:
        super().__init__(name="feeder", daemon=True)
        self.failure: BaseException | None = None
        self._stream, self._sink = stream, sink
        self.start()

    def run(self) -> None:
        try:
            while True:
                block = self._stream.read(_READ_BYTES)
                if not block:
                    break
                self._sink.write(block)
            self._sink.close()
        except BrokenPipeError:
            pass  # the program has ended: its exit status tells why
        except BaseException as problem:  # noqa: BLE001 - handed to the thread that reads
            self.failure = problem
            try:
                self._sink.close()
            except BrokenPipeError:
                pass
