# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What the role api installs on a host is what its programs import, as pyproject.toml has it."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PROGRAMS = ROOT / "roles/api/files/freezer_api"
LINES = [
    line
    for line in (ROOT / "roles/api/files/requirements.txt").read_text().splitlines()
    if line and not line.startswith("#")
]


def test_ranges_are_those_of_pyproject():
    assert set(LINES) <= set(PROJECT["dependencies"])
    assert sorted(LINES, key=str.lower) == LINES


def test_every_library_that_a_program_imports_is_installed_and_no_other():
    imported = set()
    for path in PROGRAMS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(str(node.module).partition(".")[0])
    imported -= {*sys.stdlib_module_names, "ansible_collections"}
    packages = importlib.metadata.packages_distributions()
    needed = {_package(package) for name in imported for package in packages[name]}
    installed = {_package(line) for line in LINES}
    # keystoneauth1 is a part of keystonemiddleware's own interface.
    brought_along = {_package(line) for name in installed for line in importlib.metadata.requires(name) or ()}
    assert needed <= installed | brought_along
    assert installed <= needed


def _package(requirement: str) -> str:
    """The name of the package that a line is about, as indices write it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement)[0]).lower()


def test_the_role_makes_the_commands_of_pyproject():
    start = "ansible_collections.freezer.backup.roles.api.files.freezer_api."
    wanted = {
        name: target.removeprefix(start).removesuffix(":main")
        for name, target in PROJECT["scripts"].items()
        if target.startswith(start)
    }
    assert yaml.safe_load((ROOT / "roles/api/vars/main.yml").read_text())["freezer_api_commands"] == wanted
