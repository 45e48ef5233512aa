# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The licence that a Python file names: plugins are GPL-3.0-or-later, and so is whatever imports them or Ansible."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[3]
_PACKAGE = "ansible_collections.freezer.backup."
_ENGINE = "plugins/module_utils/_engine/"
_GPL = "GPL-3.0-or-later"
#: Packages under the GPL that are not of this collection.
_FOREIGN = ("ansible", "ansible_test", "ansiblelint", "antsibull_changelog", "antsibull_docs")


@functools.cache
def _files() -> dict[str, str]:
    """The Python files of the collection, commands among them, by path, and what is in them. An empty one has no licence."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = {}
    for name in filter(None, listed.stdout.split("\0")):
        path = _ROOT / name
        if path.is_file() and (path.suffix == ".py" or (not path.suffix and b"python" in path.read_bytes()[:40])):
            found[name] = path.read_text(encoding="utf-8")
    return {name: text for name, text in found.items() if text}


def _licence(name: str) -> str:
    named = re.search(r"^# SPDX-License[\w-]+: (\S+)$", _files()[name], re.MULTILINE)
    assert named, name
    return named[1]


@functools.cache
def _modules() -> dict[str, str]:
    """The path of each module, by the names under which it is imported."""
    found = {}
    for name in _files():
        module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        found[_PACKAGE + module] = found[module.removeprefix("tests.")] = name
    return found


def _imported_by(name: str) -> Iterator[str]:
    """The names of the modules that a file imports, wherever in it."""
    package = (_PACKAGE + name.removesuffix(".py").replace("/", ".")).split(".")[:-1]
    for node in ast.walk(ast.parse(_files()[name])):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{one.name}" for one in node.names)


def test_a_plugin_is_under_the_gpl_and_engine_and_programs_are_not():
    for name in _files():
        if name.startswith("plugins/"):
            assert _licence(name) == ("Apache-2.0" if name.startswith(_ENGINE) else _GPL), name
        elif name.startswith("roles/"):
            assert _licence(name) == "Apache-2.0", name


def test_what_imports_code_under_the_gpl_is_under_the_gpl():
    for name in _files():
        if _licence(name) != _GPL:
            for module in _imported_by(name):
                assert module.partition(".")[0] not in _FOREIGN, f"{name} imports {module}"
                imported = _modules().get(module)
                assert imported is None or _licence(imported) != _GPL, f"{name} imports {imported}"
