# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Clients: stored below the key ``client``, with a uuid that the server gives them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.comparison import merged
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.kinds import CLIENT

from ...store.base import Document, Owner, Stored
from .base import Rules


class ClientRules(Rules):
    """The rules of clients."""

    def __init__(self) -> None:
        super().__init__(CLIENT)

    def new(self, sent: Mapping[str, Any], document_id: str, owner: Owner, now: int) -> Document:
        client = {"uuid": uuid.uuid4().hex, **sent, "client_id": document_id}
        return {"client": client, "user_id": owner.user_id, "project_id": owner.project_id}

    def replacement(self, sent: Mapping[str, Any], stored: Stored, now: int) -> Document:
        known = {key: value for key, value in stored.document["client"].items() if key == "uuid"}
        return self.new({**known, **sent}, stored.id, stored.owner, now)

    def changed(self, stored: Stored, changes: Mapping[str, Any]) -> Document:
        return merged(stored.document, {"client": changes})
