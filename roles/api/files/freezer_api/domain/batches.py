# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Many writes in one request, in as few transactions of the store as possible.

Every write is independent of the others: it is stored completely or not at all, and has a result of its own. An id can
occur several times; its writes are made in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..access.context import Access
from ..errors import ApiError, BadRequestError, TooLargeError, UnavailableError, sentence
from ..store.base import Store
from ..store.errors import ConflictError, DocumentTooLargeError, StoreError
from .kinds.base import Rules
from .planning import Plan, Planner
from .retrying import ATTEMPTS, pause, too_many_others

MAX_ITEMS = 1000

#: The operations on a document, and the key of the item that has their body.
OPERATIONS: Mapping[str, str | None] = {"replace": "document", "patch": "changes", "delete": None}

#: The access of an operation on an id, and what it writes; raises ApiError for one that the sender may not do.
Check = Callable[[str, str, Mapping[str, Any]], tuple[Access, Mapping[str, Any]]]


@dataclass(frozen=True)
class Outcome:
    """The result of one write: 201 for a new document, 200 for one that was replaced or changed, 204 for a removed one."""

    document_id: str | None
    status: int
    version: int | None = None
    error: ApiError | None = None
    warnings: Sequence[str] = ()


@dataclass(frozen=True)
class _Write:
    """A valid item: its number, its id, and a function that makes its plan from the state of the store."""

    index: int
    document_id: str
    plan: Callable[[], Plan]


def run_batch(store: Store, planner: Planner, rules: Rules, items: list[Any], check: Check) -> list[Outcome]:
    """Make all writes that can be made. Raises StoreError if nothing was written."""
    outcomes: dict[int, Outcome] = {}
    waiting: list[_Write] = []
    for index, item in enumerate(items):
        try:
            waiting.append(_checked(planner, rules, check, index, item))
        except ApiError as error:
            outcomes[index] = _failure(_id_of(rules, item), error)

    lost_races = 0
    is_first = True
    while waiting:
        writes, later = _first_of_each_id(waiting)
        try:
            done = _store_together(store, writes)
        except StoreError as error:
            if is_first:
                raise
            # Earlier writes are stored; only the rest has failed.
            outcomes.update({write.index: _failure(write.document_id, _unavailable(error)) for write in waiting})
            break
        is_first = False
        outcomes.update(done)
        again = [write for write in writes if write.index not in done]
        waiting = sorted([*again, *later], key=lambda write: write.index)
        if again:
            lost_races += 1
            if lost_races == ATTEMPTS:
                outcomes.update({write.index: _failure(write.document_id, too_many_others()) for write in waiting})
                break
            pause(lost_races)
    return [outcomes[index] for index in range(len(items))]


def _checked(planner: Planner, rules: Rules, check: Check, index: int, item: Any) -> _Write:
    if not isinstance(item, dict):
        raise BadRequestError("An item must be an object")
    operation = item.get("op")
    if not isinstance(operation, str) or operation not in OPERATIONS:
        raise BadRequestError(f"The op of an item must be one of {', '.join(OPERATIONS)}")
    payload_key = OPERATIONS[operation]
    unknown = set(item) - {"op", "if_match", rules.kind.id_key, payload_key}
    if unknown:
        raise BadRequestError(f"{min(unknown)[:100]!r} is no key of an item with the op {operation}")
    document_id = item.get(rules.kind.id_key)
    if not isinstance(document_id, str) or not rules.kind.is_id(document_id):
        raise BadRequestError(f"An item must have a {rules.kind.id_key} that can be the ID of a {rules.kind.name}")
    if_match = item.get("if_match")
    if if_match is not None and not isinstance(if_match, str):
        raise BadRequestError("if_match must be the ETag of a document")
    payload = item.get(payload_key) if payload_key else {}
    if not isinstance(payload, dict):
        raise BadRequestError(f"An item with the op {operation} must have an object {payload_key}")
    payload = rules.usual(payload)
    access, payload = check(operation, document_id, payload)

    if operation == "replace":
        sent = rules.checked_as(document_id, payload)
        return _Write(index, document_id, lambda: planner.replacement(rules, access, document_id, sent, if_match))
    if operation == "patch":
        changes = rules.checked_changes(payload)
        return _Write(index, document_id, lambda: planner.change(rules, access, document_id, changes, if_match))
    return _Write(index, document_id, lambda: planner.removal(rules, access, document_id, if_match))


def _first_of_each_id(writes: list[_Write]) -> tuple[list[_Write], list[_Write]]:
    first: dict[str, _Write] = {}
    later = []
    for write in writes:
        if write.document_id in first:
            later.append(write)
        else:
            first[write.document_id] = write
    return list(first.values()), later


def _store_together(store: Store, writes: list[_Write]) -> dict[int, Outcome]:
    """Store writes of different ids in one transaction; those that lost a race have no outcome yet."""
    outcomes: dict[int, Outcome] = {}
    planned: list[tuple[_Write, Plan]] = []
    for write in writes:
        try:
            planned.append((write, write.plan()))
        except ApiError as error:
            outcomes[write.index] = _failure(write.document_id, error)
    results = store.apply_each([plan.changes for _position, plan in planned]) if planned else []
    for (write, plan), result in zip(planned, results, strict=True):
        if isinstance(result, DocumentTooLargeError):
            outcomes[write.index] = _failure(write.document_id, TooLargeError(sentence(result)))
        elif not isinstance(result, ConflictError):
            outcomes[write.index] = _success(plan, result[0])
    return outcomes


def _success(plan: Plan, version: int) -> Outcome:
    if plan.document is None:
        return Outcome(plan.document_id, 204)
    return Outcome(plan.document_id, 201 if plan.is_new else 200, version, warnings=plan.warnings)


def _failure(document_id: str | None, error: ApiError) -> Outcome:
    return Outcome(document_id, error.status, error=error)


def _unavailable(error: StoreError) -> ApiError:
    return UnavailableError(sentence(error))


def _id_of(rules: Rules, item: Any) -> str | None:
    found = item.get(rules.kind.id_key) if isinstance(item, dict) else None
    return found if isinstance(found, str) else None
