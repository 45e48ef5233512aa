# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The programs that a hold needs: commands of the user, and clients of databases that are kept open.

Each has a session of its own, so that it can be ended with all that it has started.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..system import process
from ..system.errors import HostError
from ..system.process import Program
from .base import QuiesceError

#: How databases are reached. The mark of a scheduler's run is not among it: what ends a run must not end what thaws.
_KEPT = ("PG", "MYSQL", "MARIADB", "MONGO")


def find(names: Sequence[str], what: str) -> str:
    """The path of the first of these programs that is here. Raises QuiesceError; `what` says what needs it."""
    for name in names:
        path = process.find(name)
        if path:
            return path
    raise QuiesceError(f"{what} needs {' or '.join(names)}, and there is none on this host.")


def start(
    argv: Sequence[str],
    variables: Mapping[str, str] | None = None,
    os_user: str | None = None,
    pass_fds: Sequence[int] = (),
    talk: bool = False,
) -> Program:
    """Start a program, with `talk` one that is written to and read from.

    `os_user` is the user that it runs as. `variables` come to its environment, which only that user and root can read.
    Raises QuiesceError.
    """
    listens, prints = (process.PIPE, process.PIPE) if talk else (process.DISCARD, process.SAID)
    try:
        return Program(
            argv,
            stdin=listens,
            stdout=prints,
            pass_fds=pass_fds,
            cwd="/",
            env=process.environment(variables, _KEPT, os_user),
            os_user=os_user,
            own_session=True,
        )
    except HostError as problem:
        raise QuiesceError(str(problem)) from problem


def user_id(name: str) -> int:
    """The number of a user. Raises QuiesceError if there is no such user."""
    try:
        return process.user(name).pw_uid
    except HostError as problem:
        raise QuiesceError(str(problem)) from problem
