# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy of the checkout as ansible-test wants it: at the path ansible_collections/freezer/backup, a repository of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
#: The programs of the virtual environment.
COMMANDS = Path(sys.executable).parent


def copied_checkout(name: str) -> Path:
    """A copy in build/NAME that is the same as the checkout: what git lists, with what is changed and new, less what is gone."""
    copy = CHECKOUT / "build" / name / "ansible_collections/freezer/backup"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
    )
    copy.mkdir(parents=True, exist_ok=True)
    for entry in copy.iterdir():
        if entry.name == ".git":
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    for name in os.fsdecode(listed.stdout).split("\0"):
        source, target = CHECKOUT / name, copy / name
        if not name or not os.path.lexists(source):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)
    if not (copy / ".git").exists():
        subprocess.run(["git", "init", "--quiet", "--initial-branch=main"], cwd=copy, check=True)
    subprocess.run(["git", "add", "--all"], cwd=copy, check=True)
    return copy


def environment(home: Path, *folders: str) -> dict[str, str]:
    """That of ansible-test: these folders before all others on the path, and nothing of the settings and the home of the caller."""
    home.mkdir(parents=True, exist_ok=True)
    path = os.pathsep.join([str(COMMANDS), *folders, *os.get_exec_path()])
    found = dict(os.environ, HOME=str(home), PATH=path)
    for name in ("ANSIBLE_COLLECTIONS_PATH", "ANSIBLE_CONFIG", "ANSIBLE_HOME", "XDG_CONFIG_HOME"):
        found.pop(name, None)
    return found
