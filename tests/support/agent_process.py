# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""One piece of the agent's work in a process of its own, which can be killed, starved or run by another Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import ansible_collections.freezer.backup.plugins.module_utils._engine as engine

# The folder that has ansible_collections in it.
IMPORT_ROOT = str(Path(engine.__file__).parents[6])

_PROGRAM = """
import json, sys
{before}
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
work, action = json.loads(sys.argv[1])
try:
    result = getattr(agent, work)(action)
except FreezerError as problem:
    print(json.dumps({{"error": str(problem)}}))
    sys.exit(1)
{after}
print(json.dumps(result))
"""


def start(
    work: str, action: dict[str, Any], python: str = sys.executable, before: str = "", after: str = "", **options: Any
) -> subprocess.Popen[bytes]:
    """Begin ``agent.<work>(action)``. ``before`` and ``after`` are Python lines; the result comes as JSON."""
    environment = {**os.environ, "PYTHONPATH": IMPORT_ROOT, **options.pop("env", {})}
    return subprocess.Popen(
        [python, "-c", _PROGRAM.format(before=before, after=after), json.dumps([work, action])],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        **options,
    )


def run(work: str, action: dict[str, Any], timeout_seconds: float = 100, **options: Any) -> dict[str, Any]:
    """What ``agent.<work>(action)`` gives in a process of its own."""
    process = start(work, action, **options)
    said, complained = process.communicate(timeout=timeout_seconds)
    assert process.returncode == 0, (said, complained.decode("utf-8", "replace"))
    assert complained == b"", complained.decode("utf-8", "replace")
    result = json.loads(said)
    assert isinstance(result, dict)
    return result


def descendants(pid: int) -> list[int]:
    """The processes below a process, as far as they still belong to it."""
    children = []
    for task in Path(f"/proc/{pid}/task").glob("*"):
        try:
            children += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return children + [below for child in children for below in descendants(child)]


def is_running(pid: int) -> bool:
    """Whether a process is there and not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
