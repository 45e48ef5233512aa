# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What backup, restore, verify and prune have in common: the keys of an action as options, one way in and one way out."""

from __future__ import annotations

import signal
from typing import Any, Callable

from .._engine.action.spec import CLOUD_MEDIA
from .._engine.errors import FreezerError
from .masking import DiscreetModule

_CLOUD_KEYS = [key for keys in CLOUD_MEDIA.values() for key in keys]

Work = Callable[[dict[str, Any], bool], dict[str, Any]]


def action_spec() -> dict[str, Any]:
    """The keys of a freezer_action, documented by the fragment freezer.backup._action.

    Every module takes all of them, so that one action document fits them all.
    """
    return {
        "action": {"type": "str"},
        "always_level": {"type": "int"},
        "backup_id": {"type": "str"},
        "backup_media": {"type": "str", "choices": ["fs", *CLOUD_MEDIA]},
        "backup_name": {"type": "str"},
        "cinder_vol_id": {"type": "str"},
        "cinder_vol_name": {"type": "str"},
        "cindernative_backup_container": {"type": "str"},
        "cindernative_backup_id": {"type": "str"},
        "cindernative_vol_id": {"type": "str"},
        "cloud": {"type": "str"},
        "cloud_timeout_seconds": {"type": "float"},
        "compression": {"type": "str", "choices": ["zstd", "gzip", "none"]},
        "compression_level": {"type": "int"},
        "container": {"type": "str"},
        "deadline_seconds": {"type": "float"},
        "dereference_symlink": {"type": "str", "choices": ["none", "soft", "hard", "all"]},
        "dry_run": {"type": "bool", "default": False},
        "engine_name": {"type": "str", "choices": ["tar", "nova"], "aliases": ["engine"]},
        "exclude": {"type": "list", "elements": "str"},
        "hostname": {"type": "str"},
        "incremental": {"type": "bool"},
        "insecure": {"type": "bool", "default": False},
        "keep_daily": {"type": "int"},
        "keep_last": {"type": "int"},
        "keep_monthly": {"type": "int"},
        "keep_weekly": {"type": "int"},
        "keep_yearly": {"type": "int"},
        "log_file": {"type": "str"},
        "lvm_auto_snap": {"type": "str"},
        "lvm_dirmount": {"type": "path"},
        "lvm_snapname": {"type": "str"},
        "lvm_snapperm": {"type": "str", "choices": ["ro", "rw"], "aliases": ["lvm_snap_perm"]},
        "lvm_snapsize": {"type": "str"},
        "init": {"type": "bool", "default": False},
        "lvm_srcvol": {"type": "str"},
        "lvm_volgroup": {"type": "str"},
        "max_level": {"type": "int"},
        "max_priority": {"type": "bool", "default": False, "aliases": ["max_cpu_priority"]},
        "max_segment_size": {"type": "str"},
        "min_age": {"type": "float"},
        "mode": {"type": "str", "choices": ["fs", "mysql", "postgresql", "mongodb", "mongo", *CLOUD_MEDIA]},
        "mongodb_conf": {"type": "path"},
        "mysql_conf": {"type": "path"},
        "no_incremental": {"type": "bool"},
        "nova_inst_id": {"type": "str"},
        "nova_inst_name": {"type": "str"},
        "nova_restore_network": {"type": "str"},
        "one_file_system": {"type": "bool"},
        "osrc": {"type": "path"},
        "overwrite": {"type": "bool", "default": False},
        "path_to_backup": {"type": "path", "aliases": ["src_file"]},
        "postgresql_conf": {"type": "path"},
        "proxy": {"type": "str"},
        "remove_before_date": {"type": "str", "aliases": ["remove_from_date"]},
        "remove_older_than": {"type": "float"},
        "restart_always_level": {"type": "float"},
        "restore_abs_path": {"type": "path"},
        "restore_as": {"type": "str"},
        "restore_from_date": {"type": "str"},
        "snapshot": {"type": "str"},
        "storage": {"type": "str", "choices": ["local", "swift"]},
        "storages": {
            "type": "list",
            "elements": "dict",
            "options": {
                "storage": {"type": "str", "choices": ["local", "swift"], "required": True},
                "container": {"type": "str", "required": True},
                "cloud": {"type": "str"},
                "osrc": {"type": "path"},
            },
        },
        "sync": {"type": "bool", "default": False},
        "timeout": {"type": "float"},
    }


def end_by_signal(number: int, _frame: Any) -> None:
    """Let what is under way clean up behind itself, and end."""
    raise SystemExit(128 + number)


def run_on_host(
    work: Work,
    shown: list[str],
    extra_spec: dict[str, Any] | None = None,
    required: list[str] | None = None,
    diff_of: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
) -> None:
    """Run one piece of the engine's work as an Ansible module.

    `shown` names the keys of the result that make up the diff: those that are known before the work is done; `diff_of`
    makes a diff of a result in another way. A lost connection or a cancelled task ends the work as cleanly as an error does.
    """
    module = DiscreetModule(
        argument_spec={**action_spec(), **(extra_spec or {})},
        # What a cloud is asked for has a name of its own. The engine says which storage and container it can choose.
        required_one_of=[("backup_name", *_CLOUD_KEYS)],
        mutually_exclusive=[("storage", "storages"), ("backup_id", "restore_from_date")],
        supports_check_mode=True,
    )
    of_cloud = any(module.params[key] for key in _CLOUD_KEYS)
    missing = [name for name in required or [] if not module.params[name] and not of_cloud]
    if missing:
        module.fail_json(msg=f"missing required arguments: {', '.join(missing)}")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end_by_signal)
    try:
        result = work(module.params, module.check_mode)
    except FreezerError as problem:
        module.fail_json(msg=str(problem))
    for problem in [*result.pop("warnings", []), *result.get("problems", [])]:
        module.warn(problem)
    if result["outcome"] == "partial":
        module.warn(_partial_sentence(result))
    elif result["outcome"] == "different":
        module.fail_json(
            msg=f"The restored copy and {module.params['compare_to']} differ in {result['differences_count']} paths, "
            f"the first: {result['differences'][0]}.",
            **result,
        )
    for sentence in result.get("damaged", []):
        module.warn(f"Left alone, with all that it may be built on: {sentence}")
    after = {key: result[key] for key in shown if key in result}
    plain = {"before": {} if result["changed"] else after, "after": after}
    result["diff"] = diff_of(result) if diff_of else plain
    module.exit_json(**result)


def pruned_diff(result: dict[str, Any]) -> dict[str, Any]:
    """What there is before and after a prune."""
    kept, removed = ([one["folder"] for one in result[key]] for key in ("kept", "removed"))
    left = [one["path"] for one in result["leftovers"]]
    before = {"backups": sorted(kept + removed, reverse=True), "leftovers": left}
    return {"before": before, "after": {"backups": kept, "leftovers": []}}


def _partial_sentence(result: dict[str, Any]) -> str:
    parts = []
    for storage in result.get("storages", []):
        if storage["outcome"] != "success":
            parts.append(storage["message"])
    for key, words in (("unreadable", "could not be read"), ("not_restored", "could not be restored whole")):
        if result.get(key):
            first = result[key][0]
            parts.append(f"{result[key + '_count']} paths {words}, the first: {first['path']}: {first['message']}")
    return "The outcome is partial. " + " ".join(parts)
