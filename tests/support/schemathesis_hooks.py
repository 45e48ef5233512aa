# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What schemathesis cannot know, because no schema says it.

The action that a job names by its id alone has to exist. What the defaults of a job, or what is stored, do not complete is
refused. A range in a schedule goes upwards, and not every month has 31 days.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import jsonschema
import schemathesis

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.check import check_action
from ansible_collections.freezer.backup.plugins.module_utils._engine.action.of_job import with_action_defaults
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.errors import DocumentError
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.old_forms import usual_schedule
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule import grammar
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.schema import (
    CHECKED_TRIGGERS,
    SCHEDULE_SCHEMA,
)

_SCHEDULES = jsonschema.Draft202012Validator(
    {**SCHEDULE_SCHEMA, "properties": {**SCHEDULE_SCHEMA["properties"], **CHECKED_TRIGGERS}}
)


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """Leave one option of each shape, and those that decide what is complete: schemathesis takes no schema of more."""
    for name in ("ActionPart", "CompleteAction"):
        schema = raw_schema["components"]["schemas"][name]
        deciding = json.dumps(schema.get("anyOf", []))
        seen: set[str] = set()
        kept = {}
        for option, shape in schema["properties"].items():
            text = json.dumps(shape)
            if f'"{option}"' in deciding or text not in seen:
                kept[option] = shape
            seen.add(text)
        schema["properties"] = kept


@schemathesis.hook
def filter_body(context: Any, body: Any) -> bool:
    """Whether a body can be sent."""
    if not isinstance(body, dict):
        return True
    actions = body.get("job_actions")
    if isinstance(actions, list):
        if any(isinstance(one, dict) and "freezer_action" not in one and "action_id" in one for one in actions):
            return False
        if body.get("action_defaults") and not _are_complete(body):
            return False
    if context.operation.method.upper() == "PATCH" and "freezer_action" in body:
        return _is_complete(body["freezer_action"])
    return all(_is_followed(body[key]) for key in ("job_schedule", "schedule") if key in body)


def _are_complete(job: Mapping[str, Any]) -> bool:
    try:
        actions = with_action_defaults(job)["job_actions"]
    except DocumentError:
        return True
    return all(_is_complete(one["freezer_action"]) for one in actions)


def _is_complete(action: Any) -> bool:
    try:
        check_action(action)
    except (DocumentError, AttributeError, TypeError):
        return False
    return True


def _is_followed(found: Any) -> bool:
    """Whether a schedule that is one by the contract can be followed; what is none, is for the API to refuse."""
    if not _SCHEDULES.is_valid(found):
        return True
    try:
        grammar.parse(usual_schedule(found))
    except (grammar.ScheduleError, TypeError):
        return False
    return True
