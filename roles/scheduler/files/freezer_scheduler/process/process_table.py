# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Facts about processes from Linux: their start, their session, marks in their environment."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

_PROC = Path("/proc")
_CGROUPS = Path("/sys/fs/cgroup")


@lru_cache(maxsize=1)
def boot_id() -> str:
    """The id of the current boot of the machine; empty if it is unknown."""
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def born(pid: int) -> str:
    """A mark of the start of a process, unique among processes with this id; empty if there is no such process.

    A zombie does not count.
    """
    fields = _stat(pid)
    return f"{boot_id()}:{fields[19]}" if fields and fields[0] not in ("Z", "X") else ""


def in_session(leader: int) -> set[int]:
    """The living processes of the session, or of the process group, of a leader."""
    found = set()
    for pid in _all():
        fields = _stat(pid)
        # State, parent, group, session.
        if fields and fields[0] not in ("Z", "X") and str(leader) in (fields[2], fields[3]):
            found.add(pid)
    return found


def marked(name: str, value: str) -> Iterator[int]:
    """The processes that were started with this environment variable, as far as we may read it."""
    wanted = f"{name}={value}".encode()
    for pid in _all():
        with contextlib.suppress(OSError):
            if wanted in (_PROC / str(pid) / "environ").read_bytes().split(b"\0") and born(pid):
                yield pid


def kill_scope(pid: int, scope: str) -> None:
    """Kill all processes in a systemd scope, also those that have left the session."""
    if not scope:
        return
    with contextlib.suppress(OSError):
        for folder in _CGROUPS.glob(f"**/{scope}"):
            (folder / "cgroup.kill").write_text("1")


def _all() -> Iterator[int]:
    own = os.getpid()
    for name in os.listdir(_PROC):
        if name.isdigit() and int(name) != own:
            yield int(name)


def _stat(pid: int) -> list[str]:
    """The fields after the command in parentheses, from the state on."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
