# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host has to do in a run over several hosts, what is wrong with that, and which backups it has on record."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.freezer.backup.plugins.plugin_utils.hooks import Hooks, project_folders, sentence
from ansible_collections.freezer.backup.plugins.plugin_utils.sequence import STEPS_OF, steps_of, words

#: Workflows that are about one backup of those on record, or must not take its name.
_ABOUT_A_BACKUP = ("backup", "restore", "remove_backup")
#: Variables that are numbers, and of what.
_NUMBERS = {
    "freezer_lead_seconds": "seconds",
    "freezer_deadline_seconds": "seconds",
    "freezer_timeout_seconds": "seconds",
    "freezer_cloud_timeout_seconds": "seconds",
    "freezer_cloud_concurrency": "servers or volumes",
}


class ActionModule(ActionBase):
    """The action sequence_member."""

    TRANSFERS_FILES = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Look at the variables of the host."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _checked, wanted = self.validate_argument_spec(
            argument_spec={"workflow": {"type": "str", "choices": sorted(STEPS_OF), "required": True}}
        )
        self._workflow = wanted["workflow"]
        self._steps = STEPS_OF[wanted["workflow"]]
        self._vars = task_vars or {}
        self._problems: list[str] = []
        groups = [str(name) for name in self._vars.get("group_names", ())]
        member: dict[str, Any] = {
            "host": str(self._vars.get("inventory_hostname", "")),
            "types": [*groups, *words(self._variable("freezer_types", []))],
            "is_service": "freezer_services" in groups,
            "logs_in": not _true(self._variable("freezer_api_only", False)),
            "server": str(self._variable("freezer_server", "")),
            "volumes": words(self._variable("freezer_volumes", [])),
            "needs": words(self._variable("freezer_depends_on", [])),
            "targets": bool(self._variable("freezer_targets", [])),
            "lvm": bool(self._variable("freezer_lvm_snapshots", [])),
            "skips": self._skips(),
            "hooks": self._hooks(),
        }
        if "attached" in member["volumes"] and not member["server"]:
            self._problem("freezer_volumes are those attached, and there is no freezer_server that says to what.")
        # What is the same for all is told to the log on one host: a mistake there would fail all while they are quiesced.
        self._variable("freezer_event_log", "")
        for name in _NUMBERS:
            self._check_number(name)
        member["known"] = self._known() if member["logs_in"] and groups else {}
        member["has"] = _has(member)
        member["problems"] = self._problems
        result.update(changed=False, **member)
        return result

    def _problem(self, sentence: str) -> None:
        self._problems.append(sentence)

    def _variable(self, name: str, default: Any) -> Any:
        """A variable of the host; an empty one, which AWX has for a question without an answer, is none."""
        if name not in self._vars:
            return default
        try:
            value = self._templar.template(self._vars[name])
        except AnsibleError as problem:
            self._problem(f"{name} cannot be evaluated: {sentence(problem)}")
            return default
        return default if value is None or value == "" else value

    def _check_number(self, name: str) -> None:
        value = self._variable(name, 0)
        try:
            # Neither is a number to wait for: not a number at all, and the infinite one.
            usable = 0 <= float(value) < float("inf")
        except (TypeError, ValueError):
            usable = False
        if not usable:
            self._problem(f"{name} is a number of {_NUMBERS[name]}, and not {value!r}.")

    def _known(self) -> dict[str, Any]:
        """The backups that the host has on record, for a workflow that is about one of them. What fails here ends nothing."""
        if self._workflow not in _ABOUT_A_BACKUP:
            return {}
        options = {"folder": self._variable("freezer_record_folder", "/var/lib/freezer-backup")}
        try:
            found: dict[str, Any] = self._execute_module(
                module_name="freezer.backup.run_record_info", module_args=options, task_vars=self._vars
            )
        except AnsibleConnectionFailure as problem:
            return {"failed": True, "unreachable": True, "msg": sentence(problem)}
        return {key: found[key] for key in ("runs", "done", "failed", "msg") if key in found}

    def _skips(self) -> list[str]:
        found: list[str] = []
        for name in words(self._variable("skip_actions", [])):
            steps = steps_of(name)
            if not steps:
                self._problem(f"skip_actions has {name}, which is no step and no operation of Cloudify.")
            found.extend(steps)
        return found

    def _hooks(self) -> dict[str, list[dict[str, Any]]]:
        given = self._variable("freezer_hooks", {})
        if not isinstance(given, dict):
            self._problem("freezer_hooks is not a dictionary of lists.")
            return {}
        hooks = Hooks(self._loader, self._templar, project_folders(self._vars.get("inventory_dir")))
        found: dict[str, list[dict[str, Any]]] = {}
        for name, entries in given.items():
            steps = steps_of(str(name))
            if not steps:
                self._problem(f"freezer_hooks has {name}, which is no step and no operation of Cloudify.")
            for step in steps:
                # Also where the list is empty, which says that there is nothing to do for it.
                found.setdefault(step, [])
            for entry in entries or []:
                if not set(steps) & set(self._steps):
                    for step in steps:
                        found.setdefault(step, []).append(entry)
                    continue
                try:
                    checked = hooks.check(str(name), entry)
                except AnsibleError as problem:
                    self._problem(f"the hook {name}: {sentence(problem)}")
                    continue
                for step in steps:
                    found.setdefault(step, []).append(checked)
        return found


def _has(member: dict[str, Any]) -> list[str]:
    """The steps in which a host has something to do."""
    found = {step for step, entries in member["hooks"].items() if entries}
    if member["targets"]:
        found.add("prepare" if member["is_service"] else "freeze")
    if member["lvm"]:
        found |= {"snapshot", "delete"}
    if member["server"] or member["volumes"]:
        found |= {"snapshot", "apply", "delete"}
    if member["server"]:
        found |= {"suspend", "resume"}
    return sorted(found)


def _true(value: Any) -> bool:
    return str(value).strip().lower() in ("true", "yes", "on", "1", "y", "t")
