# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One line about a step of a run: shown, and appended to a file of JSON lines. Runs on the controller, asks no host."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.freezer.backup.plugins.plugin_utils.event_log import write

_WORDS = {"start": "Starting to", "done": "Done", "failed": "Failed to", "skipped": "Skipped", "note": "Note on"}


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
                "event": {"type": "str", "choices": sorted(_WORDS), "required": True},
                "run": {"type": "str", "default": ""},
                "workflow": {"type": "str", "default": ""},
                "details": {"type": "dict", "default": {}},
                "path": {"type": "path"},
            }
        )
        moment = datetime.now().astimezone()
        host = (task_vars or {}).get("inventory_hostname", "")
        line, problem = write(
            wanted["path"],
            moment,
            {
                "workflow": wanted["workflow"],
                "run": wanted["run"],
                "host": host,
                "step": wanted["step"],
                "event": wanted["event"],
                **wanted["details"],
            },
        )
        more = " ".join(f"{key}={value}" for key, value in wanted["details"].items())
        text = f"{moment.isoformat(' ', 'milliseconds')[:23]} freezer <{wanted['run']}> [{host}] {_WORDS[wanted['event']]} {wanted['step']}"
        # That a step begins or is done Ansible itself shows.
        if wanted["event"] not in ("start", "done"):
            Display().display(f"{text}{': ' + more if more else ''}")
        if problem:
            result.setdefault("warnings", []).append(problem)
        result.update(changed=False, line=line)
        return result
