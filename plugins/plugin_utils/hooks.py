# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hooks of the playbooks, looked up and parsed before anything is quiesced.

Ansible ends a whole run when it includes tasks that it cannot parse: no rescue and no later play runs. So all that a hook
includes is parsed while the run is planned, with Ansible's own loader, where a problem is an ordinary one.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible import context
from ansible.errors import AnsibleError
from ansible.playbook.block import Block
from ansible.playbook.helpers import load_list_of_blocks
from ansible.playbook.play import Play
from ansible.playbook.role_include import IncludeRole
from ansible.playbook.task_include import TaskInclude
from ansible.vars.manager import VariableManager

#: What Ansible says of a role that it does not find, with a dozen folders that are the same for each host.
_SEARCH_PATH = re.compile(r"[Tt](he role '[^']*' was not found) in:? \S+")
_SEARCHED = (
    r"t\1 beside the playbook, the inventory or in the current folder, in a folder roles there, or in roles_path"
)
#: How Ansible begins what it shows of the file that an error is in.
_ORIGIN = re.compile(r"^Origin: (.+:\d+:\d+)$", re.MULTILINE)
_EXPRESSION = re.compile(r"\{\{.*?\}\}", re.DOTALL)


def project_folders(inventory_folder: str | None) -> list[str]:
    """Where files and roles of the user are: beside the playbook of the command line, in the current folder, beside the inventory."""
    playbooks = [path for path in context.CLIARGS.get("args", ()) if os.path.isfile(path)]
    folders = [*(os.path.dirname(os.path.abspath(path)) for path in playbooks), os.getcwd(), inventory_folder or ""]
    return list(dict.fromkeys(folder for folder in folders if folder))


class Hooks:
    """Finds hooks in `folders` and parses them; `templar` knows the variables of the host whose hooks they are."""

    def __init__(self, loader: Any, templar: Any, folders: list[str]) -> None:
        self._loader = loader
        self._templar = templar
        self._folders = folders
        self._variables = VariableManager(loader=loader)
        self._parsed: set[tuple[str, ...]] = set()

    def check(self, step: str, entry: Any) -> dict[str, Any]:
        """A hook as it was given, with `found`: the path of its file, or the name or path of its role.

        Raises AnsibleError where there is no such file or role, or where anything that it includes cannot be parsed.
        """
        if not isinstance(entry, Mapping) or (("tasks" in entry) == ("role" in entry)):
            raise AnsibleError(f"A hook has either tasks, a file, or role, and this one of {step} has both or none.")
        if "tasks" in entry:
            found = self._file(str(entry["tasks"]))
            self._parse({"ansible.builtin.import_tasks": found}, found)
        else:
            found = self._role(str(entry["role"]))
            tasks_from = str(entry.get("tasks_from") or "main")
            self._parse({"ansible.builtin.import_role": {"name": found, "tasks_from": tasks_from}}, found, tasks_from)
        return {**entry, "found": found}

    def _file(self, name: str) -> str:
        path = os.path.expanduser(name)
        places = [path] if os.path.isabs(path) else [os.path.join(folder, path) for folder in self._folders]
        for place in places:
            if os.path.isfile(place):
                return place
        raise AnsibleError(f"There is no file {name} of tasks. Looked for: {', '.join(places)}.")

    def _role(self, name: str) -> str:
        """A role of the project by its path, since Ansible looks beside the playbooks of this collection; another by its name."""
        for folder in self._folders:
            for place in (os.path.join(folder, "roles", name), os.path.join(folder, name)):
                if name and os.path.isdir(os.path.join(place, "tasks")):
                    return place
        return name

    def _parse(self, task: dict[str, Any], *key: str) -> None:
        """Parse what a task imports, and what that includes later."""
        if key in self._parsed:
            return
        self._parsed.add(key)
        play = Play.load(
            {"name": "hooks", "hosts": "all", "gather_facts": False},
            variable_manager=self._variables,
            loader=self._loader,
        )
        try:
            blocks = load_list_of_blocks([task], play=play, variable_manager=self._variables, loader=self._loader)
        except Exception as problem:  # noqa: BLE001 - a loader raises what it likes
            said = without_search_path(sentence(problem))
            # Ansible adds what it is raised from to the message, and that is in it already.
            raise AnsibleError(f"{key[0]} cannot be loaded: {said}") from None
        for included in _includes(blocks):
            self._follow(included)

    def _follow(self, task: TaskInclude) -> None:
        if isinstance(task, IncludeRole):
            name, known = self._text(task._role_name)
            tasks_from, known_too = self._text(task._from_files.get("tasks", "main"))
            if known and known_too:
                found = self._role(name)
                self._parse(
                    {"ansible.builtin.import_role": {"name": found, "tasks_from": tasks_from}}, found, tasks_from
                )
            return
        name, known = self._text(task.args.get("_raw_params") or task.args.get("file"))
        places = self._places(task, name)
        for path in places:
            self._parse_included(task, path)
        if known and not places and not task.when:
            raise AnsibleError(f"There is no file {name}, which {task.get_path()} includes.")

    def _parse_included(self, task: TaskInclude, path: str) -> None:
        role = task._role
        if role is None:
            self._parse({"ansible.builtin.import_tasks": path}, path)
            return
        # As a part of its role, so that it finds what is beside it.
        name, tasks_from = role._role_path, os.path.relpath(path, os.path.join(role._role_path, "tasks"))
        if not tasks_from.startswith(".."):
            self._parse({"ansible.builtin.import_role": {"name": name, "tasks_from": tasks_from}}, name, tasks_from)

    def _places(self, task: TaskInclude, name: str) -> list[str]:
        """The files that an include may mean: of a name that is not known yet those that fit it."""
        if os.path.isabs(name):
            places = [name]
        elif not name.strip("*/"):
            return []
        else:
            folders = [*task.get_search_path(), self._loader.get_basedir()]
            places = [os.path.join(folder, below, name) for folder in folders for below in ("tasks", "")]
        for place in places:
            found = glob.glob(place) if "*" in name else [place]
            files = sorted(os.path.realpath(path) for path in found if os.path.isfile(path))
            if files:
                return files
        return []

    def _text(self, template: Any) -> tuple[str, bool]:
        """What a template says, and whether that is known yet; else with `*` for what is not."""
        try:
            return str(self._templar.template(template)), True
        except Exception:  # noqa: BLE001 - an expression that needs what the hook itself finds out may raise anything
            return _EXPRESSION.sub("*", str(template)), False


def sentence(problem: BaseException) -> str:
    """The message of an error in one line, with the file, line and column that Ansible knows of it."""
    said = " ".join(str(problem).split())
    where = _origin(problem)
    return said if not where or where in said else f"{said.rstrip('.')}, at {where}."


def _origin(problem: BaseException | None) -> str:
    """File, line and column of an error, or of what it was raised from; empty if Ansible knows none."""
    if problem is None:
        return ""
    context = getattr(problem, "_formatted_source_context", None)
    found = _ORIGIN.search(context or "")
    return found[1] if found else _origin(problem.__cause__)


def without_search_path(message: str) -> str:
    """What Ansible says of a role that it does not find, in the words of any release, without the folders."""
    return _SEARCH_PATH.sub(_SEARCHED, message)


def _includes(blocks: list[Any]) -> Iterator[TaskInclude]:
    """All tasks of blocks that include others while they run."""
    for one in blocks:
        if isinstance(one, Block):
            yield from _includes([*one.block, *one.rescue, *one.always])
        elif isinstance(one, TaskInclude) and not one.statically_loaded:
            yield one
