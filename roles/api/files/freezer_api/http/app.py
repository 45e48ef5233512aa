# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The WSGI application: routes, and the answers to errors."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import falcon

from ..access.policy import Policy
from ..access.strategy import Strategy
from ..config.options import MAX_BODY_BYTES
from ..domain.kinds.all import RULES
from ..domain.service import Service
from ..errors import ApiError, BadRequestError, TooLargeError, UnavailableError, sentence
from ..store.base import Store
from ..store.errors import DocumentTooLargeError, SearchTooLongError, StoreError
from .conversation import Conversation, Surroundings, Watch
from .resources.actions import JobEvent, SessionAction, SessionJob
from .resources.base import write_json
from .resources.batch import Batch
from .resources.discovery import Contract, Health, Home, Versions
from .resources.documents import Collection, Single
from .resources.long_answers import DEFAULT_MOST, LongAnswers

LOG = logging.getLogger("freezer_api")

_NOTHING_AROUND = Surroundings()


Application = falcon.App[Any, Any]


def create_app(
    store: Store,
    strategy: Strategy,
    max_body_bytes: int = MAX_BODY_BYTES,
    policy: Policy | None = None,
    surroundings: Surroundings = _NOTHING_AROUND,
    disable_by_file: Path | None = None,
    clock: Callable[[], float] = time.time,
    long_answers: int = DEFAULT_MOST,
) -> Application:
    """The application on a store, for the callers that the strategy authenticates and the policy authorizes.

    While the file ``disable_by_file`` exists, /healthcheck answers 503. ``clock`` gives the seconds since 1970.
    ``long_answers`` is how many long lists are sent at once.
    """
    conversation = Conversation(strategy, policy or Policy(), max_body_bytes, surroundings)
    app = Application(middleware=[Watch(surroundings), conversation])
    app.req_options.strip_url_path_trailing_slash = True
    app.req_options.auto_parse_qs_csv = False
    app.req_options.keep_blank_qs_values = True
    app.resp_options.default_media_type = falcon.MEDIA_JSON
    app.set_error_serializer(_serialize_falcon_error)
    app.add_error_handler(Exception, _handle_unexpected)
    app.add_error_handler(StoreError, _handle_store_error)
    app.add_error_handler(ApiError, _handle_api_error)

    app.add_route("/", Versions())
    app.add_route("/healthcheck", Health(store, disable_by_file))
    app.add_route("/openapi.json", Contract())
    service = Service(store, clock)
    answers = LongAnswers(long_answers)
    for version, base in ((1, "/v1"), (2, "/v2/{project_id}")):
        app.add_route(f"/v{version}", Home(version))
        for plural, rules in RULES.items():
            app.add_route(f"{base}/{plural}", Collection(service, rules, version, answers))
            app.add_route(f"{base}/{plural}:batch", Batch(service, rules))
            app.add_route(f"{base}/{plural}/{{document_id}}", Single(service, rules, version))
        app.add_route(f"{base}/jobs/{{document_id}}/event", JobEvent(service))
        app.add_route(f"{base}/sessions/{{document_id}}/action", SessionAction(service))
        app.add_route(f"{base}/sessions/{{document_id}}/jobs/{{job_id}}", SessionJob(service))
    return app


def _handle_api_error(request: falcon.Request, response: falcon.Response, error: ApiError, _params: Any) -> None:
    _write_error(response, error.status, error.title, error.description)
    for name, value in error.headers.items():
        response.set_header(name, value)


def _handle_store_error(request: falcon.Request, response: falcon.Response, error: StoreError, params: Any) -> None:
    if isinstance(error, DocumentTooLargeError):
        _handle_api_error(request, response, TooLargeError(sentence(error)), params)
        return
    if isinstance(error, SearchTooLongError):
        _handle_api_error(request, response, BadRequestError(sentence(error)), params)
        return
    LOG.error("%s %s %s: %s", request.context.request_id, request.method, request.path, error)
    answer = UnavailableError(sentence(error), headers={"Retry-After": str(error.retry_after_seconds)})
    _handle_api_error(request, response, answer, params)


def _handle_unexpected(request: falcon.Request, response: falcon.Response, error: Exception, _params: Any) -> None:
    request_id = request.context.request_id
    LOG.error("%s %s %s failed", request_id, request.method, request.path, exc_info=error)
    _write_error(
        response, 500, "Internal Server Error", f"The API has failed; its log has the error under {request_id}"
    )


def _serialize_falcon_error(request: falcon.Request, response: falcon.Response, error: falcon.HTTPError) -> None:
    description = error.description
    if error.status_code == 404:
        description = f"The API has no route {request.path}"
    elif error.status_code == 405:
        description = f"{request.method} cannot be used on {request.path}"
    _write_error(response, error.status_code, error.title or str(error.status), description)


def _write_error(response: falcon.Response, status: int, title: str, description: str | None) -> None:
    response.status = falcon.code_to_http_status(status)
    write_json(response, {"title": title, "description": description or title})
