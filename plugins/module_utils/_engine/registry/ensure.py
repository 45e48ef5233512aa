# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""One flow for every kind of document: find it, see how it differs from what is wanted, make it so, say what changed.

Only what is named counts: a key that is not named, or None, stays as it is. An object that is named (a schedule, a
``freezer_action``) is meant whole: what exists in it and is not named goes away. What the server and the scheduler
write is never drift and never lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..documents.action import MASK, is_secret, without_secrets
from ..documents.comparison import before_and_after, drift, merged
from ..documents.errors import DocumentError
from ..documents.kind import Kind
from .client import Collection, Document
from .errors import Ambiguous, Conflict, Unidentified

# The API writes these at the top of every document that it stores.
_STAMPS = ("user_id", "user_name", "project_id", "_version")
_ATTEMPTS = 5

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


def find(collection: Collection, wanted: Mapping[str, Any], unique_by: Sequence[str] = ()) -> Document | None:
    """The document that ``wanted`` means: by its id, else by the keys that together are ``unique_by`` intent.

    Raises ``Unidentified`` when neither is given, ``Ambiguous`` when several fit, ``DocumentError`` for an impossible id.
    """
    kind = collection.kind
    document_id = wanted.get(kind.id_key)
    if document_id is not None:
        if not kind.is_id(document_id):
            raise DocumentError(f"{kind.id_key} is {document_id!r}, which is no id; it has to match {kind.id_pattern}.")
        return collection.get(document_id)
    keys = {key: wanted.get(key) for key in unique_by}
    if not keys or any(value is None or value == "" for value in keys.values()):
        instead = f", or {' and '.join(unique_by)} that together belong to one {kind.name} only" if unique_by else ""
        raise Unidentified(f"Which {kind.name} is meant? Give {kind.id_key}{instead}.")
    search = {"match": [{key: value} for key, value in keys.items()]}
    # Stores differ in how loosely they search, so what they find is looked at.
    fitting = [
        document
        for document in collection.all(search)
        if all(kind.sent_part(document).get(key) == value for key, value in keys.items())
    ]
    if len(fitting) > 1:
        ids = ", ".join(sorted(str(kind.id_of(document)) for document in fitting))
        same = " and ".join(f"{key} {value!r}" for key, value in keys.items())
        raise Ambiguous(f"{len(fitting)} {kind.plural} have {same}: {ids}. Say which one with {kind.id_key}.")
    return fitting[0] if fitting else None


def ensure(
    collection: Collection,
    wanted: Mapping[str, Any],
    state: str = "present",
    check_mode: bool = False,
    unique_by: Sequence[str] = (),
    initial: Mapping[str, Any] | None = None,
) -> Result:
    """Find the document and ``store`` or ``remove`` it."""
    existing = find(collection, wanted, unique_by)
    if state == "absent":
        return remove(collection, existing, check_mode)
    return store(collection, wanted, existing, check_mode, initial)


def remove(collection: Collection, existing: Mapping[str, Any] | None, check_mode: bool) -> Result:
    """Delete the document if there is one."""
    kind = collection.kind
    if existing is None:
        return Result(False, {}, {})
    document_id = str(kind.id_of(existing))
    changed = check_mode or collection.delete(document_id)
    before, _same = before_and_after(kind, {}, existing)
    return Result(changed, without_secrets(before), {}, document_id)


def store(
    collection: Collection,
    wanted: Mapping[str, Any],
    existing: Mapping[str, Any] | None,
    check_mode: bool,
    initial: Mapping[str, Any] | None = None,
) -> Result:
    """Create the document, or change the existing one. ``initial`` is what only a new document is given."""
    kind = collection.kind
    wanted = _named(wanted)
    if existing is None:
        return _create(collection, merged(initial or {}, _without_server_keys(kind, wanted)), wanted, check_mode)
    sent = kind.sent_part(existing)
    wanted = dict(_unmasked(wanted, sent))
    changes = drift(kind, wanted, existing)
    surplus = list(_surplus(kind, wanted, sent))
    before, after = before_and_after(kind, wanted, existing)
    for path in surplus:
        after = _without_path(after, path)
    document_id = str(kind.id_of(existing))
    document: Document = dict(existing)
    if changes or surplus:
        if check_mode:
            future = _future(kind, wanted, existing)
            document = {**existing, kind.wrapped_in: future} if kind.wrapped_in else future
        else:
            if surplus:
                _replace(collection, document_id, wanted)
            else:
                named = _sendable(kind, wanted, existing)
                collection.patch(document_id, {key: named[key] for key in named if _is_in(changes, key)})
            document = _stored(collection, document_id)
    changed = bool(changes or surplus)
    return Result(changed, without_secrets(before), without_secrets(after), document_id, without_secrets(document))


