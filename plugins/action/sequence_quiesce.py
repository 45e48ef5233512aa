# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One step of a run over several hosts that has no hooks: quiesce a host, and say so in the log. Tries again where it fails."""

from __future__ import annotations

import multiprocessing
import time
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.freezer.backup.plugins.plugin_utils.clock import measure
from ansible_collections.freezer.backup.plugins.plugin_utils.event_log import RunLog

_MODULE = "freezer.backup.freeze"
_OPTIONS = ("targets", "deadline_seconds", "timeout_seconds", "state_folder")


class ActionModule(ActionBase):
    """The action sequence_quiesce."""

    TRANSFERS_FILES = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Take the step. A host that is lost raises, as it does in every action."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _checked, self._wanted = self.validate_argument_spec(
            argument_spec={
                "step": {"type": "str", "choices": ["clock", "freeze", "prepare"], "required": True},
                "run": {"type": "dict", "required": True},
                "path": {"type": "path"},
                "targets": {"type": "list", "elements": "dict", "default": []},
                "deadline_seconds": {"type": "float"},
                "timeout_seconds": {"type": "float"},
                "state_folder": {"type": "path"},
                "moment": {"type": "float"},
                "offset_seconds": {"type": "float", "default": 0.0},
                "leave_out": {"type": "bool", "default": False},
                "retries": {"type": "int", "default": 0},
                "retry_interval": {"type": "int", "default": 30},
            }
        )
        self._vars = task_vars or {}
        run = self._wanted["run"]
        self._log = RunLog(self._wanted["path"], run["workflow"], run["snapshot_name"])
        result.update({"changed": False}, **self._step())
        self._log.warn(result)
        return result

    def _step(self) -> dict[str, Any]:
        wanted = self._wanted
        if wanted["step"] == "clock":
            return measure(self) if wanted["targets"] and not wanted["leave_out"] else {}
        if wanted["leave_out"]:
            return {"line": self._tell("skipped")}
        self._tell("start")
        done = self._quiesce() if wanted["targets"] else {}
        attempts = 1
        while done.get("failed") and attempts <= wanted["retries"]:
            self._tell("note", failed_attempt=attempts)
            time.sleep(wanted["retry_interval"])
            done = self._quiesce()
            attempts += 1
        if done.get("failed"):
            return {**done, "line": self._tell("failed", msg=f"{wanted['step']}: {done.get('msg', 'failed')}")}
        return {**done, "line": self._tell("done")}

    def _quiesce(self) -> dict[str, Any]:
        """Hold what there is to hold; with `moment` it is made ready before, and held at that moment."""
        options = {"name": "sequence", **{key: self._wanted[key] for key in _OPTIONS if self._wanted[key] is not None}}
        moment, changed = self._wanted["moment"], False
        if moment:
            ready = self._freeze({**options, "hold_at": moment + self._wanted["offset_seconds"]})
            if ready.get("failed"):
                return ready
            changed = bool(ready.get("changed"))
        held = self._freeze(options)
        return {**held, "changed": changed or bool(held.get("changed"))}

    def _freeze(self, options: dict[str, Any]) -> dict[str, Any]:
        # This process outlives an ansible-playbook that is killed, and then nothing would follow that releases the host.
        controller = multiprocessing.parent_process()
        if controller is not None and not controller.is_alive():
            raise AnsibleActionFail("Nothing was quiesced, since ansible-playbook has ended.")
        result: dict[str, Any] = self._execute_module(module_name=_MODULE, module_args=options, task_vars=self._vars)
        return result

    def _tell(self, event: str, **details: Any) -> dict[str, Any]:
        return self._log.tell(str(self._vars.get("inventory_hostname", "")), self._wanted["step"], event, details)
