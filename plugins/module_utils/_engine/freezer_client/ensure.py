# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""One flow for every kind of document: find it, compare it with the desired state, change it, return the changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Callable

from ..documents.action import ADDED_BY_SERVERS
from ..documents.comparison import ADDED_TO_LIST_ELEMENTS, before_and_after, drift
from ..documents.errors import DocumentError
from ..documents.kind import Kind
from ..documents.secrets import without_secrets
from ..http.errors import Conflict, NotAllowed
from .collection import Collection, Document
from .errors import Ambiguous, Unidentified
from .plan import CREATE, DELETE, NOTHING, PATCH, Plan, Result, future, removal, storage, without_stamps

_ATTEMPTS = 5


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
    plan = removal(collection.kind, existing)
    return plan.result() if check_mode else carry_out(collection, plan)


def store(
    collection: Collection,
    wanted: Mapping[str, Any],
    existing: Mapping[str, Any] | None,
    check_mode: bool,
    initial: Mapping[str, Any] | None = None,
) -> Result:
    """Create the document, or change the existing one. ``initial`` is what only a new document is given."""
    plan = storage(collection.kind, wanted, existing, initial)
    return plan.result() if check_mode else carry_out(collection, plan)


def carry_out(collection: Collection, plan: Plan) -> Result:
    """Carry out a plan, and check the result."""
    if plan.operation == NOTHING:
        return plan.result()
    if plan.operation == DELETE:
        deleted = collection.delete(str(plan.document_id))
        return replace(plan.result(), changed=deleted)
    document_id = _create(collection, plan) if plan.operation == CREATE else _change(collection, plan)
    document = collection.get(document_id)
    if document is None:
        raise _vanished(collection, document_id)
    result = replace(plan.result(document), document_id=document_id)
    not_kept = sorted(path for path in drift(plan.kind, plan.wanted, document) if not path.endswith(".action_id"))
    return _as_it_came(plan, result, document, not_kept) if not_kept else result


def change_whole(collection: Collection, document_id: str, make: Callable[[Document], Document]) -> None:
    """Put a document back as ``make`` makes it from what is there, with what the server wrote in it.

    If another client, such as a scheduler, writes to it at the same time, that write wins, and this is repeated on it.
    """
    for _attempt in range(_ATTEMPTS):
        current, tag = collection.read(document_id)
        if current is None:
            raise _vanished(collection, document_id)
        new = without_stamps(make(current))
        if tag is None:
            new = _as_upstream_takes(collection.kind, new, current)
        try:
            return collection.replace(document_id, new, if_match=tag)
        except Conflict as conflict:
            if conflict.status != 412:
                raise
    raise Conflict(f"{collection.kind.name} {document_id} changes too quickly to be changed in between.", status=412)


def _create(collection: Collection, plan: Plan) -> str:
    if plan.document_id and not plan.kind.wrapped_in:
        collection.replace(plan.document_id, plan.body)
        return plan.document_id
    body = {**plan.body, plan.kind.id_key: plan.document_id} if plan.document_id else plan.body
    return collection.create(body)


def _change(collection: Collection, plan: Plan) -> str:
    """Bring the existing document to its desired state.

    A PATCH cannot take a key away; and it takes too much away from servers that do not tag the states of documents.
    """
    document_id = str(plan.document_id)
    if plan.kind.wrapped_in:
        try:
            collection.patch(document_id, plan.body)
        except NotAllowed:
            collection.create(future(plan.kind, plan.wanted, plan.existing or {}))
    elif plan.operation == PATCH and collection.tags_states(document_id):
        collection.patch(document_id, plan.body)
    else:
        change_whole(collection, document_id, lambda current: future(plan.kind, plan.wanted, current))
    return document_id


def _as_it_came(plan: Plan, result: Result, document: Document, not_kept: Sequence[str]) -> Result:
    """The result if the server has not kept all keys: the stored document, and a warning."""
    after, _same = before_and_after(plan.kind, {}, document)
    warning = f"The Freezer API does not keep {', '.join(not_kept)} of {plan.kind.name} {result.document_id} as given."
    return replace(result, changed=after != plan.before, after=without_secrets(after), warnings=(warning,))


def _vanished(collection: Collection, document_id: str) -> Conflict:
    return Conflict(f"{collection.kind.name} {document_id} was deleted by another client while it was being changed.")


def _as_upstream_takes(kind: Kind, new: Mapping[str, Any], current: Mapping[str, Any]) -> Document:
    """A whole document as freezer-api 15 to 19 takes it for ``current``; its documents have states without a tag.

    Its PATCH replaces objects as a whole and empties the schedule of a job that it does not name; so documents are
    replaced there, which keeps what is sent.
    """
    if kind.name == "job":
        known = current.get("job_actions") or []
        return {**new, "job_actions": [_upstream_element(element, known) for element in new.get("job_actions") or []]}
    if kind.name == "action":
        # A key that is not sent keeps its value; null takes it away.
        gone = {key: None for key in current.get("freezer_action") or {} if key not in new["freezer_action"]}
        return {**new, "freezer_action": {**gone, **new["freezer_action"]}}
    return dict(new)


def _upstream_element(element: Mapping[str, Any], known: list[Any]) -> Document:
    """An action of a job: the known one where that says the same, else a new one.

    An id stands for a definition here, which cannot be changed through the job.
    """
    for candidate in known:
        if _definition(candidate) == _definition(element):
            return dict(candidate)
    return {key: value for key, value in element.items() if key not in ADDED_TO_LIST_ELEMENTS}


def _definition(element: Mapping[str, Any]) -> Document:
    """What these servers keep of an action of a job."""
    kept = {key: element.get(key, ADDED_BY_SERVERS[key]) for key in ("max_retries", "max_retries_interval")}
    freezer_action = element.get("freezer_action") or {}
    return {**kept, "freezer_action": {key: value for key, value in freezer_action.items() if value is not None}}
