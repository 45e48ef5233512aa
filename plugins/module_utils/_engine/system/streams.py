# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The standard streams of a program: closed by its caller, full, or closed by its reader."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from .errors import HostError


def open_standard_streams() -> None:
    """Open /dev/null for each standard stream that the caller has closed; else the next file gets its descriptor."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            try:
                os.close(number)
            except OSError:
                pass
            os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(number, True)
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))  # noqa: SIM115


def say(line: str) -> None:
    """Print a line on standard error, if that can be: what cannot be told ends no work."""
    try:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
    except OSError:
        pass


def give_stdout_up() -> None:
    """Write nothing more to standard output, so that Python does not try again as it ends."""
    _give_up(sys.stdout)


def _give_up(stream: TextIO) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def unwritten(problem: OSError) -> HostError:
    """The error of a result that could not be written to standard output."""
    return HostError(f"Standard output could not be written: {problem.strerror}.")


def status_after_output(command: str, status: int) -> int:
    """The exit status of a command that had this one before its output was written: 1 and a sentence if it could not be."""
    try:
        sys.stdout.flush()
    except OSError as problem:
        give_stdout_up()
        if not isinstance(problem, BrokenPipeError):  # its reader has seen enough
            say(f"{command}: {unwritten(problem)}")
        status = status or 1
    try:
        sys.stderr.flush()
    except OSError:
        _give_up(sys.stderr)
    return status
