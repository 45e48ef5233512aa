# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The actions of a job in the form in which they are run: completed by the ``action_defaults`` of their job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..documents.errors import DocumentError
from ..documents.old_forms import usual_action
from ..documents.verbs import ACTIONS
from ..errors import quoted
from .options import is_given, option_name
from .spec import BY_NAME, excluded_by


def actions_of(job: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The actions of a job, completed by its ``action_defaults``. Raises DocumentError."""
    found = with_action_defaults(job).get("job_actions") or []
    return [usual_action(action) for action in found if isinstance(action, Mapping)]


def bare_action(action: Mapping[str, Any]) -> Mapping[str, Any]:
    """The bare action, which is all that the agent gets. Raises DocumentError if it has another action in it."""
    what = action.get("freezer_action") or {}
    if not isinstance(what, Mapping):
        raise DocumentError("freezer_action is no object")
    nested = next((key for key in what if key.replace("-", "_") in ("freezer_action", "job_actions")), None)
    if nested is not None:
        # The agent refuses that as well. What was checked here is then all that there is.
        raise DocumentError(f"freezer_action has {nested}; give the bare action, which is what stands below that key")
    return what


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
        raise DocumentError(f"action_defaults is {quoted(defaults)}; it must be an object of freezer_action keys")
    if "job_actions" in expanded:
        actions = expanded["job_actions"]
        if not isinstance(actions, (list, tuple)):
            raise DocumentError(f"job_actions is {quoted(actions)}; it must be a list of actions")
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
        raise DocumentError(f"the job action {quoted(action)} must be an object with an object freezer_action")
    return dict(action, freezer_action=completed(action.get("freezer_action", {}), defaults))


def completed(action: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """A new ``freezer_action`` with defaults for the options that it lacks, or has null for, in whatever spelling.

    It gets only those that its action takes: of the others some are refused there, and each run would fail. What cannot be
    combined with an option of the action is none for it either. What this release does not know is left in, so that it is
    refused rather than ignored; a command, which has no such options, does not get it.
    """
    own = {key: value for key, value in action.items() if value is not None}
    given = {option_name(key) for key in own}
    given |= excluded_by({option_name(key) for key, value in own.items() if is_given(option_name(key), value)})
    verb = own.get("action") or defaults.get("action") or "backup"
    fitting = {key: value for key, value in defaults.items() if option_name(key) not in given and _is_taken(key, verb)}
    return {**action, **fitting, **own}


def _is_taken(key: str, verb: Any) -> bool:
    row = BY_NAME.get(option_name(key))
    return verb not in ACTIONS or (verb != "exec" if row is None else verb in row.verbs)
