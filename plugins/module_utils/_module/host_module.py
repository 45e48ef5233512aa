# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What backup, restore, verify and prune have in common: the keys of an action as options, one way in and one way out."""

from __future__ import annotations

import signal
from typing import Any, Callable

# For modules that have to look at their options before Ansible refuses those that it does not know.
from ansible.module_utils.basic import _load_params

from .._engine.action.options import option_name, refuse_twice
from .._engine.action.spec import CLOUD_MEDIA, EXCLUSIVE
from .._engine.documents.verbs import READ_ACTIONS
from .._engine.errors import FreezerError, NoBackup, OptionError
from .action_specs import action_spec, foreign_options
from .masking import DiscreetModule

#: In modules each of several storages says what it is, so the action itself need not.
_EXCLUSIVE = (("storage", "storages"), *EXCLUSIVE)
_CLOUD_KEYS = [key for keys in CLOUD_MEDIA.values() for key in keys]

#: What is known of a backup before it is made.
SHOWN_OF_BACKUPS = ["hostname", "backup_name", "path_to_backup", "level", "parent_backup_id"]

Work = Callable[[dict[str, Any], bool], dict[str, Any]]


def end_by_signal(number: int, _frame: Any) -> None:
    """Let what is under way clean up behind itself, and end."""
    raise SystemExit(128 + number)


def run_on_host(
    verb: str,
    work: Work,
    shown: list[str],
    diff_of: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
) -> None:
    """Run one piece of the engine's work, a verb of an action, as an Ansible module.

    `shown` names the keys of the result that make up the diff: those that are known before the work is done; `diff_of`
    makes a diff of a result in another way. A lost connection or a cancelled task ends the work as cleanly as an error does.
    """
    spec = action_spec(verb)
    # There are none at all where ansible-test looks at what a module declares.
    given = _load_params() or {}
    foreign = foreign_options(verb, given)
    # What other modules take is declared for a moment, so that it is refused with a better sentence than Ansible's.
    module = DiscreetModule(
        argument_spec={**spec, **{name: {"type": "raw"} for name in foreign}},
        # What a cloud is asked for has a name of its own. The engine says which storage and container it can choose.
        required_one_of=[] if any(foreign.values()) or verb in READ_ACTIONS else [("backup_name", *_CLOUD_KEYS)],
        mutually_exclusive=[pair for pair in _EXCLUSIVE if set(pair) <= set(spec)],
        supports_check_mode=True,
    )
    for sentence in filter(None, foreign.values()):
        module.fail_json(msg=sentence)
    try:
        refuse_twice({key: value for key, value in given.items() if not key.startswith("_")})
    except OptionError as problem:
        module.fail_json(msg=f"{problem} Nothing was done.")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end_by_signal)
    # The engine has the defaults itself. One that Ansible adds would contradict an option that was given in another spelling.
    typed = {option_name(key) for key in given}
    action = {name: value for name, value in module.params.items() if name in typed}
    try:
        result = work(action, module.check_mode)
    except FreezerError as problem:
        module.fail_json(msg=str(problem), **({"no_backup": True} if isinstance(problem, NoBackup) else {}))
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
    if verb not in READ_ACTIONS:
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
    parts += result.get("not_read", [])[:1]
    return "The outcome is partial. " + " ".join(parts)
