# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a run over several hosts goes on, from what is known of each. Runs on the controller, asks no host."""

from __future__ import annotations

import time
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.freezer.backup.plugins.plugin_utils import sequence_end
from ansible_collections.freezer.backup.plugins.plugin_utils.event_log import RunLog


class ActionModule(ActionBase):
    """The action sequence_judge."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Look at all members at once: each looking at each would take the square of their number."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _checked, wanted = self.validate_argument_spec(
            argument_spec={
                "after": {"type": "str", "choices": ["freeze", "prepare", "release", "upload"], "required": True},
                "run": {"type": "dict", "required": True},
                "members": {"type": "list", "elements": "str", "required": True},
                "main_step": {"type": "str", "required": True},
                "path": {"type": "path"},
                "lead_seconds": {"type": "float", "default": 5.0},
                "tells_release": {"type": "bool", "default": False},
            }
        )
        run = wanted["run"]
        log = RunLog(wanted["path"], run["workflow"], run["snapshot_name"])
        hostvars = (task_vars or {})["hostvars"]
        states = {host: hostvars[host] for host in wanted["members"]}
        result["changed"] = False
        after = wanted["after"]
        if after in ("prepare", "freeze"):
            result["go"] = sequence_end.may_go_on(states, after)
        if after == "prepare":
            result["moment"] = time.time() + wanted["lead_seconds"] if sequence_end.freezes_several(states) else 0.0
        if after == "freeze" and result["go"]:
            host = str((task_vars or {}).get("inventory_hostname", ""))
            if skew := sequence_end.skew(states):
                log.tell(host, "freeze", "note", skew)
            for member, state in states.items():
                out = wanted["main_step"] in state["freezer_member"]["skips"]
                log.tell(member, wanted["main_step"], "skipped" if out else "start", {})
        if after == "release":
            result |= sequence_end.judge(run, states, wanted["main_step"])
        if after == "upload":
            judged = dict(sequence_end.judged_of(next(iter(states.values()))))
            result |= {key: judged[key] for key in ("done", "failures", "all_done")}
            result["undone"] = sequence_end.is_undone(run, states, judged)
        if wanted["tells_release"]:
            for host, step, event, details in sequence_end.release_events(states):
                log.tell(host, step, event, details)
        log.warn(result)
        return result
