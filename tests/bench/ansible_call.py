# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What the modules cost above what Ansible costs."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from contest import Contest, Side

CHECKOUT = Path(__file__).resolve().parents[2]
MODULE = CHECKOUT / "plugins/modules/backup.py"


def environment(work: Path) -> dict[str, str]:
    """What Ansible has to know to use this checkout and nothing else."""
    return {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "build/collections"),
        "ANSIBLE_CONFIG": str(CHECKOUT / "tests/ansible.cfg"),
        "ANSIBLE_HOME": str(work / "ansible-home"),
        "ANSIBLE_REMOTE_TMP": str(work / "ansible-tmp"),
    }


def unchanged_backup(work: Path) -> Contest:
    """One call of freezer.backup.backup that finds a tiny tree unchanged, against one of ping."""
    tree = work / "tree"
    action = {
        "path_to_backup": str(tree),
        "storage": "local",
        "container": str(work / "container"),
        "hostname": "bench",
        "backup_name": "tiny",
        "always_level": 1,
    }

    def make_tree() -> None:
        tree.mkdir(parents=True)
        for number in range(10):
            (tree / f"{number}.txt").write_text(f"{number}\n")

    def call(module: str, *arguments: str) -> Side:
        ansible = str(Path(sys.executable).parent / "ansible")
        argv = [ansible, "localhost", "--inventory=localhost,", "--connection=local", "--module-name", module]
        argv += ["--extra-vars", f"ansible_python_interpreter={sys.executable}"]
        return Side([*argv, *arguments], environment=environment(work))

    return Contest(
        name="ansible_call",
        title="ansible -m freezer.backup.backup",
        peer_title="ansible -m ping",
        ours=call("freezer.backup.backup", "--args", json.dumps(action)),
        peer=call("ansible.builtin.ping"),
        before=make_tree,
    )
