# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What freeze does with the engine's holds: options, check mode, diff, one way out."""

from __future__ import annotations

import os
from typing import Any

from .._engine.errors import FreezerError
from .._engine.quiesce import hold
from .._engine.quiesce.base import DEFAULT_DEADLINE_SECONDS
from .masking import DiscreetModule

_LOGIN: dict[str, Any] = {
    "login_host": {"type": "str"},
    "login_port": {"type": "int"},
    "login_user": {"type": "str"},
    "login_password": {"type": "str", "no_log": True},
    "timeout_seconds": {"type": "float"},
}
_OS_USER: dict[str, Any] = {"os_user": {"type": "str"}}
_LOCKS = ["auto", "backup_stage", "global_read_lock"]


def targets_spec() -> dict[str, Any]:
    """The targets of a hold."""
    kinds = {
        "mysql": {
            **_LOGIN,
            **_OS_USER,
            "login_unix_socket": {"type": "path"},
            "config_file": {"type": "path"},
            "lock": {"type": "str", "choices": _LOCKS},
        },
        "postgresql": {**_LOGIN, **_OS_USER, "login_unix_socket": {"type": "path"}, "login_db": {"type": "str"}},
        "mongodb": {
            **_LOGIN,
            "login_database": {"type": "str"},
            "tls": {"type": "bool"},
            "ca_file": {"type": "path"},
        },
        "command": {
            **_OS_USER,
            "prepare": {"type": "list", "elements": "str"},
            "finalize": {"type": "list", "elements": "str"},
            "timeout_seconds": {"type": "float"},
        },
    }
    options: dict[str, Any] = {kind: {"type": "dict", "options": keys} for kind, keys in kinds.items()}
    options["path"] = {"type": "path"}
    return {
        "type": "list",
        "elements": "dict",
        "options": options,
        "mutually_exclusive": [("path", *kinds)],
        "required_one_of": [("path", *kinds)],
    }


def run_hold() -> None:
    """The whole module `freeze`."""
    module = DiscreetModule(
        argument_spec={
            "state": {"type": "str", "choices": ["frozen", "thawed"], "default": "frozen"},
            "targets": targets_spec(),
            "deadline_seconds": {"type": "float", "default": DEFAULT_DEADLINE_SECONDS},
            "timeout_seconds": {"type": "float", "default": 30},
            "hold_at": {"type": "float"},
            "name": {"type": "str", "default": "default"},
            "state_folder": {"type": "path"},
            "force": {"type": "bool", "default": False},
        },
        required_if=[("state", "frozen", ["targets"])],
        supports_check_mode=True,
    )
    try:
        result = _freeze(module) if module.params["state"] == "frozen" else _thaw(module)
    except FreezerError as problem:
        module.fail_json(msg=str(problem))
    result["name"] = module.params["name"]
    if result.get("problems"):
        module.fail_json(msg=" ".join(result["problems"]), **result)
    module.exit_json(**result)


def _freeze(module: DiscreetModule) -> dict[str, Any]:
    wanted = module.params
    folder, name, targets = wanted["state_folder"], wanted["name"], wanted["targets"] or []
    # Ansible's own files on this host, which a release needs.
    needed = [module.tmpdir, os.path.dirname(os.path.abspath(__file__))]
    labels = hold.plan(targets, folder, name, needed, wanted["force"])
    if module.check_mode:
        there = hold.look(folder, name)
        hold.refuse_others(there, targets, name)
        changed = not (there.get("held") or there.get("ready"))
    else:
        limits = (wanted["deadline_seconds"], wanted["timeout_seconds"])
        there = hold.freeze(targets, *limits, folder, name, needed, wanted["force"], wanted["hold_at"])
        changed = there["changed"]
    frozen = _state(labels)
    report = _shown(there) if there.get("held") else {"ready": True} if there.get("ready") else {}
    return {**report, "changed": changed, "diff": {"before": _state([]) if changed else frozen, "after": frozen}}


def _thaw(module: DiscreetModule) -> dict[str, Any]:
    folder, name = module.params["state_folder"], module.params["name"]
    there = hold.look(folder, name)
    left = [other for other, is_left in hold.unfinished(folder).items() if is_left and other != name]
    final: dict[str, Any] = {}
    if module.check_mode:
        changed = bool(there.get("held") or there.get("ready") or there.get("left") or left)
    else:
        final = hold.thaw(folder, name)
        for other in left:
            hold.thaw(folder, other)
        changed = bool(final["changed"] or left)
    held = there.get("held") or there.get("ready")
    before = [target["target"] for target in there.get("targets", [])] if held else [*left]
    still_held = [other for other, is_left in hold.unfinished(folder).items() if not is_left and other != name]
    result = {**_shown(final), "cleaned_up": left, "still_held": still_held, "changed": changed}
    result["diff"] = {"before": _state(before), "after": _state([])}
    return result


def _state(labels: list[str]) -> dict[str, Any]:
    return {"state": "frozen" if labels else "thawed", "targets": labels}


def _shown(report: dict[str, Any]) -> dict[str, Any]:
    keys = ("held_from", "held_seconds", "remaining_seconds", "released_by", "consistency", "targets", "problems")
    return {key: report[key] for key in keys if report.get(key) is not None}
