# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""Upstream compatibility: documents in the form of freezer-api 15 to 19.

They are known by their documents, whose states carry no tag. Their PATCH replaces objects as a whole and empties the
schedule of a job that it does not name; so documents are replaced there, which keeps what is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..documents.action import ADDED_BY_SERVERS
from ..documents.comparison import ADDED_TO_LIST_ELEMENTS
from ..documents.kind import Kind
from .collection import Document


def acceptable(kind: Kind, new: Mapping[str, Any], current: Mapping[str, Any]) -> Document:
    """A whole document as these servers take it for ``current``."""
    if kind.name == "job":
        known = current.get("job_actions") or []
        return {**new, "job_actions": [_element(element, known) for element in new.get("job_actions") or []]}
    if kind.name == "action":
        # A key that is not sent keeps its value; null takes it away.
        gone = {key: None for key in current.get("freezer_action") or {} if key not in new["freezer_action"]}
        return {**new, "freezer_action": {**gone, **new["freezer_action"]}}
    return dict(new)


def _element(element: Mapping[str, Any], known: list[Any]) -> Document:
    """An action of a job: the known one where that says the same, else a new one.

    An id stands for a definition here, which cannot be changed through the job.
    """
    for candidate in known:
        if _definition(candidate) == _definition(element):
            return dict(candidate)
    return {key: value for key, value in element.items() if key not in ADDED_TO_LIST_ELEMENTS}


def _definition(element: Mapping[str, Any]) -> Document:
    """What these servers keep of an action of a job."""
    kept = {key: element.get(key, ADDED_BY_SERVERS[key]) for key in ("max_retries", "max_retries_interval")}
    freezer_action = element.get("freezer_action") or {}
    return {**kept, "freezer_action": {key: value for key, value in freezer_action.items() if value is not None}}
