# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Secrets in documents, such as passwords: shown only to callers whom the policy lets see them.

They are stored as sent, because the scheduler that runs an action needs them.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.errors import DocumentError
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.secrets import (
    SECRET_WORDS,
    is_secret,
    with_stored_secrets,
    without_secrets,
)

from ..errors import BadRequestError, ForbiddenError
from ..store.base import Document, Stored
from ..store.query import AnyValueContains, Condition, Query

#: Most documents have no such word anywhere, and need not be parsed for their secrets.
_MAY_HAVE_ONE = re.compile("|".join(word.replace("_", "[-_]") for word in SECRET_WORDS), re.IGNORECASE)


def masked_text(stored: Stored) -> str:
    """The JSON of a document with asterisks in place of its secrets."""
    if _MAY_HAVE_ONE.search(stored.text) is None:
        return stored.text
    return json.dumps(without_secrets(stored.document), ensure_ascii=False, separators=(",", ":"))


def unmasked(document: Document, stored: Mapping[str, Any] | None) -> Document:
    """A document to store, with asterisks replaced by the secrets of the stored one.

    Raises BadRequestError for asterisks where the stored one has no secret.
    """
    try:
        whole: Document = with_stored_secrets(document, stored or {})
    except DocumentError as error:
        raise BadRequestError(str(error)) from error
    return whole


def without_secret_conditions(query: Query) -> Query:
    """A search that does not look at secrets.

    ``_all`` skips them; a condition on one raises ForbiddenError.
    """
    return dataclasses.replace(
        query,
        match=tuple(_harmless(condition) for condition in query.match),
        match_not=tuple(_harmless(condition) for condition in query.match_not),
    )


def _harmless(condition: Condition) -> Condition:
    if isinstance(condition, AnyValueContains):
        return dataclasses.replace(condition, looks_into_secrets=False)
    secret = next((key for key in condition.path if is_secret(key)), None)
    if secret is not None:
        raise ForbiddenError(f"Only callers who may see {secret[:100]} can search for it")
    return condition
