# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Actions: what to back up or restore, and how.

An action document holds a ``freezer_action`` and how to repeat it. A job holds copies of them in ``job_actions``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .errors import DocumentError
from .kind import ID_SCHEMA, Kind

ACTIONS = ("backup", "restore", "verify", "info", "admin", "exec")

#: What an ``exec`` runs.
EXEC_KEYS = frozenset({"command", "script", "arguments"})

_TEXT_OR_NULL = {"type": ["string", "null"]}

#: The types that a few keys have had since the first days; the table of options says of all of them what is taken.
FREEZER_ACTION_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "action": {"type": "string", "enum": list(ACTIONS)},
        "path_to_backup": _TEXT_OR_NULL,
        # The name that path_to_backup had in the first years.
        "src_file": _TEXT_OR_NULL,
        "backup_name": _TEXT_OR_NULL,
        "container": _TEXT_OR_NULL,
        "restore_abs_path": _TEXT_OR_NULL,
        "cindernative_freezer_only": {"type": ["boolean", "null"]},
    },
    "additionalProperties": True,
}

_PROPERTIES: Mapping[str, Any] = {
    "max_retries": {"type": ["integer", "null"]},
    "max_retries_interval": {"type": ["integer", "null"]},
    "mandatory": {"type": ["boolean", "null"]},
    "freezer_action": FREEZER_ACTION_SCHEMA,
    "action_id": ID_SCHEMA,
    "user_id": {"type": "string"},
    "project_id": {"type": "string"},
}

#: One element of a job's ``job_actions``.
JOB_ACTION_SCHEMA: Mapping[str, Any] = {"type": "object", "properties": _PROPERTIES, "additionalProperties": True}

KIND = Kind(
    name="action",
    plural="actions",
    schema={
        "type": "object",
        "properties": {**_PROPERTIES, "description": _TEXT_OR_NULL},
        "additionalProperties": True,
        "required": ["freezer_action"],
    },
    server_keys=("action_id", "user_id", "project_id", "_version"),
)

#: Keys that servers add to every action, with the value that says nothing (upstream's SQL store fills them in).
ADDED_BY_SERVERS: Mapping[str, Any] = {"mandatory": False, "max_retries": 5, "max_retries_interval": 6}


MASK = "********"

#: What the name of a key has in it, in small letters and with _ for -, if its value is a secret.
SECRET_WORDS = ("pass", "pwd", "credential", "authorization", "secret", "token", "api_key", "apikey", "private_key",
                "privatekey", "encryption_key")  # fmt: skip
#: Words with one of these in them that say nothing of a secret.
_HARMLESS_WORDS = ("bypass", "compass", "passed", "passes", "passive", "pass_through", "passthrough")


def is_secret(key: str) -> bool:
    """Whether the value of this key of a ``freezer_action`` must not be shown, logged or returned."""
    lowered = key.lower().replace("-", "_")
    if lowered.endswith(("_file", "_path")):
        # encrypt_pass_file is the path of the secret, which is no secret.
        return False
    for harmless in _HARMLESS_WORDS:
        lowered = lowered.replace(harmless, " ")
    return any(word in lowered for word in SECRET_WORDS)


def without_secrets(document: Any) -> Any:
    """A copy of a document, or a part of one, with every secret in it replaced by asterisks."""
    if isinstance(document, Mapping):
        return {
            key: MASK if is_secret(str(key)) and value not in (None, "") else without_secrets(value)
            for key, value in document.items()
        }
    if isinstance(document, (list, tuple)):
        return [without_secrets(element) for element in document]
    return document


def with_stored_secrets(wanted: Any, stored: Any, key: str = "") -> Any:
    """A copy of a document, or a part of one, with the stored secret wherever it has the mask that was shown for it.

    Elements of lists that have an ``action_id`` are found by it, others by their place. Raises DocumentError for a mask
    without a stored secret.
    """
    if isinstance(wanted, Mapping):
        known = stored if isinstance(stored, Mapping) else {}
        return {name: with_stored_secrets(value, known.get(name), str(name)) for name, value in wanted.items()}
    if isinstance(wanted, (list, tuple)):
        elements = stored if isinstance(stored, (list, tuple)) else ()
        return [with_stored_secrets(value, _counterpart(value, n, elements)) for n, value in enumerate(wanted)]
    if wanted == MASK and is_secret(key):
        if stored is None:
            raise DocumentError(
                f"{key} is the mask that stands for a secret, and no such secret is stored. Give {key}."
            )
        return stored
    return wanted


def _counterpart(element: Any, place: int, elements: Sequence[Any]) -> Any:
    action_id = element.get("action_id") if isinstance(element, Mapping) else None
    if action_id is None:
        return elements[place] if place < len(elements) else None
    same = (one for one in elements if isinstance(one, Mapping) and one.get("action_id") == action_id)
    return next(same, None)
