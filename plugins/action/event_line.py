# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One line about a step of a run: shown, and appended to a file of JSON lines. Runs on the controller, asks no host."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.freezer.backup.plugins.plugin_utils.event_log import EVENTS, RunLog


class ActionModule(ActionBase):
    """The action event_line."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Write the line. What is wrong with the file is a warning."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _checked, wanted = self.validate_argument_spec(
            argument_spec={
                "step": {"type": "str", "required": True},
                "event": {"type": "str", "choices": list(EVENTS), "required": True},
                "run": {"type": "str", "default": ""},
                "workflow": {"type": "str", "default": ""},
                "details": {"type": "dict", "default": {}},
                "path": {"type": "path"},
            }
        )
        host = (task_vars or {}).get("inventory_hostname", "")
        log = RunLog(wanted["path"], wanted["workflow"], wanted["run"])
        result.update(changed=False, line=log.tell(host, wanted["step"], wanted["event"], wanted["details"]))
        log.warn(result)
        return result
