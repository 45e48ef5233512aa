# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""Many plans at once: in few requests where the server has a route for that, one after the other elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Optional, Union

from ..http.errors import Conflict, NotAllowed, NotFound, RestError, error_from
from .collection import Collection, Document
from .ensure import carry_out
from .errors import FREEZER
from .plan import CREATE, DELETE, PATCH, Plan, Result, future, without_stamps

# What the API takes in one request.
BATCH_ITEMS = 1000
# Well below the limit for a body that servers have (1 MiB).
BATCH_BYTES = 768 * 1024
_ATTEMPTS = 5

#: The result of a plan; None if it was not tried.
Outcome = Optional[Union[Result, RestError]]


def carry_out_all(
    collection: Collection,
    plans: Sequence[Plan],
    continue_on_error: bool,
    tags: Mapping[str, str | None] | None = None,
) -> list[Outcome]:
    """Carry plans out and return the result of each, in their order.

    Every plan has a ``document_id``. ``tags`` are those of the states from which the plans were made, by id, where they
    are known. After a failure nothing more is sent, unless ``continue_on_error``; what is in the same request is done
    all the same. Results do not have the stored documents.
    """
    outcomes: list[Outcome] = [None] * len(plans)
    pending = list(range(len(plans)))
    for attempt in range(_ATTEMPTS):
        lost_races = []
        known_tags = (tags or {}) if attempt == 0 else {}
        for chunk in _chunks(collection, plans, pending, known_tags, outcomes):
            if _stopped(outcomes, continue_on_error):
                return outcomes
            try:
                answers = collection.batch([operation for _number, operation in chunk])
            except (NotFound, NotAllowed):
                return _one_by_one(collection, plans, outcomes, continue_on_error)
            except RestError as error:
                if error.status == 413:
                    return _one_by_one(collection, plans, outcomes, continue_on_error)
                answers = []
                for number, _unused in chunk:
                    outcomes[number] = error
            for (number, operation), answer in zip(chunk, answers):
                outcome = _outcome(collection, plans[number], operation, answer)
                if isinstance(outcome, Conflict) and outcome.status == 412 and attempt + 1 < _ATTEMPTS:
                    lost_races.append(number)
                else:
                    outcomes[number] = outcome
        pending = lost_races
        if not pending:
            break
    return outcomes


def _one_by_one(
    collection: Collection, plans: Sequence[Plan], outcomes: Sequence[Outcome], continue_on_error: bool
) -> list[Outcome]:
    done = list(outcomes)
    for number, plan in enumerate(plans):
        if done[number] is None and not _stopped(done, continue_on_error):
            try:
                done[number] = carry_out(collection, plan)
            except RestError as error:
                done[number] = error
    return done


def _stopped(outcomes: Iterable[Outcome], continue_on_error: bool) -> bool:
    return not continue_on_error and any(isinstance(outcome, RestError) for outcome in outcomes)


def _chunks(
    collection: Collection,
    plans: Sequence[Plan],
    pending: Iterable[int],
    tags: Mapping[str, str | None],
    outcomes: list[Outcome],
) -> Iterator[list[tuple[int, Document]]]:
    """The operations of the plans in portions that fit into a request. What cannot be sent goes to ``outcomes``."""
    chunk: list[tuple[int, Document]] = []
    chunk_bytes = 0
    for number in pending:
        try:
            operation = _operation(collection, plans[number], tags.get(str(plans[number].document_id)))
        except RestError as error:
            outcomes[number] = error
            continue
        size_bytes = len(json.dumps(operation)) + 2
        if chunk and (len(chunk) == BATCH_ITEMS or chunk_bytes + size_bytes > BATCH_BYTES):
            yield chunk
            chunk, chunk_bytes = [], 0
        chunk.append((number, operation))
        chunk_bytes += size_bytes
    if chunk:
        yield chunk


def _operation(collection: Collection, plan: Plan, tag: str | None) -> Document:
    """A plan as an operation of the API; a replacement is made from the state that it names."""
    identity = {collection.kind.id_key: plan.document_id}
    if plan.operation == CREATE:
        return {"op": "replace", **identity, "document": plan.body}
    if plan.operation == PATCH:
        return {"op": "patch", **identity, "changes": plan.body}
    if plan.operation == DELETE:
        return {"op": "delete", **identity}
    current = plan.existing
    if tag is None:
        current, tag = collection.read(str(plan.document_id))
    if current is None:
        raise Conflict(f"{plan.kind.name} {plan.document_id} was deleted by another client while it was being changed.")
    document = without_stamps(future(plan.kind, plan.wanted, current))
    return {"op": "replace", **identity, "document": document, **({"if_match": tag} if tag else {})}


def _outcome(collection: Collection, plan: Plan, operation: Document, answer: Mapping[str, Any]) -> Outcome:
    status = int(answer.get("status") or 500)
    if 200 <= status < 300:
        return plan.result({})
    if plan.operation == DELETE and status == 404:
        return Result(False, {}, {}, plan.document_id)
    return error_from(f"to {operation['op']} {collection.kind.name} {plan.document_id}", status, answer, FREEZER)
