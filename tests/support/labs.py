# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The labs of tests/labs, as tests start them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_LABS = Path(__file__).resolve().parent.parent / "labs"
_UP_SECONDS = 1200


class LabUnavailable(Exception):
    """The lab cannot be started here; the message says why."""


def start(name: str, *pieces: str) -> dict[str, str]:
    """The variables that lead to what a lab has, which is started if it does not run yet. Raises LabUnavailable."""
    lab(name, "up", *pieces)
    return _variables(name, *pieces)


@contextlib.contextmanager
def hosts() -> Iterator[dict[str, str]]:
    """The variables that lead to the hosts in containers, which nobody else's tests use meanwhile.

    They are left running, except in CI. Raises LabUnavailable.
    """
    with _alone("containers", Path(_variables("containers")["FREEZER_TEST_INVENTORY"]).parent / "tests.lock") as found:
        yield found


@contextlib.contextmanager
def guests(*names: str) -> Iterator[dict[str, str]]:
    """The variables that lead to guests, guest1 and guest2 if none is named, which nobody else's tests use meanwhile.

    They are left running, except in CI. Raises LabUnavailable.
    """
    inventory = Path(_variables("guests")["FREEZER_TEST_GUESTS_INVENTORY"])
    with _alone("guests", inventory.parent.parent / f"{inventory.parent.name}.lock", *names) as found:
        yield found


@contextlib.contextmanager
def machines() -> Iterator[dict[str, str]]:
    """The variables that lead to the machine under QEMU, which nobody else's tests use meanwhile.

    It is left running, except in CI. Raises LabUnavailable.
    """
    inventory = Path(_variables("machines")["FREEZER_TEST_MACHINES_INVENTORY"])
    with _alone("machines", inventory.parent.parent / f"{inventory.parent.name}.lock") as found:
        yield found


@contextlib.contextmanager
def _alone(name: str, path: Path, *words: str) -> Iterator[dict[str, str]]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            lab(name, "up", *words)
            yield _variables(name)
        finally:
            if os.environ.get("CI") == "true":
                lab(name, "down")


def _variables(name: str, *pieces: str) -> dict[str, str]:
    exports = (line.removeprefix("export ") for line in lab(name, "env", *pieces).splitlines())
    return dict(word.split("=", 1) for line in exports for word in shlex.split(line))


def lab(name: str, *words: str) -> str:
    """What a lab's command prints. Raises LabUnavailable."""
    # A lab in Python gets the one that has Ansible.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    try:
        done = subprocess.run(
            [_LABS / name / "lab", *words],
            capture_output=True,
            text=True,
            timeout=_UP_SECONDS,
            check=False,
            env={**os.environ, "PATH": path},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LabUnavailable(f"the lab {name} cannot be started: {error}") from error
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:]
        raise LabUnavailable("".join(last) or f"lab {' '.join(words)} ended with {done.returncode}")
    return done.stdout
