# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Hosts whose Python is too old for the modules get a sentence."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"
GUARD = PLUGINS / "module_utils/_python.py"
MODULES = [path for path in sorted((PLUGINS / "modules").glob("*.py")) if "def main" in path.read_text()]


def test_a_python_that_is_too_old_is_a_sentence():
    as_if = "import sys; sys.version_info = (3, 8, 18); sys.version = '3.8.18 (default)'; exec(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", as_if, GUARD.read_text()], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == ""
    result = json.loads(done.stdout)
    assert result["failed"]
    assert result["msg"].startswith(
        f"freezer.backup needs Python 3.9 or later on the host, and {sys.executable} is Python 3.8.18."
    )


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_looks_at_python_before_it_imports_anything_of_ours(path):
    ast.parse(GUARD.read_text(), feature_version=(3, 8))
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    ours = [
        [alias.name for alias in node.names]
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("ansible_collections")
    ]
    assert ours[0] == ["_python"]
