# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The verbs of the lab; every piece is a module beside this one."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from pathlib import Path
from typing import Protocol

from identity import Keystone
from object_store import Swift
from pieces import LabError
from services import services
from upstream_freezer import UpstreamFreezer

_LOCK_SECONDS = 600


class Piece(Protocol):
    """One service of the lab."""

    name: str

    def up(self) -> None:
        """Install, configure and start it, whatever of that is missing. Raises LabError."""

    def down(self) -> None:
        """Stop it; what it has stored stays."""

    def status(self) -> str | None:
        """One line about it while it runs, else None."""

    def environment(self) -> dict[str, str]:
        """What a program has to know to use it."""


def state_folder() -> Path:
    """Where the lab keeps everything: outside the checkout."""
    cache = os.environ.get("FREEZER_LAB_CACHE")
    if not cache:
        cache = os.path.join(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "freezer-backup-labs")
    return Path(cache) / "openstack"


def main(arguments: list[str]) -> int:
    """Do what the command line says."""
    keystone = Keystone(state_folder())
    swift = Swift(state_folder(), keystone)
    known: tuple[Piece, ...] = (
        keystone,
        UpstreamFreezer(state_folder(), keystone),
        swift,
        *services(state_folder(), keystone, swift),
    )
    pieces = {piece.name: piece for piece in known}
    verb, names = (arguments[0] if arguments else ""), arguments[1:]
    unknown = [name for name in names if name not in pieces]
    if verb not in ("up", "down", "status", "env") or unknown:
        print(f"usage: lab up | down | status | env  [{'] ['.join(pieces)}]", file=sys.stderr)
        return 2
    chosen = [pieces[name] for name in names or pieces]
    try:
        return _run(verb, chosen)
    except LabError as error:
        print(f"lab openstack: {error}", file=sys.stderr)
        return 1


def _run(verb: str, pieces: list[Piece]) -> int:
    if verb == "status":
        lines = [(piece.name, piece.status()) for piece in pieces]
        for name, line in lines:
            print(f"{name}: {line or 'down'}")
        return 0 if all(line for _name, line in lines) else 1
    if verb == "env":
        for piece in pieces:
            for name, value in piece.environment().items():
                print(f"export {name}='{value}'")
        return 0
    folder = state_folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "lock").open("w") as lock:
        _take(lock.fileno())
        for piece in pieces if verb == "up" else reversed(pieces):
            piece.up() if verb == "up" else piece.down()
    return 0


def _take(descriptor: int) -> None:
    def give_up(*_unused: object) -> None:
        raise LabError(f"another run of this lab has held its lock for {_LOCK_SECONDS} s")

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(_LOCK_SECONDS)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    signal.alarm(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
