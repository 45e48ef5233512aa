# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every example in the documentation of the modules is one that Ansible and the module would take."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
from typing import Any
from unittest import mock

import pytest
import yaml
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from support.ansible_command import run_ansible
from support.module_docs import MODULES, documentation, examples

NAMES = sorted(path.stem for path in MODULES.glob("*.py"))
PREFIX = "freezer.backup."

#: What stands in an example for what only a run knows.
STAND_IN: dict[str, Any] = {
    "bool": True,
    "dict": {},
    "float": 1.0,
    "int": 1,
    "list": [],
    "path": "/srv",
    "raw": "text",
    "str": "text",
}


class Accepted(Exception):
    """The module took its options and would begin."""


def ours(module: str) -> list[tuple[str, str, Any]]:
    """The module, the name and the arguments of each task of its examples that is for a module of this collection."""
    return [
        (key.removeprefix(PREFIX), task["name"], task[key])
        for task in examples(module)
        for key in task
        if key.startswith(PREFIX)
    ]


def known(arguments: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """The arguments with something of the right type where an example has a template."""
    aliases = {alias: name for name, option in options.items() for alias in option.get("aliases", ())}
    return {
        name: STAND_IN[options[aliases.get(name, name)].get("type", "str")] if "{{" in str(value) else value
        for name, value in arguments.items()
        if aliases.get(name, name) in options or "{{" not in str(value)
    }


def refusal(module: str, arguments: dict[str, Any]) -> str:
    """What the module says against its options; empty if it takes them."""
    real = AnsibleModule.__init__

    def stop(self: AnsibleModule, *positional: Any, **keywords: Any) -> None:
        real(self, *positional, **keywords)
        raise Accepted

    said = io.StringIO()
    main = importlib.import_module(f"ansible_collections.freezer.backup.plugins.modules.{module}").main
    with (
        patch_module_args(arguments),
        mock.patch.object(AnsibleModule, "__init__", stop),
        contextlib.redirect_stdout(said),
        contextlib.suppress(Accepted, SystemExit),
    ):
        main()
    return str(json.loads(said.getvalue() or "{}").get("msg", ""))


@pytest.mark.parametrize("module", NAMES)
def test_a_module_takes_the_options_of_its_examples(module):
    tasks = ours(module)
    assert module in {name for name, _task, _arguments in tasks}
    for name, task, arguments in tasks:
        assert arguments is None or isinstance(arguments, dict), f"{task}: options as a template draw a warning"
        options = documentation(name)["options"] or {}
        unknown = set(arguments or {}) - {
            *options,
            *(alias for option in options.values() for alias in option.get("aliases", ())),
        }
        assert unknown == set(), task
        if (
            hasattr(importlib.import_module(f"ansible_collections.freezer.backup.plugins.modules.{name}"), "main")
            and arguments
        ):
            assert refusal(name, known(arguments, options)) == "", task


def test_options_that_a_module_does_not_have_are_refused_here():
    assert "Unsupported parameters" in refusal("job_info", {"no_such_option": "x"})


@pytest.mark.parametrize("module", [name for name in NAMES if name not in ("clock_offset", "event_line")])
def test_a_module_says_which_python_it_needs(module):
    assert "Python 3.9 or later" in documentation(module)["requirements"]


def test_ansible_understands_all_examples(tmp_path):
    tasks = [task for module in NAMES for task in examples(module)]
    playbook = tmp_path / "examples.yml"
    playbook.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    checked = run_ansible("ansible-playbook", "--syntax-check", str(playbook))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "WARNING" not in checked.stdout + checked.stderr
