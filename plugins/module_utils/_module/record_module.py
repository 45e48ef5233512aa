# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What run_record and run_record_info do with the engine's records of runs."""

from __future__ import annotations

import json
import time
from typing import Any

from .._engine.agent.run_records import RunRecords
from .._engine.errors import FreezerError
from .masking import DiscreetModule

_WHERE: dict[str, Any] = {
    "folder": {"type": "path", "default": "/var/lib/freezer-backup"},
    "owner": {"type": "str", "default": "run"},
}


def run_record_module() -> None:
    """The whole module `run_record`."""
    states = ["present", "absent", "done"]
    spec = {"state": {"type": "str", "choices": states, "default": "present"}, "run": {"type": "dict"}}
    module = DiscreetModule(
        argument_spec={**spec, **_WHERE},
        required_if=[("state", "present", ["run"]), ("state", "done", ["run"])],
        supports_check_mode=True,
    )
    wanted = module.params
    try:
        records = RunRecords(wanted["folder"], wanted["owner"])
        if wanted["state"] == "present":
            records.check_free(wanted["run"])
        before = {"runs": records.runs(), "done": records.done()}
        after = _after(records, before, wanted)
        changed = _without_time(before) != _without_time(after)
        if changed and not module.check_mode:
            _write(records, before, wanted)
    except FreezerError as problem:
        module.fail_json(msg=str(problem))
    meant = [records.file_name(wanted["run"])] if wanted["run"] is not None else []
    others = [run for run in after["runs"] if records.file_name(run) not in meant]
    if wanted["state"] == "present" and others:
        names = ", ".join(str(run["snapshot_name"]) for run in others)
        module.warn(
            f"Not ended on this host, so either still under way or killed: {names}. What a killed run has left is removed by the "
            f"playbook freezer.backup.finalize."
        )
    module.exit_json(
        changed=changed, others=others, diff={"before": _shown(before), "after": _shown(after if changed else before)}
    )


def _after(records: RunRecords, before: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """What is on record afterwards. Without a run all that are under way are meant, and none that has succeeded."""
    run, state = wanted["run"], wanted["state"]
    if run is None:
        return {"runs": [], "done": before["done"]}
    name = records.file_name(run)
    if state == "absent":
        return {
            kind: [other for other in before[kind] if not records.is_meant(run, other)] for kind in ("runs", "done")
        }
    runs = [other for other in before["runs"] if records.file_name(other) != name]
    done = [other for other in before["done"] if records.file_name(other) != name]
    if state == "present":
        return {"runs": [*runs, run], "done": before["done"]}
    return {"runs": runs, "done": [*done, run]}


def _shown(kept: dict[str, Any]) -> dict[str, Any]:
    return {kind: runs for kind, runs in kept.items() if kind == "runs" or runs}


def _without_time(kept: dict[str, Any]) -> list[list[str]]:
    """What is compared: a run that has succeeded is the same whenever it ended."""
    return [
        sorted(json.dumps({key: run[key] for key in run if key != "ended_at"}, sort_keys=True) for run in kept[kind])
        for kind in ("runs", "done")
    ]


def _write(records: RunRecords, before: dict[str, Any], wanted: dict[str, Any]) -> None:
    run = wanted["run"]
    if run is None:
        for one in before["runs"]:
            records.remove(one)
    elif wanted["state"] == "present":
        records.put(run)
    elif wanted["state"] == "done":
        records.finish(run, time.time())
    else:
        records.forget(run)


def run_record_info_module() -> None:
    """The whole module `run_record_info`."""
    module = DiscreetModule(argument_spec=_WHERE, supports_check_mode=True)
    try:
        records = RunRecords(module.params["folder"], module.params["owner"])
        runs, done = records.runs(), records.done()
    except FreezerError as problem:
        module.fail_json(msg=str(problem))
    module.exit_json(changed=False, runs=runs, done=done)
