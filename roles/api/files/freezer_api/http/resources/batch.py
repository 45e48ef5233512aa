# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The route that writes many documents of one kind in one request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import falcon

from ...access.context import Access
from ...domain.batches import MAX_ITEMS, Outcome
from ...domain.kinds.base import Rules
from ...domain.service import Service
from ...errors import BadRequestError, ForbiddenError
from .base import access_of, authorized_body, body_of, write_json

#: How many times the usual limit the body of a batch may have.
BODY_TIMES_USUAL = 8


class Batch:
    """``/jobs:batch`` and the like."""

    def __init__(self, service: Service, rules: Rules) -> None:
        self._service = service
        self._rules = rules
        plural = rules.kind.plural
        self._policy = {"replace": f"{plural}:replace", "patch": f"{plural}:update", "delete": f"{plural}:delete"}

    def on_post(self, request: falcon.Request, response: falcon.Response, project_id: str | None = None) -> None:
        """Make many writes, with a result for each: ``{"items": [{"op": "delete", "job_id": ...}]}``."""
        self._check_any_operation(request, project_id)
        body = body_of(request, BODY_TIMES_USUAL)
        items = body.get("items")
        if set(body) != {"items"} or not isinstance(items, list):
            raise BadRequestError(
                'The body must have the key items, a list, such as {"items": [{"op": "delete", ...}]}'
            )
        if len(items) > MAX_ITEMS:
            raise BadRequestError(f"There are {len(items)} items; at most {MAX_ITEMS} are allowed in one request")

        def check(operation: str, document_id: str, payload: Mapping[str, Any]) -> tuple[Access, Mapping[str, Any]]:
            access = access_of(request, project_id, self._policy[operation])
            is_change = operation != "replace"
            return access, authorized_body(request, access, self._rules.kind, payload, document_id, is_change=is_change)

        outcomes = self._service.batch(self._rules, items, check)
        write_json(response, {"items": [self._shown(outcome) for outcome in outcomes]})

    def _check_any_operation(self, request: falcon.Request, project_id: str | None) -> None:
        """Raise ForbiddenError if the sender may do none of the operations in the project."""
        refused: ForbiddenError | None = None
        for rule in self._policy.values():
            try:
                access_of(request, project_id, rule)
                return
            except ForbiddenError as error:
                refused = refused or error
        if refused is not None:
            raise refused

    def _shown(self, outcome: Outcome) -> dict[str, Any]:
        shown: dict[str, Any] = {self._rules.kind.id_key: outcome.document_id, "status": outcome.status}
        if outcome.version is not None:
            shown["version"] = outcome.version
        if outcome.warnings:
            shown["warnings"] = list(outcome.warnings)
        if outcome.error is not None:
            shown.update(title=outcome.error.title, description=outcome.error.description)
        return shown
