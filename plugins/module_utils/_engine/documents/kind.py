# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The common parts of the five kinds of documents."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Letters of ASCII, as a pattern of JSON schema means it; Python's own \w knows all of Unicode's.
ID_PATTERN = r"^[A-Za-z0-9_-]+$"
#: A client's id is ``[project_]fqdn``.
_LABEL = r"[a-zA-Z0-9]([a-zA-Z0-9\-]{0,61}[a-zA-Z0-9])?"
CLIENT_ID_PATTERN = rf"^(?:([A-Za-z0-9_\-]+)\_)?({_LABEL})(\.{_LABEL})*$"
ID_MAX_LENGTH = 255
#: The most nested objects and lists in an accepted document. Freezer's own need five levels.
MAX_DEPTH = 64

ID_SCHEMA: Mapping[str, Any] = {"type": "string", "pattern": ID_PATTERN, "maxLength": ID_MAX_LENGTH}


@dataclass(frozen=True)
class Kind:
    """One kind of document.

    ``schema`` is a JSON schema (draft 4) of what a client may send to create a document.
    ``server_keys`` are dotted paths, relative to what a client sends, of keys that the server or the scheduler write:
    they are accepted where a client sends them, and are never a difference.
    ``wrapped_in`` is the key below which the API stores what the client sent (``client``, ``backup_metadata``),
    or None where it stores that at the top.
    """

    name: str
    plural: str
    schema: Mapping[str, Any]
    server_keys: tuple[str, ...] = ()
    wrapped_in: str | None = None
    id_pattern: str = ID_PATTERN

    @property
    def id_key(self) -> str:
        """The key that holds the id, ``job_id`` for a job."""
        return self.name + "_id"

    @property
    def patch_schema(self) -> dict[str, Any]:
        """The schema of a change: the same keys, none of them required."""
        return {key: value for key, value in self.schema.items() if key != "required"}

    def is_id(self, text: Any) -> bool:
        """Whether ``text`` can be the id of such a document."""
        # The patterns end in "$", which for Python also matches before a last newline.
        return (
            isinstance(text, str)
            and len(text) <= ID_MAX_LENGTH
            and not text.endswith("\n")
            and re.search(self.id_pattern, text) is not None
        )

    def sent_part(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """The part of a stored document that has the shape of what a client sends."""
        part = document.get(self.wrapped_in) if self.wrapped_in else document
        return part if isinstance(part, Mapping) else {}

    def id_of(self, document: Mapping[str, Any]) -> str | None:
        """The id in a stored document, or None."""
        found = document.get(self.id_key)
        if found is None:
            found = self.sent_part(document).get(self.id_key)
        return found if isinstance(found, str) else None
