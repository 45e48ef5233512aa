# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""The changes that bring a document to its desired state. No server is asked here.

Only what is named counts: a key that is not named, or None, stays as it is. An object that is named (a schedule, a
``freezer_action``) is meant whole: what exists in it and is not named goes away. What the server and the scheduler
write is never a difference and never lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..documents.comparison import before_and_after, drift, merged
from ..documents.errors import MissingKeys
from ..documents.kind import Kind
from ..documents.secrets import with_stored_secrets, without_secrets
from .collection import Document

NOTHING, CREATE, PATCH, REPLACE, DELETE = "nothing", "create", "patch", "replace", "delete"

# The API writes these at the top of every document that it stores.
_STAMPS = ("user_id", "user_name", "project_id", "_version")

Path = tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """What was done, or in check mode would be done.

    ``before`` and ``after`` are for a diff: without what servers write, secrets masked, empty for "does not exist".
    ``document`` is the document as stored, or as it would be; None when there is none any more. ``values`` are answers
    of the API that belong to no document.
    """

    changed: bool
    before: Document
    after: Document
    document_id: str | None = None
    document: Document | None = None
    warnings: tuple[str, ...] = ()
    values: Document = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """One operation on one document. ``body`` is what is sent for it; ``REPLACE`` makes its own with ``future``."""

    kind: Kind
    operation: str
    document_id: str | None
    existing: Mapping[str, Any] | None
    wanted: Document
    body: Document
    before: Document
    after: Document

    def result(self, document: Mapping[str, Any] | None = None) -> Result:
        """What comes of it: ``document`` if that is known, else what it will be."""
        if document is None and self.operation != DELETE:
            document = self._promised()
        shown = None if document is None else without_secrets(document)
        changed = self.operation != NOTHING
        return Result(changed, without_secrets(self.before), without_secrets(self.after), self.document_id, shown)

    def _promised(self) -> Document:
        if self.existing is None:
            document: Document = {self.kind.wrapped_in: self.body} if self.kind.wrapped_in else dict(self.body)
            return {**document, self.kind.id_key: self.document_id} if self.document_id else document
        if self.operation == NOTHING:
            return dict(self.existing)
        new = future(self.kind, self.wanted, self.existing)
        return {**self.existing, self.kind.wrapped_in: new} if self.kind.wrapped_in else new


def removal(kind: Kind, existing: Mapping[str, Any] | None) -> Plan:
    """The plan that a document be gone."""
    if existing is None:
        return Plan(kind, NOTHING, None, None, {}, {}, {}, {})
    before, _same = before_and_after(kind, {}, existing)
    return Plan(kind, DELETE, kind.id_of(existing), existing, {}, {}, before, {})


def storage(
    kind: Kind,
    wanted: Mapping[str, Any],
    existing: Mapping[str, Any] | None,
    initial: Mapping[str, Any] | None = None,
) -> Plan:
    """The plan that a document be as ``wanted``. ``initial`` is what only a new document is given.

    Raises ``DocumentError`` when a new document lacks something, or a mask stands for no secret.
    """
    wanted = _named(wanted)
    if existing is None:
        return _creation(kind, merged(initial or {}, _without_server_keys(kind, wanted)), wanted)
    wanted = dict(with_stored_secrets(wanted, kind.sent_part(existing)))
    changes = drift(kind, wanted, existing)
    surplus = list(_surplus(kind, wanted, kind.sent_part(existing)))
    before, after = before_and_after(kind, wanted, existing)
    for path in surplus:
        after = _without_path(after, path)
    named = sendable(kind, wanted, existing)
    body = {key: named[key] for key in named if _is_in(changes, key)}
    operation = REPLACE if surplus else PATCH if changes else NOTHING
    return Plan(kind, operation, kind.id_of(existing), existing, wanted, body, before, after)


def future(kind: Kind, wanted: Document, existing: Mapping[str, Any]) -> Document:
    """What a client would send to get the wanted document with all else as it is now."""
    sent = kind.sent_part(existing)
    new = merged(sent, sendable(kind, wanted, existing))
    for path in _surplus(kind, wanted, sent):
        new = _without_path(new, path)
    return new


def without_stamps(document: Mapping[str, Any]) -> Document:
    """A document without what only the API writes at its top."""
    return {key: value for key, value in document.items() if key not in _STAMPS}


def sendable(kind: Kind, wanted: Document, existing: Mapping[str, Any]) -> Document:
    """What is wanted, without what only servers write, except in elements of lists that stay as they are."""
    changes = drift(kind, wanted, existing)
    return _without_server_keys(kind, _with_known_elements(wanted, kind.sent_part(existing), changes))


def _creation(kind: Kind, new: Document, wanted: Document) -> Plan:
    document_id: str | None = wanted.get(kind.id_key)
    missing = [key for key in kind.schema.get("required", ()) if new.get(key) is None and key != kind.id_key]
    if missing:
        name = f"{kind.name} {document_id}" if document_id else f"such {kind.name}"
        raise MissingKeys(f"There is no {name} yet, and {' and '.join(missing)} must be given to create it.", missing)
    with_stored_secrets(new, {})
    return Plan(kind, CREATE, document_id, None, wanted, new, {}, new)


def _named(document: Mapping[str, Any]) -> Document:
    """Without what is None, at every depth: module options that were not given, and keys meant to go away."""
    return {
        key: [_named(element) if isinstance(element, Mapping) else element for element in value]
        if isinstance(value, list)
        else _named(value)
        if isinstance(value, Mapping)
        else value
        for key, value in document.items()
        if value is not None
    }


def _without_server_keys(kind: Kind, document: Document) -> Document:
    for key in kind.server_keys:
        document = _without_path(document, tuple(key.split(".")))
    return document


def _without_path(document: Document, path: Path) -> Document:
    head, rest = path[0], path[1:]
    if head not in document or (rest and not isinstance(document[head], Mapping)):
        return document
    if rest:
        return {**document, head: _without_path(dict(document[head]), rest)}
    return {key: value for key, value in document.items() if key != head}


def _surplus(kind: Kind, wanted: Mapping[str, Any], existing: Mapping[str, Any], path: Path = ()) -> Iterator[Path]:
    """The paths that exist inside of objects that are wanted, and are not wanted themselves."""
    for key, value in existing.items():
        here = (*path, key)
        if ".".join(here) in kind.server_keys or value is None:
            continue
        if path and key not in wanted:
            yield here
        elif isinstance(value, Mapping) and isinstance(wanted.get(key), Mapping):
            yield from _surplus(kind, wanted[key], value, here)


def _is_in(changes: Mapping[str, Any], key: str) -> bool:
    return any(path == key or path.startswith(key + ".") for path in changes)


def _with_known_elements(wanted: Document, existing: Mapping[str, Any], changes: Mapping[str, Any]) -> Document:
    """Lists are sent whole; elements that stay as they are keep what the server added to them, such as their ids."""
    result = dict(wanted)
    for key, elements in wanted.items():
        known = existing.get(key)
        if isinstance(elements, list) and isinstance(known, list):
            result[key] = [
                known[index] if index < len(known) and not _is_in(changes, f"{key}.{index}") else element
                for index, element in enumerate(elements)
            ]
    return result
