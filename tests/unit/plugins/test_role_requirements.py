# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What the roles api and scheduler install on a host is what their programs import, as the extra of the same name has it."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path
from unittest import mock

import pytest
import yaml

from ansible_collections.freezer.backup.plugins.module_utils._engine.system import installed

ROOT = Path(__file__).resolve().parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PROGRAMS = {
    "api": [ROOT / "roles/api/files/freezer_api"],
    "scheduler": [ROOT / "roles/scheduler/files/freezer_scheduler", ROOT / "roles/agent/files/freezer_agent"],
}
#: What the engine imports where it is there, for these programs.
BY_THE_ENGINE = {"api": {"shtab"}, "scheduler": {"apscheduler", "cryptography", "keystoneauth1", "shtab", "zstandard"}}
ROLES = sorted(PROGRAMS)


def lines_of(role):
    text = (ROOT / "roles" / role / "files/requirements.txt").read_text()
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize("role", ROLES)
def test_ranges_are_those_of_pyproject(role):
    assert sorted(lines_of(role)) == sorted(PROJECT["optional-dependencies"][role])
    assert sorted(lines_of(role), key=str.lower) == lines_of(role)


@pytest.mark.parametrize("role", ROLES)
def test_every_library_that_a_program_imports_is_installed_and_no_other(role):
    imported = set(BY_THE_ENGINE[role])
    for path in [path for folder in PROGRAMS[role] for path in folder.rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(str(node.module).partition(".")[0])
    imported -= {*sys.stdlib_module_names, "ansible_collections"}
    packages = importlib.metadata.packages_distributions()
    needed = {_package(package) for name in imported for package in packages[name]}
    installed = {_package(line) for line in lines_of(role)}
    # keystoneauth1 is a part of keystonemiddleware's own interface.
    brought_along = {_package(line) for name in installed for line in importlib.metadata.requires(name) or ()}
    assert needed <= installed | brought_along
    assert installed <= needed


def test_the_role_agent_takes_the_ranges_of_pyproject():
    variables = yaml.safe_load((ROOT / "roles/agent/vars/main.yml").read_text())
    ranges = [name + versions for name, versions in variables["agent_library_ranges"].items()]
    extras = PROJECT["optional-dependencies"]
    assert ranges == [*extras["openstack"], *(one for one in extras["agent"] if one.startswith("cryptography"))]


def test_the_role_agent_knows_packages_for_all_that_it_installs():
    for path in (ROOT / "roles/agent/vars").glob("*.yml"):
        if path.name != "main.yml":
            packages = yaml.safe_load(path.read_text())["agent_packages"]
            assert {"tar", "zstd", "zstandard", "keystoneauth1", "openstacksdk", "cryptography"} == set(packages), path


def _package(requirement: str) -> str:
    """The name of the package that a line is about, as indices write it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement)[0]).lower()


@pytest.mark.parametrize("role", ROLES)
def test_the_role_makes_the_commands_of_pyproject(role):
    start = "ansible_collections.freezer.backup.roles."
    wanted = {}
    for name, target in PROJECT["scripts"].items():
        module, _colon, function = target.partition(":")
        if any(f".{folder.name}." in module for folder in PROGRAMS[role]):
            started = started_by(importlib.import_module(module), function).removeprefix(start)
            wanted[name] = started.rpartition(".")[2] if role == "api" else started
    variables = yaml.safe_load((ROOT / "roles" / role / "vars/main.yml").read_text())
    assert variables[f"freezer_{role}_commands"] == wanted


def started_by(module, function):
    """The module that a command which pip installs hands the work to."""
    with mock.patch.object(installed, "start") as start:
        getattr(module, function)()
    (_command, _extra, started) = start.call_args.args
    return started
