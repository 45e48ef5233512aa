# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a freezer_action can be carried out, as far as that can be told before it reaches its node.

What no agent could ever do is refused where the action is stored. What the agent of this release does not know, a later
one or Freezer's own may; that is stored, and told. The table of options decides, which the agent itself reads actions
with.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..documents.errors import DocumentError
from ..documents.verbs import ACTIONS, EXEC_KEYS
from ..errors import OptionError, quoted
from ..system.meant import closest, did_you_mean
from . import values
from .execute import words_of
from .options import INIT_IS_THE_NODES, is_given, is_known, option_name, parse_options, value_of
from .schemas import schema_of
from .spec import ALIASES, BY_NAME, CLOUD_MEDIA, NAMES, PARSERS, UPSTREAM_KEYS, UPSTREAM_VALUES, WITHOUT_EFFECT

#: What names a server, a volume or an image of a cloud, to this agent or to Freezer's.
_OF_CLOUDS = (
    *(key for keys in CLOUD_MEDIA.values() for key in keys),
    *("cindernative_backup_id", "cinderbrick_vol_id", "glance_image_id", "glance_image_name"),
    *("glance_image_name_filter", "project_id"),
)
#: What an action cannot do without: one of these options, and why. Everything else may stand in the file of the agent.
NEEDED: Mapping[str, tuple[tuple[str, ...], str]] = {
    "backup": (("path_to_backup", *_OF_CLOUDS), "say which folder, file, server or volume to back up"),
    "restore": (("restore_abs_path", *_OF_CLOUDS), "say which folder to restore into, or which server or volume"),
}
#: How options of this agent and of Freezer's can be written.
_KNOWN = NAMES | UPSTREAM_KEYS
#: The most warnings; longer lists are not useful.
MAX_WARNINGS = 20


def check_action(
    action: Mapping[str, Any], place: str = "freezer_action", most_warnings: int = MAX_WARNINGS
) -> list[str]:
    """What the agent of this release will make of an action otherwise than it says, as so many sentences at most.

    ``place`` is where the action stands in its document. Raises DocumentError, with the place of the value, for what no
    agent could ever do. The defaults of its job have to be in the action.
    """
    what = action.get("action") or "backup"
    if what not in ACTIONS:
        raise DocumentError(f"action is {_in_words(what)}; it must be one of {', '.join(ACTIONS)} (in {place}.action)")
    warnings: list[str] = []
    known: dict[str, Any] = {}
    names: dict[str, Any] = {}
    for key, value in action.items():
        name = option_name(key)
        if name == "freezer_action":
            raise DocumentError(f"An action cannot have another one in it (in {place}.{key})")
        if not is_given(name, value) or name in WITHOUT_EFFECT:
            continue
        names[name] = value
        if not is_known(name) and len(warnings) >= most_warnings:
            continue  # a body has room for thousands of them, and what was meant by each takes its time to find
        warning = _about(key, value, place, known)
        if warning:
            warnings.append(warning)
    if what == "exec":
        try:
            words_of({key: value for key, value in action.items() if key in EXEC_KEYS})
        except OptionError as error:
            raise DocumentError(f"{str(error).rstrip('.')} (in {place})") from None
        return warnings[:most_warnings]
    options, why = NEEDED.get(what, ((), ""))
    if options and not any(name in names for name in options):
        raise DocumentError(f"{options[0]} is missing: {why}{_slip(options, names)} (in {place})")
    return (warnings + _about_the_whole(what, known, names, place))[:most_warnings]


def _about(key: str, value: Any, place: str, known: dict[str, Any]) -> str:
    """What there is to say about one value. What this release can read goes to ``known``."""
    name = option_name(key)
    if name in EXEC_KEYS:
        return ""  # of a command, or passed over: the defaults of a job are in all of its actions
    if isinstance(value, str) and value in UPSTREAM_VALUES.get(name, ()):
        return f"The agent of this release has no {key} {value}, agents of Freezer do (in {place}.{key})."
    if not is_known(name):
        hint = did_you_mean(name, _KNOWN)
        return f"The option {quoted(key)} is not known to this release (in {place}).{hint}"
    if name not in PARSERS:
        return f"The agent of this release cannot do what {key} asks for, agents of Freezer can (in {place}.{key})."
    try:
        value_of(key, value)
    except OptionError as error:
        raise DocumentError(f"{str(error).rstrip('.')} (in {place}.{key})") from None
    if name == "storages":
        return _about_storages(value, f"{place}.{key}", known)
    known[key] = value
    return ""


