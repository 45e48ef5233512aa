# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Argument specs of the parts of documents that several modules share."""

from __future__ import annotations

from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.grammar import CATCH_UPS, TRIGGER_KEYS
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.schema import EVENTS, RESULTS, STATUSES


def present_absent() -> dict[str, Any]:
    """C(state) of everything that can exist."""
    return {"type": "str", "choices": ["present", "absent"], "default": "present"}


def stamps() -> dict[str, Any]:
    """What the server writes at the top of every document besides the project."""
    return {"user_id": {"type": "str"}, "_version": {"type": "int"}}


def run_spec() -> dict[str, Any]:
    """What the scheduler writes into a schedule."""
    numbers = ("time_created", "time_started", "time_ended", "current_pid")
    choices = {"event": EVENTS, "status": STATUSES, "result": RESULTS}
    return {
        **{key: {"type": "int"} for key in numbers},
        "reason": {"type": "str"},
        "progress": {"type": "dict"},
        **{key: {"type": "str", "choices": list(values)} for key, values in choices.items()},
    }


def schedule_spec() -> dict[str, Any]:
    """C(job_schedule) of a job, C(schedule) of a session: what the user writes, and what a document carries besides."""
    triggers: dict[str, dict[str, Any]] = {key: {"type": "str"} for key in TRIGGER_KEYS}
    triggers["schedule_misfire_grace_time"] = {"type": "int"}
    triggers["schedule_catch_up"] = {"type": "str", "choices": list(CATCH_UPS)}
    return {"type": "dict", "options": {**triggers, **run_spec()}}


def repetition_spec() -> dict[str, Any]:
    """How an action is repeated, and whether it runs after another one has failed."""
    return {
        "mandatory": {"type": "bool"},
        "max_retries": {"type": "int"},
        "max_retries_interval": {"type": "int"},
    }


def job_actions_spec() -> dict[str, Any]:
    """C(job_actions) of a job."""
    options = dict(
        repetition_spec(),
        freezer_action={"type": "dict", "required": True},
        action_id={"type": "str"},
        user_id={"type": "str"},
        project_id={"type": "str"},
    )
    return {"type": "list", "elements": "dict", "options": options}


def job_spec() -> dict[str, Any]:
    """What a user says of a job."""
    return {
        "job_id": {"type": "str"},
        "client_id": {"type": "str"},
        "description": {"type": "str"},
        "job_actions": job_actions_spec(),
        "job_schedule": schedule_spec(),
        "action_defaults": {"type": "dict"},
    }


def job_server_spec() -> dict[str, Any]:
    """What else a job document has. It is accepted, so that a document can be given as it is, and ignored."""
    return {
        "session_id": {"type": "str"},
        "session_tag": {"type": "int"},
        "session_name": {"type": "str"},
        "user_credentials": {"type": "dict"},
        "next_run_time": {"type": "str"},
        **stamps(),
    }


def info_spec() -> dict[str, Any]:
    """What all C(*_info) modules can be asked."""
    search = {
        "match": {"type": "list", "elements": "dict"},
        "match_not": {"type": "list", "elements": "dict"},
    }
    return {"search": {"type": "dict", "options": search}, "limit": {"type": "int"}, "query": {"type": "str"}}