def _replace(collection: Collection, document_id: str, wanted: Document) -> None:
    """Put the whole document back, because a PATCH cannot take a key away, with what the server wrote in it.

    Whoever writes to it at the same moment, such as a scheduler, wins, and it is done again on what they wrote.
    """
    for _attempt in range(_ATTEMPTS):
        current, tag = collection.read(document_id)
        if current is None:
            raise _vanished(collection, document_id)
        future = _future(collection.kind, wanted, current)
        new = {key: value for key, value in future.items() if key not in _STAMPS}
        try:
            return collection.replace(document_id, new, if_match=tag)
        except Conflict as conflict:
            if conflict.status != 412:
                raise
    raise Conflict(f"{collection.kind.name} {document_id} changes too quickly to be changed in between.", status=412)


def _future(kind: Kind, wanted: Document, existing: Mapping[str, Any]) -> Document:
    """What a client would send to get the wanted document with all else as it is now."""
    sent = kind.sent_part(existing)
    future = merged(sent, _sendable(kind, wanted, existing))
    for path in _surplus(kind, wanted, sent):
        future = _without_path(future, path)
    return future


def _sendable(kind: Kind, wanted: Document, existing: Mapping[str, Any]) -> Document:
    """What is wanted, without what only servers write, except in elements of lists that stay as they are."""
    changes = drift(kind, wanted, existing)
    return _without_server_keys(kind, _with_known_elements(wanted, kind.sent_part(existing), changes))


def _create(collection: Collection, new: Document, wanted: Document, check_mode: bool) -> Result:
    kind = collection.kind
    document_id: str | None = wanted.get(kind.id_key)
    missing = [key for key in kind.schema.get("required", ()) if new.get(key) is None and key != kind.id_key]
    if missing:
        name = f"{kind.name} {document_id}" if document_id else f"such {kind.name}"
        raise DocumentError(f"There is no {name} yet, and {' and '.join(missing)} must be given to create it.")
    _unmasked(new, {})
    document: Document = {kind.wrapped_in: new} if kind.wrapped_in else dict(new)
    if document_id:
        document[kind.id_key] = document_id
    if not check_mode:
        if document_id and not kind.wrapped_in:
            collection.replace(document_id, new)
        else:
            document_id = collection.create({**new, kind.id_key: document_id} if document_id else new)
        document = _stored(collection, document_id)
    return Result(True, {}, without_secrets(new), document_id, without_secrets(document))


def _stored(collection: Collection, document_id: str) -> Document:
    document = collection.get(document_id)
    if document is None:
        raise _vanished(collection, document_id)
    return document


def _vanished(collection: Collection, document_id: str) -> Conflict:
    return Conflict(f"{collection.kind.name} {document_id} was deleted by somebody while it was being changed.")


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


def _unmasked(wanted: Any, existing: Any, key: str = "") -> Any:
    """With the stored secret wherever somebody hands back the mask that was shown for it."""
    if isinstance(wanted, Mapping):
        known = existing if isinstance(existing, Mapping) else {}
        return {name: _unmasked(value, known.get(name), str(name)) for name, value in wanted.items()}
    if isinstance(wanted, list):
        stored = existing if isinstance(existing, list) else []
        return [_unmasked(value, stored[n] if n < len(stored) else None) for n, value in enumerate(wanted)]
    if wanted == MASK and is_secret(key):
        if existing is None:
            raise DocumentError(
                f"{key} is the mask that stands for a secret, and no such secret is stored. Give {key}."
            )
        return existing
    return wanted
