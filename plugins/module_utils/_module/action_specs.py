# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of options as argument specs: what the module for a verb takes, and which module takes what it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._engine.action import values
from .._engine.action.options import ONLY_OF_BACKUPS, is_given, parse_options
from .._engine.action.row import Row
from .._engine.action.spec import (
    ALIASES,
    BY_NAME,
    LOCATION_KEYS,
    MODULES,
    names_of_module,
    rows_of_module,
    verbs_of_module,
)
from .._engine.documents.verbs import ACTIONS, EXEC_KEYS
from .._engine.errors import OptionError, in_a_row

_PREFIX = "freezer.backup."
#: Paths of keys, which Ansible takes for the keys themselves by their names.
_NO_SECRETS = frozenset({"encrypt_pass_file", "signing_key"})
#: What Ansible makes of a value; the engine reads all else of it, such as the unit of a size.
_TYPES: dict[Any, str] = {
    values.whole: "int",
    values.number: "float",
    values.switch: "bool",
    values.texts: "list",
    values.storages: "list",
}


def action_spec(verb: str) -> dict[str, Any]:
    """What the module for a verb takes: the keys that an action with this verb can have.

    The fragment freezer.backup._action documents them; tools/fragments.py writes it from this.
    """
    spec = {row.name: _argument(row) for row in rows_of_module(verb)}
    spec["action"]["choices"] = verbs_of_module(verb)
    locations = {name: _argument(BY_NAME[name]) for name in LOCATION_KEYS}
    for name in ("storage", "container"):
        locations[name]["required"] = True
    spec["storages"]["options"] = locations
    return spec


def _argument(row: Row) -> dict[str, Any]:
    """One option as Ansible declares it. What the engine is to choose has no default."""
    argument: dict[str, Any] = {"type": "path" if row.is_path else _TYPES.get(row.parser, "str")}
    if argument["type"] == "list":
        argument["elements"] = "dict" if row.parser is values.storages else "str"
    if row.choices:
        argument["choices"] = list(row.choices)
    if row.is_declared and row.typed_default is not None:
        argument["default"] = row.typed_default
    if row.name in _NO_SECRETS:
        argument["no_log"] = False
    if row.aliases:
        argument["aliases"] = list(row.aliases)
    return argument


def foreign_options(verb: str, given: Mapping[str, Any]) -> dict[str, str]:
    """The options of other modules that the module for a verb was given, each with a sentence why it does not take it.

    The sentence is empty where the value is: documents have such keys for what they do not say. Options that no module has
    are left for Ansible to refuse.
    """
    names = {other: names_of_module(other) for other in MODULES}
    found = {}
    for key, value in given.items():
        name = ALIASES.get(key, key)
        takers = list(dict.fromkeys(f"{_PREFIX}{MODULES[other]}" for other in MODULES if name in names[other]))
        if name in EXEC_KEYS and is_given(name, value):
            found[key] = (
                f"{_PREFIX}{MODULES[verb]} does not take {key}, which is for an action exec, and no module of this "
                "collection does that; leave it out. Nothing was done."
            )
        if name in names[verb] or not takers:
            continue
        found[key] = ""
        if is_given(name, value):
            found[key] = _about_part(verb, name, value) or (
                f"{_PREFIX}{MODULES[verb]} does not take {key}, which is for {in_a_row(takers)}; leave it out. "
                "Nothing was done."
            )
    what = given.get("action")
    if what in ACTIONS and what not in verbs_of_module(verb):
        instead = f"use {_PREFIX}{MODULES[what]}" if what in MODULES else "no module of this collection does that"
        found["action"] = f"action is {what}, and {_PREFIX}{MODULES[verb]} was called; {instead}. Nothing was done."
    return found


def _about_part(verb: str, name: str, value: Any) -> str:
    """What to do in place of a restore of a part, if that is what an option asks for."""
    if verb == "restore" and name in ONLY_OF_BACKUPS:
        try:
            parse_options({name: value}).refuse_for(verb)
        except OptionError as error:
            return f"{error} Nothing was done."
    return ""
