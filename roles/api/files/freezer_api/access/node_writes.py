# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What a node may write: the state of the runs of its jobs, its client, and the records of its backups.

``context`` limits the documents that it reaches, the policy the routes, and this module the bodies.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.kind import Kind
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.schema import RUN_KEYS

from ..errors import ForbiddenError

#: The key of a job with the last round of its session that it knows.
_JOB_KEYS = ("session_tag",)
_SCHEDULE = "job_schedule"


def body_of_node(
    kind: Kind, body: Mapping[str, Any], client_id: str, document_id: str | None, *, is_change: bool
) -> dict[str, Any]:
    """A body that a node may send, with its client added to a new record of a backup.

    Raises ForbiddenError for keys or values that a node may not write.
    """
    if kind.name == "job":
        _check_job(body)
    elif kind.name == "client":
        _check_client_id(body, client_id)
        if document_id is not None:
            _check_client_id({"client_id": document_id}, client_id)
    elif kind.name == "backup":
        _check_client_id(body, client_id)
        nested = body.get("backup_metadata")
        if isinstance(nested, Mapping):
            _check_client_id(nested, client_id)
        if not is_change:
            return {**body, "client_id": client_id}
    return dict(body)


def _check_job(body: Mapping[str, Any]) -> None:
    schedule = body.get(_SCHEDULE, {})
    others = sorted(set(body) - {*_JOB_KEYS, _SCHEDULE})
    others += (
        sorted(f"{_SCHEDULE}.{key}" for key in set(schedule) - set(RUN_KEYS)) if isinstance(schedule, dict) else []
    )
    if others:
        raise ForbiddenError(
            f"A node may not change {others[0][:100]} of its jobs, only the state of their runs ({_SCHEDULE}: "
            f"{', '.join(RUN_KEYS)}; {', '.join(_JOB_KEYS)})"
        )


def _check_client_id(body: Mapping[str, Any], client_id: str) -> None:
    if "client_id" in body and body["client_id"] != client_id:
        raise ForbiddenError(f"This account is for the client {client_id}, and the request names another one")
