# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The program `age` of the lab, and programs that ask their terminal for a passphrase."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ansible_collections.freezer.backup.tests.support import labs
from ansible_collections.freezer.backup.tests.support.role_runs import do_without

_SPAWN = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"


class Programs(NamedTuple):
    """Their paths."""

    age: str
    keygen: str


def programs() -> Programs:
    """Those of tests/labs/age; without it the test is skipped, or fails in CI."""
    try:
        variables = labs.start("age")
    except labs.LabUnavailable as reason:
        do_without(reason)
    return Programs(variables["FREEZER_TEST_AGE"], variables["FREEZER_TEST_AGE_KEYGEN"])


def at_a_terminal(
    argv: Sequence[str | os.PathLike[str]], typed: bytes, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a program that asks its terminal for a passphrase."""
    return subprocess.run(
        [sys.executable, "-c", _SPAWN, *argv], input=typed, capture_output=True, timeout=120, check=False, env=env
    )
