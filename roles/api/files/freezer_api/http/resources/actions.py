# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The routes for events of jobs, for rounds of sessions, and for the jobs of a session."""

from __future__ import annotations

import re
from typing import Any

import falcon

from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.states import EVENTS

from ...domain.service import Service
from ...errors import BadRequestError, MethodError
from .base import access_of, body_of, write_json

_TAG_TEXT = re.compile("-?[0-9]{1,18}")


class JobEvent:
    """``/jobs/{id}/event``: requests to the scheduler of a job."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def on_post(
        self, request: falcon.Request, response: falcon.Response, document_id: str, project_id: str | None = None
    ) -> None:
        """Request an event: ``{"start": null}``."""
        access = access_of(request, project_id, "jobs:event:create")
        event, _parameters = _only_entry(body_of(request), 'an event, such as {"start": null}')
        if event not in EVENTS:
            raise BadRequestError(
                f"{event[:100]!r} is no event; the events are {', '.join(EVENTS)}", title="Bad Action Method"
            )
        answer = self._service.request_event(access, document_id, event)
        response.status = falcon.HTTP_202
        write_json(response, {"result": answer})


class SessionAction:
    """``/sessions/{id}/action``: how the schedulers of a session run its jobs together."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def on_post(
        self, request: falcon.Request, response: falcon.Response, document_id: str, project_id: str | None = None
    ) -> None:
        """Start or end a job in a round: ``{"start": {"job_id": ..., "current_tag": ...}}``."""
        access = access_of(request, project_id, "sessions:action:create")
        action, parameters = _only_entry(body_of(request), 'an action, such as {"start": {...}}')
        if action not in ("start", "end"):
            raise MethodError(
                f"{action[:100]!r} is no action of a session; the actions are start, end", headers={"Allow": "POST"}
            )
        if not isinstance(parameters, dict):
            raise BadRequestError(f"The parameters of {action} must be an object")
        job_id = _parameter(parameters, "job_id", str)
        if action == "start":
            tag = _tag(parameters)
            answer = self._service.start_in_session(access, document_id, job_id, tag)
        else:
            end_tag = _tag(parameters) if "current_tag" in parameters else None
            result = _parameter(parameters, "result", str)
            answer = self._service.end_in_session(access, document_id, job_id, end_tag, result)
        response.status = falcon.HTTP_202
        write_json(response, {"result": answer.result, "session_tag": answer.session_tag})


class SessionJob:
    """``/sessions/{id}/jobs/{id}``: which jobs a session has."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def on_put(
        self,
        request: falcon.Request,
        response: falcon.Response,
        document_id: str,
        job_id: str,
        project_id: str | None = None,
    ) -> None:
        """Put a job into a session."""
        access = access_of(request, project_id, "sessions:job:add")
        self._service.add_job_to_session(access, document_id, job_id)
        response.status = falcon.HTTP_204

    def on_delete(
        self,
        request: falcon.Request,
        response: falcon.Response,
        document_id: str,
        job_id: str,
        project_id: str | None = None,
    ) -> None:
        """Take a job out of a session."""
        access = access_of(request, project_id, "sessions:job:remove")
        self._service.remove_job_from_session(access, document_id, job_id)
        response.status = falcon.HTTP_204


def _only_entry(body: dict[str, Any], what: str) -> tuple[str, Any]:
    if len(body) != 1:
        raise BadRequestError(f"The body has {len(body)} keys; it must have one, {what}")
    return next(iter(body.items()))


def _tag(parameters: dict[str, Any]) -> int:
    tag = parameters.get("current_tag")
    if isinstance(tag, str) and _TAG_TEXT.fullmatch(tag):
        # The command line of freezerclient sends the number as a string.
        return int(tag)
    found: int = _parameter(parameters, "current_tag", int)
    return found


def _parameter(parameters: dict[str, Any], name: str, wanted: type) -> Any:
    value = parameters.get(name)
    if not isinstance(value, wanted) or isinstance(value, bool):
        raise BadRequestError(f"{name} must be {'a whole number' if wanted is int else 'a string'}")
    return value
