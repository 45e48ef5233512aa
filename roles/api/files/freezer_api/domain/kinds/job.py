# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Jobs: times that the server writes, defaults of actions, events, and the action documents of a job.

Every action of a job has an ``action_id`` and a document. If the sender names no id, that document belongs to the job:
it has the key ``job_id``, is changed with the job and deleted with it. If the sender names an id that exists, keys that
the action does not have are taken from that document, which stays as it is; if the id does not exist, the document is
created, and does not belong to the job.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.check import MAX_WARNINGS
from ansible_collections.freezer.backup.plugins.module_utils._engine.action.of_job import with_action_defaults
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.comparison import merged
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.errors import DocumentError
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.kinds import JOB
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.old_forms import usual_job
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.changes import (
    answerable,
    rescheduled,
    without_unset,
)

from ...errors import BadRequestError
from ...store.base import Change, Create, Delete, Document, Owner, Replace, Scope, Store, Stored
from .base import Rules, carried_over
from .looking import look_at_action, look_at_schedule

#: A job stays in its session when it is replaced: only the session's own routes put it in and take it out.
_ASSOCIATION = ("session_id", "session_tag", "session_name")
_NOT_ITS_OWN = ("action_id", "user_id", "project_id", "job_id")


class JobRules(Rules):
    """The rules of jobs."""

    def __init__(self) -> None:
        super().__init__(JOB)

    def usual(self, body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return usual_job(body)
        except DocumentError as error:
            raise BadRequestError(str(error)) from error

    def checked(self, body: Mapping[str, Any]) -> dict[str, Any]:
        # The error for an empty body names what a job needs.
        self._checks.whole(body)
        return self.without_owner(body)

    def new(self, sent: Mapping[str, Any], document_id: str, owner: Owner, now: int) -> Document:
        # Schedulers count from this time, so the sender cannot set it.
        wanted = without_unset(sent.get("job_schedule", {}))
        schedule = {"time_started": -1, "time_ended": -1, **wanted, "time_created": now}
        return super().new({**sent, "job_schedule": answerable(schedule)}, document_id, owner, now)

    def replacement(self, sent: Mapping[str, Any], stored: Stored, now: int) -> Document:
        document = self.new(sent, stored.id, stored.owner, now)
        schedule = _as_old_as(stored, document["job_schedule"])
        document["job_schedule"] = rescheduled(stored.document["job_schedule"], schedule)
        return carried_over(document, stored.document, _ASSOCIATION)

    def changed(self, stored: Stored, changes: Mapping[str, Any]) -> Document:
        job = merged(stored.document, changes)
        schedule = _as_old_as(stored, answerable(without_unset(job["job_schedule"])))
        return {**job, "job_schedule": rescheduled(stored.document["job_schedule"], schedule)}

    def remarks(self, old: Document | None, new: Document) -> list[str]:
        look_at_schedule((old or {}).get("job_schedule") or {}, new["job_schedule"], "job_schedule")
        if old is not None and old["job_actions"] == new["job_actions"]:
            return []
        found: list[str] = []
        for number, element in enumerate(new["job_actions"]):
            path = f"job_actions.{number}.freezer_action"
            found += look_at_action(element["freezer_action"], path, MAX_WARNINGS - len(found))
        return found

    def companions(
        self, store: Store, old: Stored | None, new: Document | None, owner: Owner
    ) -> tuple[Document | None, list[Change]]:
        if new is not None:
            new = _with_whole_actions(store, new, owner)
        if old is not None and new is not None and old.document["job_actions"] == new["job_actions"]:
            return new, []
        owned = _owned_actions(store, old)
        if new is None:
            return None, [Delete(action) for action in owned if action]
        by_id = {action.id: action for action in owned if action}
        named = {element.get("action_id") for element in new["job_actions"]}
        reusable = [None if action is None or action.id in named else action.id for action in owned]
        elements: list[Document] = []
        changes: dict[str, Change] = {}
        for index, sent in enumerate(new["job_actions"]):
            action_id = sent.get("action_id")
            known = _action_in_project(store, action_id, owner) if action_id else None
            if action_id is None:
                action_id = (reusable[index] if index < len(reusable) else None) or uuid.uuid4().hex
            element = {**sent, "action_id": action_id, "user_id": owner.user_id}
            document = _action_document(element, owner)
            if action_id in by_id:
                changes[action_id] = Replace(by_id[action_id], {**document, "job_id": new["job_id"]})
            elif sent.get("action_id") is None:
                changes[action_id] = Create("action", action_id, owner, {**document, "job_id": new["job_id"]})
            elif known is None:
                changes[action_id] = Create("action", action_id, owner, document)
            elements.append(element)
        kept = {element["action_id"] for element in elements}
        changes.update({action_id: Delete(action) for action_id, action in by_id.items() if action_id not in kept})
        return {**new, "job_actions": elements}, list(changes.values())


def with_event(job: Mapping[str, Any], event: str) -> tuple[Document | None, str]:
    """The job with an event requested of its scheduler, None if it stays as it is; and the answer to the request."""
    schedule = job["job_schedule"]
    wanted = answerable({**schedule, "event": event})
    if wanted["event"] != event:
        cleared = {**job, "job_schedule": wanted} if schedule.get("event") else None
        return cleared, f"nothing to {event}: the job is {schedule['status']}"
    if wanted == schedule:
        return None, f"{event} already requested"
    return {**job, "job_schedule": wanted}, "success"


def _as_old_as(stored: Stored, schedule: Mapping[str, Any]) -> Document:
    created = stored.document["job_schedule"].get("time_created")
    kept = {key: value for key, value in schedule.items() if key != "time_created"}
    return kept if created is None else {**kept, "time_created": created}


def _with_whole_actions(store: Store, job: Mapping[str, Any], owner: Owner) -> Document:
    """A job with complete actions: missing keys are from their documents, then from the defaults of the job."""
    actions = [
        action if "freezer_action" in action else _from_document(store, action, owner, job.get("action_defaults"))
        for action in job["job_actions"]
    ]
    try:
        return with_action_defaults({**job, "job_actions": actions})
    except DocumentError as error:
        raise BadRequestError(str(error)) from error


def _owned_actions(store: Store, job: Stored | None) -> list[Stored | None]:
    """For each action of a stored job its document if it belongs to the job, else None."""
    if job is None:
        return []
    owned: list[Stored | None] = []
    for element in job.document["job_actions"]:
        action = _action_in_project(store, element["action_id"], job.owner)
        is_own = action is not None and action.document.get("job_id") == job.id
        owned.append(action if is_own else None)
    return owned


def _action_in_project(store: Store, action_id: str, owner: Owner) -> Stored | None:
    """The action of an id, of any user of the project: an id is unique in a project."""
    return store.get("action", action_id, Scope(project_id=owner.project_id))


def _from_document(store: Store, sent: Mapping[str, Any], owner: Owner, defaults: Any) -> Document:
    """An action without a ``freezer_action``, completed from its document, or left to the defaults. Raises BadRequestError."""
    known = _action_in_project(store, sent["action_id"], owner) if sent.get("action_id") else None
    if known is not None:
        return {**{key: value for key, value in known.document.items() if key not in _NOT_ITS_OWN}, **sent}
    if defaults is not None:
        return {**sent, "freezer_action": {}}
    raise BadRequestError(
        f"There is no action {sent['action_id']}, and the job has no freezer_action for it"
        if "action_id" in sent
        else "An action of a job needs a freezer_action, or the action_id of an action that exists"
    )


def _action_document(element: Mapping[str, Any], owner: Owner) -> Document:
    document = {key: value for key, value in element.items() if key not in _NOT_ITS_OWN}
    return {
        **document,
        "action_id": element["action_id"],
        "user_id": owner.user_id,
        "project_id": owner.project_id,
    }
