# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The hosts of tests/labs/containers, as tests use them."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

_LAB = Path(__file__).resolve().parent.parent / "labs/containers/lab"
_UP_SECONDS = 1200


class LabUnavailable(Exception):
    """The lab cannot be started here; the message says why."""


def start() -> dict[str, str]:
    """The variables that lead to the hosts, which are started if they do not run yet. Raises LabUnavailable."""
    lab("up")
    exports = (line.removeprefix("export ") for line in lab("env").splitlines())
    return dict(word.split("=", 1) for line in exports for word in shlex.split(line))


def lab(*words: str) -> str:
    """What the lab's command prints. Raises LabUnavailable."""
    try:
        done = subprocess.run([_LAB, *words], capture_output=True, text=True, timeout=_UP_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LabUnavailable(f"the lab of containers cannot be started: {error}") from error
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:]
        raise LabUnavailable("".join(last) or f"lab {' '.join(words)} ended with {done.returncode}")
    return done.stdout
