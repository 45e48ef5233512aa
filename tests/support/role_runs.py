# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Roles on the hosts of tests/labs/containers: a copy of the collection, and Ansible's commands with it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
import yaml

from . import labs

_ROOT = Path(__file__).resolve().parents[2]
_PARTS = (
    "extensions",
    "galaxy.yml",
    "meta",
    "playbooks",
    "plugins",
    "roles",
    "tests/labs/containers",
    "tests/labs/debian.sh",
)
COMMANDS = Path(sys.executable).parent
_SCENARIO_SECONDS = 1800


def do_without(reason: labs.LabUnavailable) -> NoReturn:
    """Skip the test on a laptop, fail it where the lab has to be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(str(reason))
    pytest.skip(str(reason))


@contextlib.contextmanager
def needed(lab: contextlib.AbstractContextManager[dict[str, str]]) -> Iterator[dict[str, str]]:
    """The variables of a lab that a test has for itself; see `do_without` where there is none."""
    with contextlib.ExitStack() as stack:
        try:
            variables = stack.enter_context(lab)
        except labs.LabUnavailable as reason:
            do_without(reason)
        yield variables


def copied_collection(folder: Path) -> Path:
    """The collection as it is now: nobody changes this copy while hosts are compared with it."""
    copy = folder / "ansible_collections/freezer/backup"
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


def run(collection: Path, command: str, *arguments: str, **variables: str) -> str:
    """What a command of Ansible said, which has to succeed, with this collection and these environment variables."""
    home = collection.parents[2]
    ran = subprocess.run(
        [str(COMMANDS / command), *arguments],
        cwd=collection,
        env={
            **{
                name: text for name, text in os.environ.items() if not name.startswith(("ANSIBLE_", "MOLECULE_", "OS_"))
            },
            "PATH": f"{COMMANDS}{os.pathsep}{os.environ['PATH']}",
            "ANSIBLE_COLLECTIONS_PATH": str(home),
            "ANSIBLE_HOME": str(home / "home"),
            "ANSIBLE_PIPELINING": "1",
            "NO_COLOR": "1",
            **variables,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=_SCENARIO_SECONDS,
    )
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


def play_scenario(name: str, collection: Path, folder: Path, **variables: str) -> list[list[int]]:
    """Play a scenario of molecule; for every time that it used check mode, how many tasks of each host would change.

    The steps are those of its molecule.yml. Molecule starts Ansible for each of them; here all playbooks between two steps whose
    changes are counted are played in one run.
    """
    scenario = collection / "extensions/molecule" / name
    settings = yaml.safe_load((scenario / "molecule.yml").read_text(encoding="utf-8"))
    variables["MOLECULE_PROJECT_DIRECTORY"] = str(collection)
    variables["MOLECULE_SCENARIO_DIRECTORY"] = str(scenario)
    variables["MOLECULE_EPHEMERAL_DIRECTORY"] = str(folder / "molecule")
    words = settings["ansible"]["executor"]["args"]["ansible_playbook"]
    inventories = [string.Template(word).substitute(variables) for word in words]

    def play(playbooks: list[str], *arguments: str) -> list[int]:
        paths = [str(scenario / playbook) for playbook in playbooks]
        return changes(run(collection, "ansible-playbook", *inventories, *arguments, *paths, **variables))

    waiting: list[str] = []
    looks = []
    for step in settings["scenario"]["test_sequence"]:
        action, *named = step.split()
        if action not in ("check", "idempotence"):
            waiting.append(named[0] if named else f"{action}.yml")
            continue
        if waiting:
            play(waiting)
            waiting = []
        if action == "check":
            looks.append(play(["converge.yml"], "--check"))
        else:
            assert set(play(["converge.yml"])) == {0}
    if waiting:
        play(waiting)
    return looks


def play_with_molecule(name: str, collection: Path, folder: Path, **variables: str) -> list[list[int]]:
    """What `play_scenario` does and returns, by molecule itself."""
    said = run(
        collection,
        "molecule",
        *("test", "--scenario-name", name, "--no-command-borders"),
        MOLECULE_EPHEMERAL_DIRECTORY=str(folder / "molecule"),
        **variables,
    )
    # A playbook that is not found counts as a success for molecule.
    assert " missing=0 " in said.rpartition("SCENARIO RECAP")[2], said
    looks = re.findall(rf"\[{name} > check\] Executing(.*?)\[{name} > check\] Executed", said, re.DOTALL)
    return [changes(look) for look in looks]


def changes(said: str) -> list[int]:
    """How many tasks changed something, for each host of the last recap but the controller."""
    recap = said.rpartition("PLAY RECAP")[2]
    found = re.findall(r"(\S+) +: ok=\d+ +changed=(\d+)", recap)
    return [int(number) for host, number in found if host != "localhost"]
