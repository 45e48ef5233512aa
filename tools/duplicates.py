# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Looks for code that stands in two places: pylint's duplicate-code over plugins, engine and programs.

What a module documents has to be in its file word for word, whatever others document. So pylint looks at copies of the
files, in build/duplicates, in which documentation is empty lines; the numbers of lines are those of the checkout.

usage: .venv/bin/python tools/duplicates.py
"""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COPIES = ROOT / "build/duplicates"
FOLDERS = ("plugins", "roles")
#: Of lines that follow each other, without comments, docstrings, imports and signatures.
SIMILAR_LINES = 12
DOCUMENTATION = {"DOCUMENTATION", "EXAMPLES", "RETURN"}


def without_documentation(text: str) -> str:
    """The same lines, those of documentation empty."""
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Assign) and any(
            isinstance(name, ast.Name) and name.id in DOCUMENTATION for name in node.targets
        ):
            first, last = node.lineno - 1, node.end_lineno or node.lineno
            lines[first:last] = [""] * (last - first)
    return "\n".join(lines) + "\n"


def main() -> int:
    """Say where, and end with another status than 0, if anything stands in two places."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *FOLDERS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    shutil.rmtree(COPIES, ignore_errors=True)
    names = [name for name in listed.split("\0") if name.endswith(".py") and (ROOT / name).is_file()]
    for name in names:
        copy = COPIES / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(without_documentation((ROOT / name).read_text(encoding="utf-8")), encoding="utf-8")
    # Fragments are documentation as well, in classes.
    wanted = [name for name in names if not name.startswith("plugins/doc_fragments/")]
    options = [f"--ignore-{what}=y" for what in ("imports", "docstrings", "comments", "signatures")]
    argv = [
        sys.executable,
        "-m",
        "pylint",
        "--rcfile=/dev/null",
        "--disable=all,unknown-option-value",
        "--enable=duplicate-code",
    ]
    argv += [f"--min-similarity-lines={SIMILAR_LINES}", *options, "--score=n", "--persistent=n"]
    return subprocess.run([*argv, *wanted], cwd=COPIES, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
