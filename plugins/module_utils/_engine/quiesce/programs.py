# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The programs of a hold: commands of the user, and clients of databases that stay connected.

Each has a session of its own, so that it can be ended with all that it has started.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..system import process
from ..system.errors import HostError
from ..system.process import Program
from .base import QuiesceError

#: Variables for clients of databases. The mark of a scheduler's run is left out: the end of a run must not end a thaw.
_KEPT = ("PG", "MYSQL", "MARIADB", "MONGO")


def find(names: Sequence[str], what: str) -> str:
    """The path of the first of these programs that is installed. Raises QuiesceError; `what` is what needs it."""
    for name in names:
        path = process.find(name)
        if path:
            return path
    raise QuiesceError(f"{what} needs {' or '.join(names)}, which this host does not have.")


def start(
    argv: Sequence[str],
    variables: Mapping[str, str] | None = None,
    os_user: str | None = None,
    pass_fds: Sequence[int] = (),
    talk: bool = False,
) -> Program:
    """Start a program, with `talk` one with pipes for input and output.

    It runs as the user `os_user`. `variables` are added to its environment, which only that user and root can read.
    Raises QuiesceError.
    """
    listens, prints = (process.PIPE, process.PIPE) if talk else (process.DISCARD, process.SAID)
    try:
        return Program(
            argv,
            stdin=listens,
            stdout=prints,
            pass_fds=pass_fds,
            env=process.environment(variables, _KEPT, os_user),
            os_user=os_user,
            own_session=True,
        )
    except HostError as problem:
        raise QuiesceError(str(problem)) from problem


def user_id(name: str) -> int:
    """The id of a user. Raises QuiesceError if there is no such user."""
    try:
        return process.user(name).pw_uid
    except HostError as problem:
        raise QuiesceError(str(problem)) from problem
