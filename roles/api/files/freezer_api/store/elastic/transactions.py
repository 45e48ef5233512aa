# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Changes of several documents that are made completely or not at all, even if a process dies in between.

Elasticsearch changes one document at a time. So first every document of the change gets a note with its new state and
the id of the change; readers still see the old state. One record, created under that id, decides: with ``committed`` all
documents have the new state, with ``aborted`` none has. Then the documents are written as decided, by the process that
made the change or, if it has died, by any that reads such a document. A change that is not decided in time is aborted:
only one record can be created under its id, so the decision is never both.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from .connection import Connection, Found, Write

#: How long others wait for the decision of a change before they abort it.
PATIENCE_SECONDS = 10.0
#: How long a record is kept; the documents of its change are settled long before.
_KEPT_SECONDS = 7 * 86_400
_AT_ONCE = 500

COMMITTED, ABORTED = "committed", "aborted"


class Transactions:
    """The records of decisions, in the index behind an alias."""

    def __init__(self, connection: Connection, alias: str) -> None:
        self._connection = connection
        self._alias = alias
        #: Records of changes whose documents are all written; they are removed with the next decision.
        self._done: list[Found] = []
        self._lock = threading.Lock()

    def commit(self, transactions: Sequence[str]) -> list[Found | None]:
        """Commit changes; returns their records, or None for one that another process has aborted."""
        with self._lock:
            done, self._done = self._done, []
        writes = [self._record(transaction, COMMITTED) for transaction in transactions]
        removals = [Write(record.index, record.key, None, record) for record in done]
        written = self._connection.write([*writes, *removals])
        return [
            Found(item.index, transaction, item.seq_no, item.primary_term, {})
            if item.is_made
            else self._own(transaction)
            for transaction, item in zip(transactions, written, strict=False)
        ]

    def outcome(self, transaction: str, since_ms: int) -> str | None:
        """The decision about a change, or None if there is none yet; a change that takes too long is aborted."""
        record = self._read(transaction)
        if record is None and time.time() * 1000 - since_ms > PATIENCE_SECONDS * 1000:
            if self._connection.write([self._record(transaction, ABORTED)])[0].is_made:
                return ABORTED
            record = self._read(transaction)
        return None if record is None else str(record.source["outcome"])

    def forget(self, records: Sequence[Found]) -> None:
        """Remove the records of changes whose documents are all written, with the next decision."""
        with self._lock:
            self._done += records[: _AT_ONCE - len(self._done)]

    def forget_old(self) -> None:
        """Delete old records. No document may refer to them."""
        query = {"range": {"decided_at": {"lt": int((time.time() - _KEPT_SECONDS) * 1000)}}}
        body = {"size": _AT_ONCE, "query": query, "seq_no_primary_term": True, "_source": False}
        hits = self._connection.search([(self._alias, body)])[0]["hits"]["hits"]
        old = [Found(hit["_index"], hit["_id"], hit["_seq_no"], hit["_primary_term"], {}) for hit in hits]
        self._connection.write([Write(record.index, record.key, None, record) for record in old])

    def _read(self, transaction: str) -> Found | None:
        return self._connection.get([(self._alias, transaction)], ["outcome"])[0]

    def _own(self, transaction: str) -> Found | None:
        """The record of a change whose commit was refused, if it is a commit: then a lost answer was to this process."""
        record = self._read(transaction)
        return record if record is not None and record.source["outcome"] == COMMITTED else None

    def _record(self, transaction: str, outcome: str) -> Write:
        return Write(self._alias, transaction, {"outcome": outcome, "decided_at": int(time.time() * 1000)})


def with_note(source: Mapping[str, Any], transaction: str, next_source: Mapping[str, Any] | None) -> dict[str, Any]:
    """A document, or the placeholder of one that does not exist yet, with a note of its new state (None: removed)."""
    note = {"since_ms": int(time.time() * 1000), "source": next_source}
    return {**source, "write": transaction, "transaction": transaction, "next": note}


def settled(found: Found, outcome: str) -> Write:
    """The write that settles a document with a note as decided."""
    source = dict(found.source)
    note = source.pop("next")
    source.pop("transaction")
    if outcome == COMMITTED:
        return Write(found.index, found.key, note["source"], found)
    return Write(found.index, found.key, None if source.get("is_absent") else source, found)