def _about_storages(storages: Any, place: str, known: dict[str, Any]) -> str:
    kinds = (*BY_NAME["storage"].choices, *UPSTREAM_VALUES["storage"])
    for number, storage in enumerate(storages):
        kind = storage.get("storage")
        if kind not in (None, "", *kinds):
            raise DocumentError(
                f"storage has to be one of {', '.join(kinds)}, and is {_in_words(kind)} (in {place}.{number}.storage)"
            )
        for key in ("container", "cloud", "osrc"):
            try:
                if storage.get(key) is not None:
                    values.text(storage[key])
            except ValueError as problem:
                raise DocumentError(f"{key} has to be {problem} (in {place}.{number}.{key})") from None
    if any(storage.get("storage") in UPSTREAM_VALUES["storage"] for storage in storages):
        return f"The agent of this release does not have all of these storages, agents of Freezer do (in {place})."
    known["storages"] = storages
    return ""


def _slip(options: Sequence[str], names: Iterable[str]) -> str:
    """The hint that one of the names was meant to be one of the options that are missing."""
    for name in itertools.islice((name for name in names if name not in _KNOWN), MAX_WARNINGS):
        close = closest(name, options)
        if close:
            return f". {quoted(name)} is no option; did you mean {close}?"
    return ""


def _about_the_whole(what: str, known: Mapping[str, Any], names: Mapping[str, Any], place: str) -> list[str]:
    """What does not go together, or is left for the node to say."""
    try:
        options = parse_options(known)
        options.refuse_for(what)
    except OptionError as error:
        return [f"The agent of this release refuses this: {str(error).rstrip('.')} (in {place})."]
    if options.init and what != "exec":
        return [f"The agent of a node refuses this in a job: {INIT_IS_THE_NODES} (in {place})."]
    # Without a storage it is the node's, as Freezer's documents have it; without a name nothing is found again.
    missing = list(options.lacking(what))
    if what in ("backup", "restore", "verify", "list", "diff", "admin") and not {"backup_name", *_OF_CLOUDS} & set(
        names
    ):
        missing.append("backup_name")
    return [
        f"{name} is not given, so the node has to say it, or the agent refuses this (in {place})." for name in missing
    ]


def _in_words(value: Any) -> str:
    return quoted(value) if isinstance(value, (str, int, float)) else "no text"


def action_schema() -> dict[str, Any]:
    """The JSON schema of an action that is complete: with it alone, and without defaults of a job, it is stored."""
    schemas: dict[str, Any] = {}
    for name, parser in PARSERS.items():
        schemas[name] = schema_of(parser, UPSTREAM_VALUES.get(name, ()))
    storage = {"enum": schemas["storage"]["enum"]}
    texts = {key: {**schema_of(values.text), "not": {"enum": [True, False]}} for key in ("container", "cloud", "osrc")}
    schemas["storages"]["items"] = {"type": "object", "properties": {"storage": storage, **texts}}
    schemas.update({alias: schemas[name] for alias, name in ALIASES.items()})
    demanding = [what for what in ACTIONS if what in (*NEEDED, "exec")]
    others = [what for what in ACTIONS if what not in demanding]
    return {
        "type": "object",
        "properties": {"action": {"enum": list(ACTIONS)}, "freezer_action": {"not": {}}, **schemas},
        "anyOf": [*(_branch(what) for what in demanding), {**_named(others), "required": ["action"]}],
    }


def _named(kinds: Sequence[str]) -> dict[str, Any]:
    return {"properties": {"action": {"enum": list(kinds)}}}


def _branch(what: str) -> dict[str, Any]:
    """One kind of action with what it needs. Without ``action`` it is a backup."""
    said = _named([what])
    if what != "backup":
        said["required"] = ["action"]
    if what == "exec":
        word = {"type": "string", "pattern": r"^[^\u0000]*$"}
        command = {
            "anyOf": [
                {"type": "string", "pattern": r"^[A-Za-z0-9_/.-]+( [A-Za-z0-9_/.-]+)*$"},
                {"type": "array", "items": word, "minItems": 1},
            ]
        }
        script = {"type": "string", "pattern": r"^/[^\u0000]*$"}
        none = {"enum": [None, "", False]}
        said["anyOf"] = [
            {"properties": {"command": command, "script": none, "arguments": {"enum": [None, "", False, []]}}, "required": ["command"]},
            {"properties": {"script": script, "command": none, "arguments": {"anyOf": [none, {"type": "array", "items": word}]}}, "required": ["script"]},
        ]  # fmt: skip
    if what in NEEDED:
        options = NEEDED[what][0]
        names = [*options, *(alias for alias, name in ALIASES.items() if name in options)]
        said["not"] = {"properties": {name: {"enum": [None, "", False]} for name in names}}
    return said
