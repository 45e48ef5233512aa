# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Jobs: actions, the client that runs them, and when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..schedule.schema import RUN_KEYS, SCHEDULE_SCHEMA
from .action import FREEZER_ACTION_SCHEMA, JOB_ACTION_SCHEMA, completed
from .errors import DocumentError
from .kind import CLIENT_ID_PATTERN, ID_MAX_LENGTH, ID_SCHEMA, Kind

#: Each is a document of its own, which is looked for and stored with the job.
MAX_ACTIONS = 1000

KIND = Kind(
    name="job",
    plural="jobs",
    schema={
        "type": "object",
        "properties": {
            "job_actions": {"type": "array", "items": JOB_ACTION_SCHEMA, "maxItems": MAX_ACTIONS},
            "job_schedule": SCHEDULE_SCHEMA,
            "job_id": ID_SCHEMA,
            "client_id": {"type": "string", "pattern": CLIENT_ID_PATTERN, "maxLength": ID_MAX_LENGTH},
            "session_id": {"type": ["string", "null"], "pattern": r"^[A-Za-z0-9_-]*$", "maxLength": ID_MAX_LENGTH},
            "session_tag": {"type": "integer"},
            "session_name": {"type": ["string", "null"]},
            "user_id": {"type": "string"},
            "project_id": {"type": "string"},
            "description": {"type": ["string", "null"]},
            "_version": {"type": "integer"},
            "action_defaults": FREEZER_ACTION_SCHEMA,
            "user_credentials": {
                "type": ["object", "null"],
                "properties": {"trust_id": {"type": "string"}, "trustor_user_id": {"type": "string"}},
            },
        },
        "additionalProperties": False,
        "required": ["job_actions", "client_id"],
    },
    server_keys=(
        "job_id",
        "user_id",
        "project_id",
        "_version",
        "session_id",
        "session_tag",
        "session_name",
        "user_credentials",
        *tuple("job_schedule." + key for key in RUN_KEYS),
    ),
)


def with_action_defaults(job: Mapping[str, Any], for_server: bool = False) -> dict[str, Any]:
    """A new job without ``action_defaults``, each of its actions completed by them.

    A default is taken where the action lacks the key or has null there, as the freezer-api README describes
    under "Actions default values", and where it means something to the action. ``for_server`` leaves an action that is
    named by its ``action_id`` alone as it is, and then the defaults too: the server knows what the action is. Raises
    DocumentError if the parts do not have the shape of a job.
    """
    expanded = dict(job)
    defaults = expanded.pop("action_defaults", None)
    if defaults is None:
        return expanded
    if not isinstance(defaults, Mapping):
        raise DocumentError(f"action_defaults is {defaults!r}; it must be an object of freezer_action keys")
    if "job_actions" in expanded:
        actions = expanded["job_actions"]
        if not isinstance(actions, (list, tuple)):
            raise DocumentError(f"job_actions is {actions!r}; it must be a list of actions")
        left = [action for action in actions if for_server and is_named_only(action)]
        expanded["job_actions"] = [action if action in left else _completed(action, defaults) for action in actions]
        if left:
            expanded["action_defaults"] = defaults
    return expanded


def is_named_only(action: Any) -> bool:
    """Whether an action of a job does not say what it does, but names one that does."""
    return isinstance(action, Mapping) and "freezer_action" not in action and bool(action.get("action_id"))


def _completed(action: Any, defaults: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(action, Mapping) or not isinstance(action.get("freezer_action", {}), Mapping):
        raise DocumentError(f"the job action {action!r} must be an object with an object freezer_action")
    return dict(action, freezer_action=completed(action.get("freezer_action", {}), defaults))
