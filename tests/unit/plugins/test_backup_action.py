# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which module does a backup on a host, and what is copied there for it."""

from __future__ import annotations

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.freezer.backup.plugins.action import job_run
from ansible_collections.freezer.backup.plugins.action.backup import ActionModule
from ansible_collections.freezer.backup.plugins.plugin_utils.reach import is_local

_ROOT = Path(__file__).resolve().parents[3]
_OURS = "ansible_collections.freezer.backup."
_FOLDER = {"storage": "local", "container": "/srv/backups"}
_FILES = {"path_to_backup": "/etc", "backup_name": "etc"}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({**_FILES, **_FOLDER}, True),
        ({**_FILES, **_FOLDER, "mode": "fs", "snapshot": False, "min_age": "3600", "exclude": "*.tmp"}, True),
        ({"src_file": "/etc", "backup_name": "etc", **_FOLDER, "action": "backup", "nova_inst_id": ""}, True),
        ({**_FILES, "storages": [_FOLDER, {**_FOLDER, "container": "/mnt/nas"}]}, True),
        ({**_FILES, "storages": [_FOLDER, {"storage": "swift", "container": "c"}]}, False),
        ({**_FILES, "storage": "swift", "container": "c"}, False),
        # The environment of the host decides.
        ({**_FILES, "container": "c"}, False),
        ({**_FILES, "container": "c", "cloud": "mine"}, False),
        ({"nova_inst_id": "5", **_FOLDER}, False),
        ({"mode": "nova", "nova_inst_id": "5", **_FOLDER}, False),
        ({**_FILES, **_FOLDER, "snapshot": "lvm"}, False),
        ({**_FILES, **_FOLDER, "snapshot": True}, False),
        ({**_FILES, **_FOLDER, "lvm_srcvol": "vg/data"}, False),
        ({**_FILES, **_FOLDER, "mode": "mysql"}, False),
        # What is wrong is for the module to say that the task names.
        ({**_FILES, **_FOLDER, "pathtobackup": "/etc"}, False),
        ({**_FILES, **_FOLDER, "max_level": "many"}, False),
        ({**_FILES, **_FOLDER, "storages": "[{"}, False),
        ({}, False),
    ],
)
def test_a_backup_is_local_where_its_options_leave_no_doubt(options, expected):
    assert is_local(options) is expected


@pytest.mark.parametrize(
    ("more", "module"), [({}, "freezer.backup.backup_local"), ({"snapshot": "lvm"}, "freezer.backup.backup")]
)
@pytest.mark.parametrize("seconds", [0, 60])
def test_the_module_that_fits_gets_all_options_and_what_it_says_is_the_result(monkeypatch, more, module, seconds):
    calls: list[dict[str, Any]] = []

    def execute(**call: Any) -> dict[str, Any]:
        calls.append(call)
        return {"changed": True, "outcome": "success"}

    removed: list[str] = []
    task = SimpleNamespace(args={**_FILES, **_FOLDER, **more}, async_val=seconds, check_mode=False, diff=True)
    action = ActionModule.__new__(ActionModule)
    action._task = task
    action._connection = SimpleNamespace(has_native_async=False, _shell=SimpleNamespace(tmpdir="/tmp/x"))
    monkeypatch.setattr(ActionModule.__mro__[1], "run", lambda *_arguments: {})
    monkeypatch.setattr(action, "_execute_module", execute)
    monkeypatch.setattr(action, "_remove_tmp_path", removed.append)
    assert action.run(task_vars={"a": 1}) == {"changed": True, "outcome": "success"}
    assert calls == [{"module_name": module, "task_vars": {"a": 1}, "wrap_async": bool(seconds)}]
    # Of a module in the background the folder is still in use.
    assert removed == ([] if seconds else ["/tmp/x"])


@pytest.mark.parametrize(
    ("action", "module"),
    [
        ({"action": "backup", **_FILES, **_FOLDER}, "freezer.backup.backup_local"),
        ({"action": "backup", **_FILES, **_FOLDER, "snapshot": True}, "freezer.backup.backup"),
        ({"action": "restore", "backup_name": "etc", "restore_abs_path": "/x", **_FOLDER}, "freezer.backup.restore"),
        ({"action": "admin", "backup_name": "etc", "keep_last": 1, **_FOLDER}, "freezer.backup.prune"),
    ],
)
def test_an_action_of_a_job_is_done_by_the_same_modules(monkeypatch, action, module):
    calls: list[dict[str, Any]] = []

    def execute(**call: Any) -> dict[str, Any]:
        calls.append(call)
        return {"changed": True, "outcome": "success"}

    run = job_run.ActionModule.__new__(job_run.ActionModule)
    run._vars, run._warnings, run._diffs = {}, [], []
    monkeypatch.setattr(run, "_execute_module", execute)
    assert run._perform(action).result == "success"
    (call,) = calls
    assert call["module_name"] == module
    assert call["module_args"].items() <= action.items()


def shipped(module: str) -> set[Path]:
    """The files of this collection that Ansible copies to a host for a module: it follows every import statement."""
    found: set[Path] = set()
    todo = [_ROOT / "plugins/modules" / f"{module}.py"]
    while todo:
        path = todo.pop()
        if path in found or not path.is_file():
            continue
        found.add(path)
        found.update(folder / "__init__.py" for folder in path.parents if (folder / "__init__.py").is_file())
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                if node.level:
                    start = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
                elif (node.module or "").startswith(_OURS):
                    start = _ROOT.joinpath(*str(node.module).removeprefix(_OURS).split("."))
                else:
                    continue
                todo += [start.with_suffix(".py"), *(start / f"{name.name}.py" for name in node.names)]
    return found


def test_a_backup_to_a_folder_ships_at_most_half_of_what_one_that_can_do_everything_ships():
    small, whole = (
        sum(len(path.read_text().splitlines()) for path in shipped(module)) for module in ("backup_local", "backup")
    )
    assert 2 * small <= whole
