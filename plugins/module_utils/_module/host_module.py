# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What backup, restore, verify and prune have in common: the keys of an action as options, one way in and one way out."""

from __future__ import annotations

import signal
from typing import Any, Callable

from .._engine.action import values
from .._engine.action.spec import BY_NAME, CLOUD_MEDIA, Row
from .._engine.errors import FreezerError
from .masking import DiscreetModule

_CLOUD_KEYS = [key for keys in CLOUD_MEDIA.values() for key in keys]

#: Keys of documents that a module takes and does nothing with.
_PASSED_OVER = ("action", "log_file")
#: What Ansible makes of a value; the engine reads all else of it, such as the unit of a size.
_TYPES: dict[Any, str] = {
    values.whole: "int",
    values.number: "float",
    values.switch: "bool",
    values.texts: "list",
    values.storages: "list",
}

Work = Callable[[dict[str, Any], bool], dict[str, Any]]


def action_spec() -> dict[str, Any]:
    """The keys of a freezer_action, documented by the fragment freezer.backup._action.

    Every module takes all of them, so that one action document fits them all; what is verify's own is none of them.
    """
    taken = (row for row in BY_NAME.values() if row.name in _PASSED_OVER or (row.parser and row.verbs != ("verify",)))
    spec = {row.name: _argument(row) for row in taken}
    places = {name: _argument(BY_NAME[name]) for name in ("storage", "container", "cloud", "osrc")}
    for name in ("storage", "container"):
        places[name]["required"] = True
    spec["storages"]["options"] = places
    return spec


def _argument(row: Row) -> dict[str, Any]:
    """One option as Ansible declares it. What the engine is to choose has no default."""
    argument: dict[str, Any] = {"type": "path" if row.is_path else _TYPES.get(row.parser, "str")}
    if argument["type"] == "list":
        argument["elements"] = "dict" if row.parser is values.storages else "str"
    if row.choices:
        argument["choices"] = list(row.choices)
    if row.parser is values.switch and row.default is not None:
        argument["default"] = row.default
    if row.aliases:
        argument["aliases"] = list(row.aliases)
    return argument


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
