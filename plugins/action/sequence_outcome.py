# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a run over several hosts: what was made, or what failed where and what is left. Runs on the controller."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ansible import constants as C
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.freezer.backup.plugins.plugin_utils.event_log import write
from ansible_collections.freezer.backup.plugins.plugin_utils.sequence import (
    about,
    ended_badly,
    ended_well,
    failed_hosts,
    has_delete_hooks,
    nothing_was_there,
    other_holds,
)


class ActionModule(ActionBase):
    """The action sequence_outcome."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Say it, and who has failed: those fail in a task of their own, so that the others do not count as failed."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _checked, wanted = self.validate_argument_spec(
            argument_spec={
                "run": {"type": "dict", "required": True},
                "members": {"type": "list", "elements": "str", "required": True},
                "main_step": {"type": "str", "required": True},
                "path": {"type": "path"},
            }
        )
        task_vars = task_vars or {}
        run, hostvars = wanted["run"], task_vars["hostvars"]
        states = {host: hostvars[host] for host in wanted["members"]}
        others = other_holds(states) if run["workflow"] == "finalize" else []
        problems = ended_badly(run, states, wanted["main_step"])
        host = str(task_vars["inventory_hostname"])
        line = {
            "workflow": run["workflow"],
            "run": run["snapshot_name"],
            "host": host if host in states else next(iter(states)),
        }
        line |= {"step": run["workflow"], "event": "failed" if problems else "done"}
        _line, warning = write(wanted["path"], datetime.now().astimezone(), line)
        if warning:
            result.setdefault("warnings", []).append(warning)
        if problems:
            said = f"{about(run)} failed"
            # Once, in lines: as the message Ansible would show it twice, and in one line.
            Display().display("\n".join([f"{said}.", *problems, *others]), color=C.COLOR_ERROR)
            there = [str(name) for name in task_vars["ansible_play_hosts"]]
            result.update(
                changed=False,
                failed_on=failed_hosts(run, states, wanted["main_step"], there),
                msg=f"{said}; the lines above say where and why.",
            )
            return result
        made = {host: _made(state) for host, state in states.items()}
        lines = [ended_well(run, states, would_be=bool(self._task.check_mode))]
        if nothing_was_there(run, states):
            lines = [f"There was nothing of the backup {run['snapshot_name']} to remove."]
            if any(has_delete_hooks(state) for state in states.values()):
                lines.append(
                    "  It is on no record and has no snapshot, so the hooks `delete` did not run. If it was made without a record, "
                    "set freezer_allow_unrecorded=true."
                )
        lines += [f"  {host}: {', '.join(names)}" for host, parts in made.items() if (names := _names(parts))]
        lines += others
        Display().display("\n".join(lines))
        result.update(changed=False, msg=lines[0], made=made, failed_on=[])
        if run["workflow"] in ("backup", "restore", "remove_backup"):
            data = {"snapshot_name": run["snapshot_name"], "freezer_made": made if run["workflow"] == "backup" else {}}
            result["ansible_stats"] = {"data": data, "per_host": False, "aggregate": False}
        return result


def _made(state: Mapping[str, Any]) -> dict[str, Any]:
    """What a backup has made of a host: snapshots of LVM, and ids in the cloud."""
    ids = ("snapshot", "server_id", "volume_id", "image_id", "snapshot_id", "backup_id")
    cloud = [{key: one[key] for key in ids if one.get(key)} for one in state.get("freezer_cloud_made") or []]
    return {"lvm": list(state.get("freezer_lvm_made") or []), "cloud": cloud}


def _names(parts: Mapping[str, Any]) -> list[str]:
    return [*parts["lvm"], *(one["snapshot"] for one in parts["cloud"] if "snapshot" in one)]
