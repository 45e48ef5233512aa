# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Where options come from: the command line wins over the document on standard input, that over the file.

The file is Freezer's: an ini file with ``[default]`` or ``[action]``, and a section ``[storage:NAME]`` for each of
several storages that are written at the same time.

The file and the command line are the node's. The document comes from outside, through a scheduler for example: it says
what to back up or restore, and neither how this program behaves nor which files of the node it writes.
"""

from __future__ import annotations

import configparser
import hashlib
import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import IO, Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.of_verb import passed_over
from ansible_collections.freezer.backup.plugins.module_utils._engine.action.options import (
    INIT_IS_THE_NODES,
    ONLY_OF_BACKUPS,
    by_one_name,
    is_given,
    is_same,
    value_of,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.action.row import FILES
from ansible_collections.freezer.backup.plugins.module_utils._engine.action.spec import (
    BY_NAME,
    CLOUD_MEDIA,
    NODE_KEYS,
    OPTION_KEYS,
    excluded_by,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.verbs import ACTIONS, OWN_ACTIONS
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.mounts import is_below

from . import flags
from .errors import UsageError
from .wording import as_typed

#: Options that name a file with what a run needs to know, which lies beside the file that names it.
_READ_FILES = frozenset(row.name for row in BY_NAME.values() if row.is_path and row.metavar == "FILE")
#: What the file of a backup says of it, and a restore by the same file has no use for.
_OF_ITS_BACKUP = (*ONLY_OF_BACKUPS, "exclude")
#: What ``proxy`` says for none at all.
NO_PROXY = "none"
#: Options that can be empty on the command line: no pattern, no proxy, no snapshot.
_EMPTY_IS_MEANT = frozenset({"exclude", "proxy", "snapshot", "lvm_auto_snap"})
#: Options of a document that count only where the node itself has none of them.
_FOR_ENCRYPTION = ("encryption", "encrypt_pass_file", "encryption_recipients")
_SECTIONS = ("default", "DEFAULT", "action")
_STORAGE = "storage:"
_ALL_ACTIONS = (*ACTIONS, *OWN_ACTIONS)
_DOCUMENT = "The document on standard input"
#: How upstream's scheduler writes Python's own values into the files of its agent.
_PYTHON_WORDS = {"None": None, "False": False, "True": True}


@dataclass(frozen=True)
class Settings:
    """One run: what the engine is asked for, and what freezer-agent itself does."""

    action: str
    options: dict[str, Any]
    metadata_out: str | None = None
    log_file: str | None = None
    quiet: bool = False
    debug: bool = False
    #: What was asked for and is not done, as sentences.
    warnings: tuple[str, ...] = ()


def read_settings(command_line: Mapping[str, Any], stdin: IO[str]) -> Settings:
    """Put everything together. Raises UsageError with a sentence if a part of it cannot be used."""
    layers: list[dict[str, Any]] = []
    config = command_line.get("config")
    if config:
        file = _canonical(read_ini(str(config)), f"The file {config}")
        if command_line.get("action") == "restore" and file.get("action") != "restore":
            # The file is that of a backup, and says what that reads.
            file = {key: value for key, value in file.items() if key not in _OF_ITS_BACKUP}
        layers.append(file)
    typed = {key: value for key, value in command_line.items() if key not in flags.COMMAND_LINE_KEYS}
    for key, value in typed.items():
        if value == "" and key in OPTION_KEYS - _EMPTY_IS_MEANT:
            # A variable of a script that was never set; what is not given has a meaning of its own, as the newest backup.
            raise UsageError(f"{key} is empty, so nothing was done; give it a value, or leave it out.")
    if typed.get("proxy") == "":
        # As Freezer has it. In files and documents an empty text is nothing.
        typed["proxy"] = NO_PROXY
    typed = _canonical(typed, "The command line")
    warnings: list[str] = []
    document: dict[str, Any] = {}
    if command_line.get("stdin"):
        document = _canonical(read_document(stdin), _DOCUMENT)
        warnings = [
            f"{key} of the document on standard input is not used: it is for this node to say, on the command line or "
            "in the file of --config."
            for key in NODE_KEYS & set(document)
            if document[key] is not False
        ]
        document = {key: value for key, value in document.items() if key not in NODE_KEYS}
        if is_given("init", document.get("init")) and value_of("init", document["init"]):
            raise UsageError(f"{_DOCUMENT} has init, so nothing was done: {INIT_IS_THE_NODES}.")
        document, unused = _sealed_as_the_node_says(document, [*layers, typed])
        warnings += unused
        of_node = [layer["lvm_dirmount"] for layer in (*layers, typed) if "lvm_dirmount" in layer]
        document, moved = _mounted_where_the_node_allows(document, of_node)
        warnings += moved
        layers.append(document)
    layers.append(typed)
    merged: dict[str, Any] = {}
    for layer in layers:
        if "container" in layer:
            # Whoever names one place means that one, not the several of a source that this one overrides.
            merged.pop("storages", None)
        for name in excluded_by({name for name, value in layer.items() if is_given(name, value)}):
            merged.pop(name, None)
        merged.update(layer)
    at_shell = str(layers[-1].get("container") or os.sep)
    if merged.get("storage") == "local" and not os.path.isabs(at_shell):
        merged["container"] = _from_here("container", at_shell)
    merged.update(_paths_from_here(merged, set(merged) - (set(document) - set(typed))))
    settings = _settings(merged, tuple(sorted(warnings)))
    if settings.action in OWN_ACTIONS and command_line.get("stdin"):
        raise UsageError(
            f"An action {settings.action} is done by the command line alone, so nothing was done; leave --stdin out."
        )
    if not command_line.get("stdin"):
        # Beside a document the command line is the node's, for actions of every kind.
        told = [as_typed(sentence, typed) for sentence in passed_over(settings.action, typed)]
        settings = replace(settings, warnings=(*settings.warnings, *told))
    if settings.action == "exec" and command_line.get("stdin") and not command_line.get("allow_exec"):
        raise UsageError(
            "An exec that comes on standard input is run only with --allow-exec; a scheduler gives that if its "
            "configuration has disable_exec = false."
        )
    return settings


def _sealed_as_the_node_says(
    document: dict[str, Any], of_node: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, Any], list[str]]:
    """A document that does not say what backups are encrypted for where the node does, and what to warn of.

    Else who can write documents could have them written in the clear, or for a key of their own.
    """
    if not any(key in layer for layer in of_node for key in _FOR_ENCRYPTION):
        return document, []
    warnings = [
        f"{key} of the document on standard input is not used: this node says what its backups are encrypted for."
        for key in _FOR_ENCRYPTION
        if is_given(key, document.get(key)) and all(layer.get(key) != document[key] for layer in of_node)
    ]
    return {key: value for key, value in document.items() if key not in _FOR_ENCRYPTION}, warnings


def _paths_from_here(options: Mapping[str, Any], of_node: Collection[str]) -> dict[str, str]:
    """The relative paths among those options that the node says, as absolute ones: they are from the current folder."""
    media = {medium for medium, keys in CLOUD_MEDIA.items() if any(map(options.get, keys))} or {FILES}
    paths = {row.name for row in BY_NAME.values() if row.is_path and media <= set(row.path_media)}
    relative = (name for name in paths & set(of_node) if not os.path.isabs(str(options[name])))
    return {name: _from_here(name, options[name]) for name in relative if isinstance(options[name], str)}


def _from_here(name: str, path: str) -> str:
    try:
        return os.path.abspath(path)
    except FileNotFoundError:
        raise UsageError(
            f"{name} is a path from the current folder, which has been removed; go to another folder, or give an absolute path."
        ) from None


def _mounted_where_the_node_allows(
    document: dict[str, Any], of_node: Sequence[Any]
) -> tuple[dict[str, Any], list[str]]:
    """A document whose snapshot is mounted in our own folder, unless the node itself names the place, and what to warn of.

    Root would mount it anywhere, over ``/etc`` for example. Older documents give the path in the mounted snapshot, which
    follows the mount.
    """
    asked = document.get("lvm_dirmount")
    if not isinstance(asked, str) or not os.path.isabs(asked) or asked in of_node:
        return document, []
    # Not before it is needed: it knows how programs are started.
    from ansible_collections.freezer.backup.plugins.module_utils._engine.lvm.mounting import FOLDER

    asked = os.path.abspath(asked)
    if is_below(asked, FOLDER) and asked != FOLDER:
        return document, []
    code = hashlib.sha256(asked.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    point = os.path.join(FOLDER, f"document-{code}")
    moved = {**document, "lvm_dirmount": point}
    path = document.get("path_to_backup")
    if isinstance(path, str) and os.path.isabs(path) and is_below(os.path.abspath(path), asked):
        moved["path_to_backup"] = os.path.normpath(os.path.join(point, os.path.relpath(path, asked)))
    warning = (
        f"lvm_dirmount of the document on standard input is not used, and the snapshot is mounted on {point}: another place "
        "is for this node to say, on the command line or in the file of --config."
    )
    return moved, [warning]


def _canonical(given: Mapping[str, Any], whose: str) -> dict[str, Any]:
    """One name for each option, so that a later source overrides an earlier one whatever spelling either has."""
    found: dict[str, Any] = {}
    for key, stands in given.items():
        name, value = by_one_name(key, stands)
        if value is None or value == "":
            continue
        if name in found and is_given(name, found[name]):
            # As the engine has it, which has let a job with both be stored.
            if is_given(name, value) and not is_same(name, found[name], value):
                raise UsageError(f"{whose} gives {name} twice, with different values.")
            continue
        found[name] = value
    return found


def _settings(merged: dict[str, Any], warnings: tuple[str, ...]) -> Settings:
    own = {key: merged.pop(key) for key in flags.OWN_KEYS if key in merged}
    action = str(own.get("action") or "backup")
    if action not in _ALL_ACTIONS:
        raise UsageError(f"There is no action {action!r}; use {_listed(_ALL_ACTIONS)}.")
    return Settings(
        action=action,
        options=merged,
        metadata_out=_text_or_none(own, "metadata_out"),
        log_file=_text_or_none(own, "log_file"),
        quiet=_switch(own, "quiet"),
        debug=_switch(own, "debug"),
        warnings=warnings,
    )


def _listed(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _text_or_none(own: Mapping[str, Any], key: str) -> str | None:
    value = own.get(key)
    if value is None or value is False:
        return None
    if not isinstance(value, str):
        raise UsageError(f"{key} has to be a path.")
    return value


def _switch(own: Mapping[str, Any], key: str) -> bool:
    text = str(own.get(key, False)).strip().lower()
    if text in ("true", "yes", "on", "1"):
        return True
    if text in ("false", "no", "off", "0"):
        return False
    raise UsageError(f"{key} has to be true or false.")


def read_ini(path: str) -> dict[str, Any]:
    """The options of a configuration file. Raises UsageError, without repeating a line: it may hold a password."""
    parser = configparser.RawConfigParser(default_section="", strict=True, empty_lines_in_values=False)
    try:
        with open(path, encoding="utf-8") as file:
            parser.read_file(file)
    except OSError as problem:
        raise UsageError(f"The file {path} cannot be read: {problem.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"The file {path} is not a text in UTF-8.") from None
    except configparser.MissingSectionHeaderError as problem:
        raise UsageError(
            f"Line {problem.lineno} of {path} stands before the first section; begin with [default]."
        ) from None
    except configparser.ParsingError as problem:
        line = problem.errors[0][0] if problem.errors else "?"
        raise UsageError(f"Line {line} of {path} is not of the form: key = value.") from None
    except configparser.DuplicateOptionError as problem:
        raise UsageError(f"Line {problem.lineno} of {path} gives {problem.option} a second time.") from None
    except configparser.Error as problem:
        raise UsageError(f"The file {path} cannot be used: {problem.message}.") from None
    options: dict[str, Any] = {}
    storages: list[dict[str, Any]] = []
    folder = os.path.dirname(_from_here("config", path))
    for section in parser.sections():
        values = {key: _beside(folder, key, _ini_value(value)) for key, value in parser.items(section)}
        if section in _SECTIONS:
            options.update(values)
        elif section.startswith(_STORAGE):
            storages.append(_canonical(values, f"The section [{section}] of {path}"))
        else:
            raise UsageError(f"The section [{section}] of {path} is not known; use [default] and [storage:NAME].")
    if storages:
        options["storages"] = storages
    return options


def _beside(folder: str, key: str, value: Any) -> Any:
    """The value of an option; a relative path of a file to be read is one from the folder of the configuration file."""
    name = key.replace("-", "_")
    return os.path.join(folder, value) if name in _READ_FILES and isinstance(value, str) and value else value


def _ini_value(value: str) -> Any:
    lines = [line.strip() for line in value.splitlines() if line.strip()]
    if len(lines) > 1:
        return lines
    return _PYTHON_WORDS.get(value, value)


def read_document(stdin: IO[str]) -> dict[str, Any]:
    """The bare ``freezer_action`` on standard input. Raises UsageError for anything else, and for what nests in it."""
    try:
        document = json.load(stdin)
    except (ValueError, RecursionError):
        raise UsageError("What came on standard input is not JSON.") from None
    if not isinstance(document, dict):
        raise UsageError("What came on standard input is JSON, but not an object with the options of an action.")
    for key, value in document.items():
        name = key.replace("-", "_")
        if name == "freezer_action":
            raise UsageError(f"{_DOCUMENT} has {key}; give the bare action, which is what stands below that key.")
        if name in flags.COMMAND_LINE_KEYS | {"debug"} and name not in NODE_KEYS:
            raise UsageError(f"{_DOCUMENT} has {key}, which can be given on the command line only.")
        if _nests(name, value):
            raise UsageError(f"{_DOCUMENT} has an object or a list below {key!r}, and nothing in an action nests.")
    return document


def _nests(name: str, value: Any) -> bool:
    """Whether a value is more than a scalar or a list of them; of a list of storages each is an object of scalars."""
    parts = value if isinstance(value, list) else [value]
    if name == "storages" and isinstance(value, list):
        parts = [inner for part in parts for inner in (part.values() if isinstance(part, dict) else [part])]
    return any(isinstance(part, (dict, list)) for part in parts)
