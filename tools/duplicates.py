# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Looks for code that stands in two places of plugins, engine and programs, and names both.

Lines count that say something: not imports, docstrings, comments, signatures, or what a module documents, which has to be
in its file word for word, whatever others document.

usage: .venv/bin/python tools/duplicates.py [FOLDER]     of this checkout, or of another one
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("plugins", "roles")
#: That follow each other.
SIMILAR_LINES = 12
DOCUMENTATION = {"DOCUMENTATION", "EXAMPLES", "RETURN"}

#: Number and text of a line.
Line = tuple[int, str]


def code(text: str) -> list[Line]:
    """The lines of a file that count, without indentation."""
    left_out: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        for first, last in _left_out(node):
            left_out.update(range(first, last + 1))
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.split("#", 1)[0].strip()
        if number not in left_out and any(letter.isalnum() or letter == "_" for letter in stripped):
            found.append((number, stripped))
    return found


def _left_out(node: ast.AST) -> Iterator[tuple[int, int]]:
    """The first and the last line of what does not count in a node itself."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        yield node.lineno, node.end_lineno or node.lineno
    if isinstance(node, ast.Assign) and any(
        isinstance(name, ast.Name) and name.id in DOCUMENTATION for name in node.targets
    ):
        yield node.lineno, node.end_lineno or node.lineno
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        yield node.lineno, node.body[0].lineno - 1
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and node.body:
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            yield first.lineno, first.end_lineno or first.lineno


def duplicates(files: dict[str, list[Line]]) -> list[tuple[str, str]]:
    """The two places of each piece of code that two files have."""
    seen: dict[tuple[str, ...], tuple[str, int]] = {}
    found: list[tuple[str, str]] = []
    for name, lines in files.items():
        # Where the piece before this one stands too: of a longer one only its beginning is named.
        near = ("", 0)
        for start in range(len(lines) - SIMILAR_LINES + 1):
            piece = lines[start : start + SIMILAR_LINES]
            other, place = seen.setdefault(tuple(text for _number, text in piece), (name, start))
            if other != name and near != (other, place - 1):
                found.append((f"{other}:{files[other][place][0]}", f"{name}:{piece[0][0]}"))
            near = (other, place)
    return found


def main(folder: Path) -> int:
    """Say where, and end with another status than 0, if anything stands in two places."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *FOLDERS],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    # Fragments are documentation as well, in classes.
    names = [
        name
        for name in listed.split("\0")
        if name.endswith(".py") and not name.startswith("plugins/doc_fragments/") and (folder / name).is_file()
    ]
    found = duplicates({name: code((folder / name).read_text(encoding="utf-8")) for name in names})
    for one, other in found:
        print(f"{other}: {SIMILAR_LINES} lines of code or more stand at {one} too")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if sys.argv[1:] else ROOT))
