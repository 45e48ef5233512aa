# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""Run Ansible's own commands against this checkout, on this machine, whatever the user's settings are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]


def run_ansible(command: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run ``ansible`` or ``ansible-playbook`` on localhost; ``variables`` are extra variables."""
    extra = [f"{name}={value}" for name, value in variables.items()]
    line = [str(Path(sys.executable).with_name(command)), "-i", "localhost,", "-c", "local", *arguments]
    for variable in [f"ansible_python_interpreter={sys.executable}", *extra]:
        line += ["-e", variable]
    return subprocess.run(line, capture_output=True, text=True, check=False, env=_environment(), cwd=_ROOT)


def start_playbook(
    name: str, inventory: str | Path, variables: Mapping[str, Any], *arguments: str, **settings: str
) -> subprocess.Popen[str]:
    """Begin to run a playbook of the collection, or that of a path, whose output is one stream; `settings` are ANSIBLE_* variables."""
    line = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(inventory), *arguments]
    line += ["-e", json.dumps(variables), name if name.endswith(".yml") else f"freezer.backup.{name}"]
    environment = {**_environment(), **settings}
    return subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=_ROOT
    )


def run_documentation(*arguments: str) -> str:
    """What ``ansible-doc`` prints."""
    command = [str(Path(sys.executable).with_name("ansible-doc")), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=_environment(), cwd=_ROOT).stdout


def handed_on_by(output: str) -> dict[str, Any]:
    """What a playbook has handed on with set_stats, from what run_ansible printed."""
    told: dict[str, Any] = json.JSONDecoder().raw_decode(output.rpartition("RUN: ")[2])[0]
    return told


def _environment() -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "OS_"))}
    environment["ANSIBLE_CONFIG"] = str(_ROOT / "tests" / "ansible.cfg")
    environment["ANSIBLE_SHOW_CUSTOM_STATS"] = "true"
    environment["ANSIBLE_HOME"] = str(_ROOT / "build" / "ansible")
    return environment
