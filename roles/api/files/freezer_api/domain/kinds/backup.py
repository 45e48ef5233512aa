# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Backups: what a client sends is stored below ``backup_metadata``, as sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.comparison import merged
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.kinds import BACKUP, INCOMPLETE_STATUSES

from ...errors import BadRequestError
from ...store.base import Document, Owner, Stored
from .base import Rules

_LOCATION = ("container", "hostname")
_NOT_CHANGED = ("backup_id", "user_id", "user_name", "project_id", "backup_metadata")


class BackupRules(Rules):
    """The rules of backups."""

    def __init__(self) -> None:
        super().__init__(BACKUP)

    def checked(self, body: Mapping[str, Any]) -> dict[str, Any]:
        sent = super().checked(body)
        if body.get("status", "available") not in INCOMPLETE_STATUSES:
            # The README writes host_name, the agent has always sent hostname.
            named = {**body, "hostname": body.get("hostname") or body.get("host_name")}
            missing = [key for key in _LOCATION if not named.get(key)]
            if missing:
                raise BadRequestError(f"{missing[0]!r} is missing or empty", title="Bad Data Format")
        return sent

    def without_owner(self, body: Mapping[str, Any]) -> dict[str, Any]:
        # All of it is metadata and stays as sent; the owner is in the document around it.
        return {key: value for key, value in body.items() if key != "_version"}

    def new(self, sent: Mapping[str, Any], document_id: str, owner: Owner, now: int) -> Document:
        return {
            "backup_id": document_id,
            "user_id": owner.user_id,
            "user_name": owner.user_name or owner.user_id,
            "project_id": owner.project_id,
            "status": sent.get("status", "available"),
            "backup_metadata": {**sent, "backup_id": document_id} if "backup_id" in sent else dict(sent),
        }

    def replacement(self, sent: Mapping[str, Any], stored: Stored, now: int) -> Document:
        # The store has the id of the owner only.
        name = {"user_name": stored.document["user_name"]} if "user_name" in stored.document else {}
        return {**super().replacement(sent, stored, now), **name}

    def changed(self, stored: Stored, changes: Mapping[str, Any]) -> Document:
        nested = changes.get("backup_metadata")
        named = merged(changes, nested) if isinstance(nested, Mapping) else changes
        metadata = {key: value for key, value in named.items() if key not in _NOT_CHANGED}
        document = merged(stored.document, {"backup_metadata": metadata})
        document["status"] = changes.get("status", document["status"])
        return document
