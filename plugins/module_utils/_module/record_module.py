# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What run_record and run_record_info do with the engine's records of runs."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .._engine.errors import FreezerError
from .._engine.run_records import RunRecords

_WHERE: dict[str, Any] = {
    "folder": {"type": "path", "default": "/var/lib/freezer-backup"},
    "owner": {"type": "str", "default": "run"},
}


def run_record_module() -> None:
    """The whole module `run_record`."""
    spec = {"state": {"type": "str", "choices": ["present", "absent"], "default": "present"}, "run": {"type": "dict"}}
    module = AnsibleModule(
        argument_spec={**spec, **_WHERE}, required_if=[("state", "present", ["run"])], supports_check_mode=True
    )
    wanted = module.params
    try:
        records = RunRecords(wanted["folder"], wanted["owner"])
        before = records.runs()
        meant = [wanted["run"]] if wanted["run"] is not None else before
        files = [records.file_name(run) for run in meant]
        others = [run for run in before if records.file_name(run) not in files]
        if wanted["state"] == "present":
            changed, after, write = wanted["run"] not in before, [*others, *meant], records.put
        else:
            changed, after, write = others != before, others, records.remove
        if changed and not module.check_mode:
            for run in meant:
                write(run)
    except FreezerError as problem:
        module.fail_json(msg=str(problem))
    if wanted["state"] == "present" and others:
        names = ", ".join(str(run["snapshot_name"]) for run in others)
        module.warn(
            f"Not ended on this host, so either still under way or killed: {names}. What a killed run has left is removed by the "
            f"playbook freezer.backup.finalize."
        )
    diff = {"before": {"runs": before}, "after": {"runs": after if changed else before}}
    module.exit_json(changed=changed, others=others, diff=diff)


def run_record_info_module() -> None:
    """The whole module `run_record_info`."""
    module = AnsibleModule(argument_spec=_WHERE, supports_check_mode=True)
    try:
        runs = RunRecords(module.params["folder"], module.params["owner"]).runs()
    except FreezerError as problem:
        module.fail_json(msg=str(problem))
    module.exit_json(changed=False, runs=runs)
