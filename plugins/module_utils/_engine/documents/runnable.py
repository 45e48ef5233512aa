# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The actions of a job in the form in which they are run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import DocumentError
from .job import with_action_defaults
from .old_forms import usual_action


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
