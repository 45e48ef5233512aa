# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Bulk writes of groups of changes. The groups of one batch have no document in common."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..base import Change, Delete, Discard, Replace
from ..errors import ConflictError, DocumentTooLargeError, StoreBusyError
from .changes import Effect, Identity, effects_of, identity_of, is_blind
from .connection import Connection, Found, Write
from .fields import READ_FIELDS, document_key, whole_source
from .transactions import ABORTED, COMMITTED, Transactions, settled, with_note

_ATTEMPTS = 40
_PAUSE_SECONDS = 0.05

Group = Sequence[Change]
Result = list[int] | ConflictError | DocumentTooLargeError


class BulkWriter:
    """Writes groups of changes. ``settle`` writes the decision about a document that another change has prepared."""

    def __init__(
        self,
        connection: Connection,
        transactions: Transactions,
        aliases: Mapping[str, str],
        settle: Callable[[Found], bool],
        max_document_bytes: int,
    ) -> None:
        self._connection = connection
        self._transactions = transactions
        self._aliases = aliases
        self._settle = settle
        self._max_document_bytes = max_document_bytes
        self._clock = _Clock()

    def apply(self, groups: Sequence[Group]) -> list[Result]:
        """The result of each group, in their order. Raises StoreBusyError, StoreUnreachableError."""
        results: dict[int, Result] = {}
        waiting = dict(enumerate(groups))
        while waiting:
            batch = _apart(waiting)
            results.update(self._apply_batch({number: waiting.pop(number) for number in batch}))
        return [results[number] for number in range(len(groups))]

    def _apply_batch(self, groups: Mapping[int, Group]) -> dict[int, Result]:
        """Make groups of changes that have no document in common."""
        results: dict[int, Result] = {}
        now = self._states([change for group in groups.values() for change in group if is_blind(change)])
        effects: dict[int, list[Effect]] = {}
        for number, group in groups.items():
            try:
                effects[number], results[number] = effects_of(group, now, self._source)
            except (ConflictError, DocumentTooLargeError) as refusal:
                results[number] = refusal
        refusals = self._make(effects)
        results.update(refusals)
        # A placeholder for a document that was not created does not occupy its id.
        again = {
            number: groups[number] for number, refusal in refusals.items() if self._is_free(refusal, effects[number])
        }
        return {**results, **self._apply_batch(again)} if again else results

    def _is_free(self, refusal: ConflictError, effects: Sequence[Effect]) -> bool:
        """Whether a group was refused for a placeholder, and the id is free now."""
        if refusal.reason != "exists":
            return False
        kind, project_id, document_id = next(
            effect.identity for effect in effects if effect.identity[::2] == (refusal.kind, refusal.document_id)
        )
        return self._states([Discard(kind, document_id, project_id)]) == {(kind, project_id, document_id): None}

    def _states(self, changes: Sequence[Change]) -> dict[Identity, Found | None]:
        """The current documents of changes, none of them prepared by another change."""
        identities = list(dict.fromkeys(identity_of(change) for change in changes))
        states: dict[Identity, Found | None] = {}
        for _attempt in range(_ATTEMPTS):
            wanted = [identity for identity in identities if identity not in states]
            if not wanted:
                return states
            keys = [(self._aliases[kind], document_key(project_id, name)) for kind, project_id, name in wanted]
            for identity, found in zip(wanted, self._connection.get(keys, READ_FIELDS), strict=True):
                if found is None or "transaction" not in found.source:
                    states[identity] = found
                else:
                    self._settle(found)
            if len(states) < len(identities):
                time.sleep(_PAUSE_SECONDS)
        raise StoreBusyError("too many callers change these documents at once; try again")

    def _make(self, effects: Mapping[int, list[Effect]]) -> dict[int, ConflictError]:
        """Write the effects of groups; returns the groups that were refused."""
        refusals: dict[int, ConflictError] = {}
        transactions = {number: uuid.uuid4().hex for number, group in effects.items() if len(group) > 1}
        writes: list[tuple[int, Effect, Write]] = []
        for number, group in effects.items():
            for effect in group:
                writes.append((number, effect, self._first_write(effect, transactions.get(number))))
        written = self._connection.write([write for _number, _effect, write in writes])
        prepared: dict[int, list[Found]] = {number: [] for number in transactions}
        for (number, effect, write), item in zip(writes, written, strict=True):
            if not item.is_made:
                refusals.setdefault(number, _refusal(effect))
            elif number in transactions:
                prepared[number].append(
                    Found(item.index, write.key, item.seq_no, item.primary_term, write.source or {})
                )
        if transactions:
            self._finish(transactions, prepared, effects, refusals)
        return refusals

    def _finish(
        self,
        transactions: Mapping[int, str],
        prepared: Mapping[int, list[Found]],
        effects: Mapping[int, list[Effect]],
        refusals: dict[int, ConflictError],
    ) -> None:
        """Decide the prepared changes of several documents, and write their documents as decided."""
        ready = [number for number in transactions if number not in refusals]
        records = self._transactions.commit([transactions[number] for number in ready]) if ready else []
        for number, record in zip(ready, records, strict=True):
            if record is None:
                refusals[number] = _refusal(effects[number][0], "changed")
        self._connection.write(
            [
                settled(found, ABORTED if number in refusals else COMMITTED)
                for number, documents in prepared.items()
                for found in documents
            ]
        )
        self._transactions.forget([record for record in records if record is not None])

    def _first_write(self, effect: Effect, transaction: str | None) -> Write:
        kind, project_id, document_id = effect.identity
        key = document_key(project_id, document_id)
        index = effect.before.index if effect.before is not None else self._aliases[kind]
        source = effect.source
        if transaction is not None:
            if effect.before is not None:
                now = whole_source(kind, effect.before.source)
            else:
                now = {"id": document_id, "project_id": project_id, "key": key, "is_absent": True}
            source = with_note(now, transaction, effect.source)
        return Write(index, key, source, effect.before)

    def _source(self, change: Change, version: int, earlier: Mapping[str, Any] | None) -> dict[str, Any]:
        """The document of Elasticsearch for the new state of a document. Raises DocumentTooLargeError."""
        if isinstance(change, (Delete, Discard)):
            raise TypeError("a removed document has no new state")
        text = json.dumps(change.document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        size = len(text.encode())
        if size > self._max_document_bytes:
            raise DocumentTooLargeError(
                f"the document would have {size} bytes; at most {self._max_document_bytes} are kept"
            )
        kind, project_id, document_id = identity_of(change)
        owner = change.stored.owner if isinstance(change, Replace) else change.owner
        own = {
            "id": document_id,
            "project_id": project_id,
            "user_id": owner.user_id if earlier is None else earlier["user_id"],
            "version": version,
            "order": self._clock.next() if earlier is None else earlier["order"],
            "write": uuid.uuid4().hex,
            "body": text,
        }
        return whole_source(kind, own, change.document)


class _Clock:
    """Nanoseconds since 1970, strictly increasing."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def next(self) -> int:
        with self._lock:
            self._last = max(time.time_ns(), self._last + 1)
            return self._last


def _refusal(effect: Effect, reason: str | None = None) -> ConflictError:
    kind, _project_id, document_id = effect.identity
    exists = effect.is_creation and effect.before is None
    return ConflictError(kind, document_id, reason or ("exists" if exists else "changed"))


def _apart(groups: Mapping[int, Group]) -> list[int]:
    """The numbers of groups that have no document in common; of two that have, the earlier one."""
    chosen: list[int] = []
    taken: set[Identity] = set()
    for number, group in groups.items():
        identities = {identity_of(change) for change in group}
        if taken.isdisjoint(identities):
            chosen.append(number)
        taken |= identities
    return chosen
