# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The role api on hosts with systemd: the molecule scenario ``api``, run over the hosts of tests/labs/containers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.tests.support import container_lab

_ROOT = Path(__file__).resolve().parents[2]
_PARTS = ("extensions", "galaxy.yml", "meta", "playbooks", "plugins", "roles", "tests/labs/containers")
_SCENARIO_SECONDS = 900


@pytest.fixture(scope="module")
def hosts() -> Iterator[dict[str, str]]:
    """The variables of the lab. It is left running, except in CI."""
    in_ci = os.environ.get("CI") == "true"
    try:
        variables = container_lab.start()
    except container_lab.LabUnavailable as reason:
        if in_ci:
            pytest.fail(str(reason))
        pytest.skip(str(reason))
    yield variables
    if in_ci:
        container_lab.lab("down")


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """The collection as it is now: nobody changes this copy while hosts are compared with it."""
    copy = tmp_path / "ansible_collections/freezer/backup"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *_PARTS],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (_ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(_ROOT / name, copy / name)
    return copy


def test_the_api_is_deployed_found_unchanged_upgraded_and_removed(hosts, collection, tmp_path):
    commands = Path(sys.executable).parent
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "MOLECULE_", "OS_"))},
        **hosts,
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "ANSIBLE_COLLECTIONS_PATH": str(tmp_path),
        "ANSIBLE_HOME": str(tmp_path / "home"),
        "MOLECULE_EPHEMERAL_DIRECTORY": str(tmp_path / "molecule"),
        "NO_COLOR": "1",
    }
    ran = subprocess.run(
        [str(commands / "molecule"), "test", "--scenario-name", "api", "--no-command-borders"],
        cwd=collection,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=_SCENARIO_SECONDS,
    )
    said = ran.stdout
    assert ran.returncode == 0, said
    # The second look of check mode is at hosts that are as they should be.
    looks = re.findall(r"\[api > check\] Executing(.*?)\[api > check\] Executed", said, re.DOTALL)
    assert [_changes(look) for look in looks][1:] == [[0, 0]], said


def _changes(said: str) -> list[int]:
    """How many tasks changed something, for each host of the last recap."""
    recap = said.rpartition("PLAY RECAP")[2]
    return [int(number) for number in re.findall(r"changed=(\d+)", recap)]
