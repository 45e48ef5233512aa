# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Making documents from what clients send, for all kinds; the modules beside this one have what differs."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.comparison import merged
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.kind import Kind

from ...errors import BadRequestError
from ...store.base import Change, Document, Owner, Store, Stored
from ..validation import Checks


class Rules:
    """The rules of the documents of one kind.

    The methods make documents and do not store them. ``now`` is in seconds since 1970.
    """

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._checks = Checks(kind)

    def usual(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A body in the form in which documents are stored, from an older form.

        All other methods get this form. Raises BadRequestError for one that contradicts itself.
        """
        return dict(body)

    def checked(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The part of a valid body that its sender decides. Raises BadRequestError."""
        if not body:
            raise BadRequestError("Missing request body")
        self._checks.whole(body)
        return self.without_owner(body)

    def checked_as(self, document_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The same for a body that is sent to an id."""
        return self.checked({**body, self.kind.id_key: document_id} if body else body)

    def checked_changes(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The part of a valid change that its sender decides. Raises BadRequestError."""
        self._checks.part(body)
        return self.without_owner(body)

    def without_owner(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A body without what the server decides: owner, version, id."""
        owned = ("user_id", "project_id", "_version", self.kind.id_key)
        return {key: value for key, value in body.items() if key not in owned}

    def id_for(self, body: Mapping[str, Any]) -> str:
        """The id that the sender chose, or a new one."""
        wanted = body.get(self.kind.id_key)
        return wanted if isinstance(wanted, str) else uuid.uuid4().hex

    def new(self, sent: Mapping[str, Any], document_id: str, owner: Owner, now: int) -> Document:
        """The document for what a client sent."""
        return {**sent, self.kind.id_key: document_id, "user_id": owner.user_id, "project_id": owner.project_id}

    def replacement(self, sent: Mapping[str, Any], stored: Stored, now: int) -> Document:
        """The document that replaces a stored one; its owner stays."""
        return self.new(sent, stored.id, stored.owner, now)

    def changed(self, stored: Stored, changes: Mapping[str, Any]) -> Document:
        """The document after a change: objects are merged, other values replaced."""
        return merged(stored.document, changes)

    def remarks(self, old: Document | None, new: Document) -> list[str]:
        """Warnings for the sender of a document; ``old`` is the one that it replaces.

        Only what has changed is checked. Raises BadRequestError for what cannot be stored.
        """
        return []

    def companions(
        self, store: Store, old: Stored | None, new: Document | None, owner: Owner
    ) -> tuple[Document | None, list[Change]]:
        """The document as it is stored, and the changes that have to be stored together with it.

        ``old`` is None for a document that is created, ``new`` for one that is deleted.
        """
        return new, []


def carried_over(document: Document, existing: Document, keys: tuple[str, ...]) -> Document:
    """A document completed by keys of the one that it replaces, where it does not name them itself."""
    return {**{key: existing[key] for key in keys if key in existing}, **document}
